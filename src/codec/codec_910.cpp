#include "codec/fields_910.hpp"
#include "codec/transcode.hpp"
#include "shm_tensorpool_discovery/DiscoveryRequest.h"
#include "shm_tensorpool_discovery/DiscoveryResponse.h"

namespace tensorpool::inline v0::codec {

TP_CODEC(::shm_tensorpool_discovery, DiscoveryRequest);
TP_CODEC(::shm_tensorpool_discovery, DiscoveryResponse);

TP_CODEC_VARIANT(Message910);

}  // namespace tensorpool::inline v0::codec
