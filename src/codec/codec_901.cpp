#include "codec/fields_901.hpp"
#include "codec/transcode.hpp"
#include "shm_tensorpool_driver/ShmAttachRequest.h"
#include "shm_tensorpool_driver/ShmAttachResponse.h"
#include "shm_tensorpool_driver/ShmDetachRequest.h"
#include "shm_tensorpool_driver/ShmDetachResponse.h"
#include "shm_tensorpool_driver/ShmDriverShutdown.h"
#include "shm_tensorpool_driver/ShmDriverShutdownRequest.h"
#include "shm_tensorpool_driver/ShmLeaseKeepalive.h"
#include "shm_tensorpool_driver/ShmLeaseRevoked.h"

namespace tensorpool::inline v0::codec {

TP_CODEC(::shm_tensorpool_driver, ShmAttachRequest);
TP_CODEC(::shm_tensorpool_driver, ShmAttachResponse);
TP_CODEC(::shm_tensorpool_driver, ShmDetachRequest);
TP_CODEC(::shm_tensorpool_driver, ShmDetachResponse);
TP_CODEC(::shm_tensorpool_driver, ShmLeaseKeepalive);
TP_CODEC(::shm_tensorpool_driver, ShmDriverShutdown);
TP_CODEC(::shm_tensorpool_driver, ShmLeaseRevoked);
TP_CODEC(::shm_tensorpool_driver, ShmDriverShutdownRequest);

TP_CODEC_VARIANT(Message901);
TP_CODEC_VARIANT(DriverRequest);
TP_CODEC_VARIANT(DriverEvent);

}  // namespace tensorpool::inline v0::codec
