// hot-path: 4 compares of private bytes.
//
// A FrameDescriptor out of the Aeron log, without the general decoder: the one message that arrives
// once per frame. The same rules as codec/, proven equal by test. Spec: §1.5.1 (W74..W79), §1.5.8.
//
// Thread contract: a pure function.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

#include "core/consumer/frame.hpp"
#include "layout/descriptor.hpp"

namespace tensorpool::inline v0::core::consumer {

enum class DescriptorVerdict : std::uint8_t {
  kOk,
  kOther,               ///< another schema or message: not for us (W74, W75, W431)
  kUnsupportedVersion,  ///< W76
  kMalformed,           ///< W78, W79
};

[[nodiscard]] inline DescriptorVerdict parse_descriptor(std::span<const std::byte> bytes,
                                                        Descriptor& out) noexcept {
  constexpr std::size_t kHeaderBytes = offsetof(layout::FrameDescriptorMessage, stream_id);
  if (bytes.size() < kHeaderBytes) [[unlikely]] {
    return DescriptorVerdict::kMalformed;
  }
  layout::FrameDescriptorMessage message;
  std::memcpy(&message, bytes.data(), kHeaderBytes);
  if (message.schema_id != layout::kWireSchemaId ||
      message.template_id != layout::kFrameDescriptorTemplateId) [[unlikely]] {
    return DescriptorVerdict::kOther;
  }
  if (message.version > layout::kWireSchemaVersion) [[unlikely]] {
    return DescriptorVerdict::kUnsupportedVersion;
  }
  if (message.block_length < layout::kFrameDescriptorBlockLength ||
      bytes.size() < kHeaderBytes + message.block_length) [[unlikely]] {
    return DescriptorVerdict::kMalformed;
  }
  std::memcpy(&message, bytes.data(), sizeof(message));
  out = {.stream_id = message.stream_id,
         .epoch = message.epoch,
         .seq = message.seq,
         .timestamp_ns = message.timestamp_ns,
         .trace_id = message.trace_id};
  return DescriptorVerdict::kOk;
}

}  // namespace tensorpool::inline v0::core::consumer
