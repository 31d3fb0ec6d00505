// Messages of schema 900: announces, registration, descriptors, QoS, metadata. Spec: §1.5.
//
// FrameDescriptor as the hot path writes and reads it is in descriptor.hpp. Templates 50 to 52 are
// blocks of shared memory; as messages they exist for tools and tests only (W89), the structs of
// the memory itself are in superblock.hpp and slot.hpp.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "layout/descriptor.hpp"
#include "layout/message.hpp"
#include "layout/slot.hpp"
#include "layout/superblock.hpp"
#include "tensorpool/types/tensor_info.hpp"

namespace tensorpool::inline v0::layout {

enum class Mode : std::uint8_t { kStream = 1, kRateLimited = 2 };
enum class FrameProgressState : std::uint8_t {
  kUnknown = 0,
  kStarted = 1,
  kProgress = 2,
  kComplete = 3,
};
enum class ClockDomain : std::uint8_t { kMonotonic = 1, kRealtimeSynced = 2 };
enum class ResponseCode : std::int32_t {
  kOk = 0,
  kUnsupported = 1,
  kInvalidParams = 2,
  kRejected = 3,
  kInternalError = 4,
};

/// The regions of a stream, from their owner to all. Spec: §1.5.5.
struct ShmPoolAnnounce {
  static constexpr MessageType kType{kWireSchemaId, 1, 35, "ShmPoolAnnounce"};

  std::uint32_t stream_id = 0;
  std::uint32_t producer_id = 0;
  std::uint64_t epoch = 0;
  std::uint64_t announce_timestamp_ns = 0;
  ClockDomain announce_clock_domain = ClockDomain::kMonotonic;
  std::uint32_t layout_version = kLayoutVersion;
  std::uint32_t header_nslots = 0;
  std::uint16_t header_slot_bytes = kHeaderSlotBytes;
  ListView<PayloadPool> payload_pools{};
  Text header_region_uri{};

  friend bool operator==(const ShmPoolAnnounce&, const ShmPoolAnnounce&) = default;
};

/// A consumer presents itself and its wishes. Spec: §1.5.6.
struct ConsumerHello {
  static constexpr MessageType kType{kWireSchemaId, 2, 39, "ConsumerHello"};

  std::uint32_t stream_id = 0;
  std::uint32_t consumer_id = 0;
  bool supports_shm = false;
  bool supports_progress = false;
  Mode mode = Mode::kStream;
  std::uint32_t max_rate_hz = 0;  ///< 0: unlimited
  std::uint32_t expected_layout_version = 0;
  std::optional<std::uint32_t> progress_interval_us{};
  std::optional<std::uint32_t> progress_bytes_delta{};
  std::optional<std::uint32_t> progress_major_delta_units{};
  std::uint32_t descriptor_stream_id = 0;  ///< see assigned_stream_id()
  std::uint32_t control_stream_id = 0;     ///< see assigned_stream_id()
  Text descriptor_channel{};
  Text control_channel{};

  friend bool operator==(const ConsumerHello&, const ConsumerHello&) = default;
};

/// What a consumer has to use from now on. Spec: §1.5.7.
struct ConsumerConfig {
  static constexpr MessageType kType{kWireSchemaId, 3, 18, "ConsumerConfig"};

  std::uint32_t stream_id = 0;
  std::uint32_t consumer_id = 0;
  bool use_shm = true;
  Mode mode = Mode::kStream;
  std::uint32_t descriptor_stream_id = 0;  ///< see assigned_stream_id()
  std::uint32_t control_stream_id = 0;     ///< see assigned_stream_id()
  Text payload_fallback_uri{};
  Text descriptor_channel{};
  Text control_channel{};

  friend bool operator==(const ConsumerConfig&, const ConsumerConfig&) = default;
};

/// One frame is ready. Spec: §1.5.8.
struct FrameDescriptor {
  static constexpr MessageType kType{kWireSchemaId, kFrameDescriptorTemplateId,
                                     kFrameDescriptorBlockLength, "FrameDescriptor"};

  std::uint32_t stream_id = 0;
  std::uint64_t epoch = 0;
  std::uint64_t seq = 0;
  std::optional<std::uint64_t> timestamp_ns{};
  std::optional<std::uint32_t> meta_version{};
  std::optional<std::uint64_t> trace_id{};  ///< null value 0

  friend bool operator==(const FrameDescriptor&, const FrameDescriptor&) = default;
};

/// What a consumer has seen and lost. Spec: §1.5.10.
struct QosConsumer {
  static constexpr MessageType kType{kWireSchemaId, 5, 41, "QosConsumer"};

  std::uint32_t stream_id = 0;
  std::uint32_t consumer_id = 0;
  std::uint64_t epoch = 0;
  std::uint64_t last_seq_seen = 0;
  std::uint64_t drops_gap = 0;
  std::uint64_t drops_late = 0;
  std::optional<Mode> mode = Mode::kStream;  ///< empty when the sender's value is invalid (W401)

  friend bool operator==(const QosConsumer&, const QosConsumer&) = default;
};

/// How far a producer is. Spec: §1.5.11.
struct QosProducer {
  static constexpr MessageType kType{kWireSchemaId, 6, 28, "QosProducer"};

  std::uint32_t stream_id = 0;
  std::uint32_t producer_id = 0;
  std::uint64_t epoch = 0;
  std::uint64_t current_seq = 0;
  std::optional<std::uint32_t> watermark{};

  friend bool operator==(const QosProducer&, const QosProducer&) = default;
};

/// Name and summary of a stream. Spec: §1.5.12.
struct DataSourceAnnounce {
  static constexpr MessageType kType{kWireSchemaId, 7, 20, "DataSourceAnnounce"};

