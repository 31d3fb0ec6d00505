// Messages of schema 910: who streams what, and where. Spec: §5.2.
#pragma once

#include <cstdint>
#include <optional>

#include "layout/message.hpp"
#include "tensorpool/types/tensor_info.hpp"

namespace tensorpool::inline v0::layout {

inline constexpr std::uint16_t kDiscoverySchemaId = 910;

enum class DiscoveryStatus : std::uint8_t { kOk = 1, kNotFound = 2, kError = 3 };

struct Tag {
  static constexpr std::uint16_t kBlockLength = 0;

  Text tag{};

  friend bool operator==(const Tag&, const Tag&) = default;
};

/// Asks for the streams that match all the given filters. Spec: §5.2.1.
struct DiscoveryRequest {
  static constexpr MessageType kType{kDiscoverySchemaId, 1, 32, "DiscoveryRequest"};

  std::uint64_t request_id = 0;
  std::uint32_t client_id = 0;
  std::uint32_t response_stream_id = 0;
  std::optional<std::uint32_t> stream_id{};
  std::optional<std::uint32_t> producer_id{};
  std::optional<std::uint64_t> data_source_id{};
  ListView<Tag> tags{};
  Text response_channel{};
  Text data_source_name{};

  friend bool operator==(const DiscoveryRequest&, const DiscoveryRequest&) = default;
};

struct DiscoveryResult {
  static constexpr std::uint16_t kBlockLength = 39;

  std::uint32_t stream_id = 0;
  std::uint32_t producer_id = 0;
  std::uint64_t epoch = 0;
  std::uint32_t layout_version = kLayoutVersion;
  std::uint32_t header_nslots = 0;
  std::uint16_t header_slot_bytes = kHeaderSlotBytes;
  std::uint8_t max_dims = kMaxDims;
  std::optional<std::uint64_t> data_source_id{};
  std::uint32_t driver_control_stream_id = 0;
  ListView<PayloadPool> payload_pools{};
  ListView<Tag> tags{};
  Text header_region_uri{};
  Text data_source_name{};
  Text driver_instance_id{};
  Text driver_control_channel{};

  friend bool operator==(const DiscoveryResult&, const DiscoveryResult&) = default;
};

/// The streams that were found. Spec: §5.2.2.
struct DiscoveryResponse {
  static constexpr MessageType kType{kDiscoverySchemaId, 2, 9, "DiscoveryResponse"};

  std::uint64_t request_id = 0;
  DiscoveryStatus status = DiscoveryStatus::kOk;
  ListView<DiscoveryResult> results{};
  Text error_message{};

  friend bool operator==(const DiscoveryResponse&, const DiscoveryResponse&) = default;
};

}  // namespace tensorpool::inline v0::layout
