// The message of schema 902: a piece of a frame on its way to another host. Spec: §3.2.
#pragma once

#include <cstdint>
#include <optional>

#include "layout/message.hpp"

namespace tensorpool::inline v0::layout {

inline constexpr std::uint16_t kBridgeSchemaId = 902;

struct BridgeFrameChunk {
  static constexpr MessageType kType{kBridgeSchemaId, 1, 53, "BridgeFrameChunk"};

  std::uint32_t stream_id = 0;
  std::uint64_t epoch = 0;
  std::uint64_t seq = 0;
  std::optional<std::uint64_t> trace_id{};  ///< null value 0
  std::uint32_t chunk_index = 0;
  std::uint32_t chunk_count = 0;
  std::uint32_t chunk_offset = 0;
  std::uint32_t chunk_length = 0;
  std::uint32_t payload_length = 0;
  std::uint32_t payload_crc32c = 0;  ///< 0: none
  bool header_included = false;
  Bytes header_bytes{};  ///< the slot image, in chunk 0 only
  Bytes payload_bytes{};

  friend bool operator==(const BridgeFrameChunk&, const BridgeFrameChunk&) = default;
};

}  // namespace tensorpool::inline v0::layout