  std::uint32_t stream_id = 0;
  std::uint32_t producer_id = 0;
  std::uint64_t epoch = 0;
  std::uint32_t meta_version = 0;
  Text name{};
  Text summary{};

  friend bool operator==(const DataSourceAnnounce&, const DataSourceAnnounce&) = default;
};

struct MetaAttribute {
  static constexpr std::uint16_t kBlockLength = 0;

  Text key{};
  Text format{};
  Bytes value{};

  friend bool operator==(const MetaAttribute&, const MetaAttribute&) = default;
};

/// The complete attribute set of one metadata version. Spec: §1.5.13.
struct DataSourceMeta {
  static constexpr MessageType kType{kWireSchemaId, 8, 16, "DataSourceMeta"};

  std::uint32_t stream_id = 0;
  std::uint32_t meta_version = 0;
  std::uint64_t timestamp_ns = 0;
  ListView<MetaAttribute> attributes{};

  friend bool operator==(const DataSourceMeta&, const DataSourceMeta&) = default;
};

/// The answer to a request. Spec: §1.5.14.
struct ControlResponse {
  static constexpr MessageType kType{kWireSchemaId, 9, 12, "ControlResponse"};

  std::int64_t correlation_id = 0;
  ResponseCode code = ResponseCode::kOk;
  Text error_message{};

  friend bool operator==(const ControlResponse&, const ControlResponse&) = default;
};

/// A metadata blob will follow in chunks. Spec: §1.5.15.
struct MetaBlobAnnounce {
  static constexpr MessageType kType{kWireSchemaId, 10, 28, "MetaBlobAnnounce"};

  std::uint32_t stream_id = 0;
  std::uint32_t meta_version = 0;
  std::uint32_t blob_type = 0;
  std::uint64_t total_len = 0;
  std::uint64_t checksum = 0;  ///< CRC32C of the blob, 0: none

  friend bool operator==(const MetaBlobAnnounce&, const MetaBlobAnnounce&) = default;
};

/// How much of a frame under acquisition is there. Spec: §1.5.9.
struct FrameProgress {
  static constexpr MessageType kType{kWireSchemaId, 11, 29, "FrameProgress"};

  std::uint32_t stream_id = 0;
  std::uint64_t epoch = 0;
  std::uint64_t seq = 0;
  std::uint64_t payload_bytes_filled = 0;
  FrameProgressState state = FrameProgressState::kUnknown;

  friend bool operator==(const FrameProgress&, const FrameProgress&) = default;
};

/// One piece of a metadata blob. Spec: §1.5.15.
struct MetaBlobChunk {
  static constexpr MessageType kType{kWireSchemaId, 12, 16, "MetaBlobChunk"};

  std::uint32_t stream_id = 0;
  std::uint32_t meta_version = 0;
  std::uint64_t chunk_offset = 0;
  Bytes bytes{};

  friend bool operator==(const MetaBlobChunk&, const MetaBlobChunk&) = default;
};

/// All chunks of a metadata blob were sent. Spec: §1.5.15.
struct MetaBlobComplete {
  static constexpr MessageType kType{kWireSchemaId, 13, 16, "MetaBlobComplete"};

  std::uint32_t stream_id = 0;
  std::uint32_t meta_version = 0;
  std::uint64_t checksum = 0;

  friend bool operator==(const MetaBlobComplete&, const MetaBlobComplete&) = default;
};

/// Template 50 as a message. Spec: §1.3.1.
struct ShmRegionSuperblock {
  static constexpr MessageType kType{kWireSchemaId, 50, kSuperblockBytes, "ShmRegionSuperblock"};

  std::uint64_t magic = kSuperblockMagic;
  std::uint32_t layout_version = kLayoutVersion;
  std::uint64_t epoch = 0;
  std::uint32_t stream_id = 0;
  RegionType region_type = RegionType::kHeaderRing;
  std::uint16_t pool_id = 0;
  std::uint32_t nslots = 0;
  std::uint32_t slot_bytes = 0;
  std::uint32_t stride_bytes = 0;
  std::uint64_t pid = 0;
  std::uint64_t start_timestamp_ns = 0;
  std::uint64_t activity_timestamp_ns = 0;

  friend bool operator==(const ShmRegionSuperblock&, const ShmRegionSuperblock&) = default;
};

/// Template 51 as a message. Spec: §1.3.2.
struct SlotHeader {
  static constexpr MessageType kType{kWireSchemaId, 51, 60, "SlotHeader"};

  std::uint64_t seq_commit = 0;
  std::uint32_t values_len_bytes = 0;
  std::uint32_t payload_slot = 0;
  std::uint16_t pool_id = 0;
  std::uint32_t payload_offset = 0;
  std::uint64_t timestamp_ns = 0;
  std::uint32_t meta_version = 0;
  Bytes header_bytes{};

  friend bool operator==(const SlotHeader&, const SlotHeader&) = default;
};

/// Template 52 as a message. Spec: §1.3.2.
struct TensorHeader {
  static constexpr MessageType kType{kWireSchemaId, kTensorHeaderTemplateId,
                                     kTensorHeaderBlockLength, "TensorHeader"};

  Dtype dtype = Dtype::kUnknown;
  MajorOrder major_order = MajorOrder::kUnknown;
  std::uint8_t ndims = 0;
  std::uint8_t pad_align = 0;
  ProgressUnit progress_unit = ProgressUnit::kNone;
  std::uint32_t progress_stride_bytes = 0;
  std::array<std::int32_t, kMaxDims> dims{};
  std::array<std::int32_t, kMaxDims> strides{};

  friend bool operator==(const TensorHeader&, const TensorHeader&) = default;
};

}  // namespace tensorpool::inline v0::layout
