#include "codec/fields_900.hpp"
#include "codec/transcode.hpp"
#include "shm_tensorpool_control/ConsumerConfig.h"
#include "shm_tensorpool_control/ConsumerHello.h"
#include "shm_tensorpool_control/ControlResponse.h"
#include "shm_tensorpool_control/DataSourceAnnounce.h"
#include "shm_tensorpool_control/DataSourceMeta.h"
#include "shm_tensorpool_control/FrameDescriptor.h"
#include "shm_tensorpool_control/FrameProgress.h"
#include "shm_tensorpool_control/MetaBlobAnnounce.h"
#include "shm_tensorpool_control/MetaBlobChunk.h"
#include "shm_tensorpool_control/MetaBlobComplete.h"
#include "shm_tensorpool_control/QosConsumer.h"
#include "shm_tensorpool_control/QosProducer.h"
#include "shm_tensorpool_control/ShmPoolAnnounce.h"
#include "shm_tensorpool_control/ShmRegionSuperblock.h"
#include "shm_tensorpool_control/SlotHeader.h"
#include "shm_tensorpool_control/TensorHeader.h"

namespace tensorpool::inline v0::codec {

TP_CODEC(::shm_tensorpool_control, ShmPoolAnnounce);
TP_CODEC(::shm_tensorpool_control, ConsumerHello);
TP_CODEC(::shm_tensorpool_control, ConsumerConfig);
TP_CODEC(::shm_tensorpool_control, FrameDescriptor);
TP_CODEC(::shm_tensorpool_control, QosConsumer);
TP_CODEC(::shm_tensorpool_control, QosProducer);
TP_CODEC(::shm_tensorpool_control, DataSourceAnnounce);
TP_CODEC(::shm_tensorpool_control, DataSourceMeta);
TP_CODEC(::shm_tensorpool_control, ControlResponse);
TP_CODEC(::shm_tensorpool_control, MetaBlobAnnounce);
TP_CODEC(::shm_tensorpool_control, FrameProgress);
TP_CODEC(::shm_tensorpool_control, MetaBlobChunk);
TP_CODEC(::shm_tensorpool_control, MetaBlobComplete);
TP_CODEC(::shm_tensorpool_control, ShmRegionSuperblock);
TP_CODEC(::shm_tensorpool_control, SlotHeader);
TP_CODEC(::shm_tensorpool_control, TensorHeader);

TP_CODEC_VARIANT(Message900);
TP_CODEC_VARIANT(ShmMessage);

}  // namespace tensorpool::inline v0::codec
