// The fields of the messages of schema 900. Spec: §1.5.
#pragma once

#include "codec/fields.hpp"
#include "layout/messages_900.hpp"

namespace tensorpool::inline v0::codec {

template <>
struct Fields<layout::PayloadPool> {
  using Message = layout::PayloadPool;
  static constexpr auto list() {
    return std::tuple{TP_FIELD(pool_id, poolId), TP_FIELD(pool_nslots, poolNslots),
                      TP_FIELD(stride_bytes, strideBytes),
                      TP_DATA(region_uri, regionUri, RegionUri)};
  }
};

template <>
struct Fields<layout::ShmPoolAnnounce> {
  using Message = layout::ShmPoolAnnounce;
  static constexpr auto list() {
    return std::tuple{TP_FIELD(stream_id, streamId),
                      TP_FIELD(producer_id, producerId),
                      TP_FIELD(epoch, epoch),
                      TP_FIELD(announce_timestamp_ns, announceTimestampNs),
                      TP_FIELD(announce_clock_domain, announceClockDomain),
                      TP_FIELD(layout_version, layoutVersion),
                      TP_FIELD(header_nslots, headerNslots),
                      TP_FIELD(header_slot_bytes, headerSlotBytes),
                      TP_GROUP(payload_pools, payloadPools),
                      TP_DATA(header_region_uri, headerRegionUri, HeaderRegionUri)};
  }
};

template <>
struct Fields<layout::ConsumerHello> {
  using Message = layout::ConsumerHello;
  static constexpr auto list() {
    return std::tuple{TP_FIELD(stream_id, streamId),
                      TP_FIELD(consumer_id, consumerId),
                      TP_FIELD(supports_shm, supportsShm),
                      TP_FIELD(supports_progress, supportsProgress),
                      TP_FIELD(mode, mode),
                      TP_FIELD(max_rate_hz, maxRateHz),
                      TP_FIELD(expected_layout_version, expectedLayoutVersion),
                      TP_FIELD(progress_interval_us, progressIntervalUs),
                      TP_FIELD(progress_bytes_delta, progressBytesDelta),
                      TP_FIELD(progress_major_delta_units, progressMajorDeltaUnits),
                      TP_FIELD(descriptor_stream_id, descriptorStreamId),
                      TP_FIELD(control_stream_id, controlStreamId),
                      TP_DATA(descriptor_channel, descriptorChannel, DescriptorChannel),
                      TP_DATA(control_channel, controlChannel, ControlChannel)};
  }
};

template <>
struct Fields<layout::ConsumerConfig> {
  using Message = layout::ConsumerConfig;
  static constexpr auto list() {
    return std::tuple{TP_FIELD(stream_id, streamId),
                      TP_FIELD(consumer_id, consumerId),
                      TP_FIELD(use_shm, useShm),
                      TP_FIELD(mode, mode),
                      TP_FIELD(descriptor_stream_id, descriptorStreamId),
                      TP_FIELD(control_stream_id, controlStreamId),
                      TP_DATA(payload_fallback_uri, payloadFallbackUri, PayloadFallbackUri),
                      TP_DATA(descriptor_channel, descriptorChannel, DescriptorChannel),
                      TP_DATA(control_channel, controlChannel, ControlChannel)};
  }
};

template <>
struct Fields<layout::FrameDescriptor> {
  using Message = layout::FrameDescriptor;
  static constexpr auto list() {
    return std::tuple{TP_FIELD(stream_id, streamId),
                      TP_FIELD(epoch, epoch),
                      TP_FIELD(seq, seq),
                      TP_FIELD(timestamp_ns, timestampNs),
                      TP_FIELD(meta_version, metaVersion),
                      TP_FIELD(trace_id, traceId)};
  }
};

template <>
struct Fields<layout::QosConsumer> {
  using Message = layout::QosConsumer;
  static constexpr auto list() {
    return std::tuple{TP_FIELD(stream_id, streamId),
                      TP_FIELD(consumer_id, consumerId),
                      TP_FIELD(epoch, epoch),
                      TP_FIELD(last_seq_seen, lastSeqSeen),
                      TP_FIELD(drops_gap, dropsGap),
                      TP_FIELD(drops_late, dropsLate),
                      TP_FIELD(mode, mode, UnknownValue::kAbsent)};
  }
};

template <>
struct Fields<layout::QosProducer> {
  using Message = layout::QosProducer;
  static constexpr auto list() {
    return std::tuple{TP_FIELD(stream_id, streamId), TP_FIELD(producer_id, producerId),
                      TP_FIELD(epoch, epoch), TP_FIELD(current_seq, currentSeq),
                      TP_FIELD(watermark, watermark)};
  }
};

template <>
struct Fields<layout::DataSourceAnnounce> {
  using Message = layout::DataSourceAnnounce;
  static constexpr auto list() {
    return std::tuple{TP_FIELD(stream_id, streamId), TP_FIELD(producer_id, producerId),
                      TP_FIELD(epoch, epoch),        TP_FIELD(meta_version, metaVersion),
                      TP_DATA(name, name, Name),     TP_DATA(summary, summary, Summary)};
  }
};

template <>
struct Fields<layout::MetaAttribute> {
  using Message = layout::MetaAttribute;
  static constexpr auto list() {
    return std::tuple{TP_DATA(key, key, Key), TP_DATA(format, format, Format),
                      TP_DATA(value, value, Value)};
  }
};

template <>
struct Fields<layout::DataSourceMeta> {
  using Message = layout::DataSourceMeta;
  static constexpr auto list() {
    return std::tuple{TP_FIELD(stream_id, streamId), TP_FIELD(meta_version, metaVersion),
                      TP_FIELD(timestamp_ns, timestampNs), TP_GROUP(attributes, attributes)};
  }
};

template <>
struct Fields<layout::ControlResponse> {
  using Message = layout::ControlResponse;
  static constexpr auto list() {
    return std::tuple{TP_FIELD(correlation_id, correlationId),
                      TP_FIELD(code, code, UnknownValue::kKept),  // W446
                      TP_DATA(error_message, errorMessage, ErrorMessage)};
  }
};

template <>
struct Fields<layout::MetaBlobAnnounce> {
  using Message = layout::MetaBlobAnnounce;
  static constexpr auto list() {
    return std::tuple{TP_FIELD(stream_id, streamId), TP_FIELD(meta_version, metaVersion),
                      TP_FIELD(blob_type, blobType), TP_FIELD(total_len, totalLen),
                      TP_FIELD(checksum, checksum)};
  }
};

template <>
struct Fields<layout::FrameProgress> {
  using Message = layout::FrameProgress;
  static constexpr auto list() {
    return std::tuple{TP_FIELD(stream_id, streamId), TP_FIELD(epoch, epoch), TP_FIELD(seq, seq),
                      TP_FIELD(payload_bytes_filled, payloadBytesFilled), TP_FIELD(state, state)};
  }
};

template <>
struct Fields<layout::MetaBlobChunk> {
  using Message = layout::MetaBlobChunk;
  static constexpr auto list() {
    return std::tuple{TP_FIELD(stream_id, streamId), TP_FIELD(meta_version, metaVersion),
                      TP_FIELD(chunk_offset, chunkOffset), TP_DATA(bytes, bytes, Bytes)};
  }
};

template <>
struct Fields<layout::MetaBlobComplete> {
  using Message = layout::MetaBlobComplete;
  static constexpr auto list() {
    return std::tuple{TP_FIELD(stream_id, streamId), TP_FIELD(meta_version, metaVersion),
                      TP_FIELD(checksum, checksum)};
  }
};

template <>
struct Fields<layout::ShmRegionSuperblock> {
  using Message = layout::ShmRegionSuperblock;
  static constexpr auto list() {
    return std::tuple{TP_FIELD(magic, magic),
                      TP_FIELD(layout_version, layoutVersion),
                      TP_FIELD(epoch, epoch),
                      TP_FIELD(stream_id, streamId),
                      TP_FIELD(region_type, regionType),
                      TP_FIELD(pool_id, poolId),
                      TP_FIELD(nslots, nslots),
                      TP_FIELD(slot_bytes, slotBytes),
                      TP_FIELD(stride_bytes, strideBytes),
                      TP_FIELD(pid, pid),
                      TP_FIELD(start_timestamp_ns, startTimestampNs),
                      TP_FIELD(activity_timestamp_ns, activityTimestampNs)};
  }
};

template <>
struct Fields<layout::SlotHeader> {
  using Message = layout::SlotHeader;
  static constexpr auto list() {
    return std::tuple{
        TP_FIELD(seq_commit, seqCommit),         TP_FIELD(values_len_bytes, valuesLenBytes),
        TP_FIELD(payload_slot, payloadSlot),     TP_FIELD(pool_id, poolId),
        TP_FIELD(payload_offset, payloadOffset), TP_FIELD(timestamp_ns, timestampNs),
        TP_FIELD(meta_version, metaVersion),     TP_DATA(header_bytes, headerBytes, HeaderBytes)};
  }
};

template <>
struct Fields<layout::TensorHeader> {
  using Message = layout::TensorHeader;
  static constexpr auto list() {
    return std::tuple{TP_FIELD(dtype, dtype),
                      TP_FIELD(major_order, majorOrder),
                      TP_FIELD(ndims, ndims),
                      TP_FIELD(pad_align, padAlign),
                      TP_FIELD(progress_unit, progressUnit),
                      TP_FIELD(progress_stride_bytes, progressStrideBytes),
                      TP_ARRAY(dims, dims),
                      TP_ARRAY(strides, strides)};
  }
};

}  // namespace tensorpool::inline v0::codec
