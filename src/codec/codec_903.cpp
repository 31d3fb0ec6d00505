#include "codec/fields_903.hpp"
#include "codec/transcode.hpp"
#include "shm_tensorpool_merge/SequenceMergeMapAnnounce.h"
#include "shm_tensorpool_merge/SequenceMergeMapRequest.h"
#include "shm_tensorpool_merge/TimestampMergeMapAnnounce.h"
#include "shm_tensorpool_merge/TimestampMergeMapRequest.h"

namespace tensorpool::inline v0::codec {

TP_CODEC(::shm_tensorpool_merge, SequenceMergeMapAnnounce);
TP_CODEC(::shm_tensorpool_merge, SequenceMergeMapRequest);
TP_CODEC(::shm_tensorpool_merge, TimestampMergeMapAnnounce);
TP_CODEC(::shm_tensorpool_merge, TimestampMergeMapRequest);

TP_CODEC_VARIANT(Message903);

}  // namespace tensorpool::inline v0::codec
