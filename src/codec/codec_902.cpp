#include "codec/fields_902.hpp"
#include "codec/transcode.hpp"
#include "shm_tensorpool_bridge/BridgeFrameChunk.h"

namespace tensorpool::inline v0::codec {

TP_CODEC(::shm_tensorpool_bridge, BridgeFrameChunk);

TP_CODEC_VARIANT(Message902);

}  // namespace tensorpool::inline v0::codec
