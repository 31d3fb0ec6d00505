#include "codec/fields_904.hpp"
#include "codec/transcode.hpp"
#include "shm_tensorpool_tracelink/TraceLinkSet.h"

namespace tensorpool::inline v0::codec {

TP_CODEC(::shm_tensorpool_tracelink, TraceLinkSet);

TP_CODEC_VARIANT(Message904);

}  // namespace tensorpool::inline v0::codec
