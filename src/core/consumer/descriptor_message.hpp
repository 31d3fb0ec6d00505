// hot-path: 4 compares of private bytes.
//
// A FrameDescriptor out of the Aeron log, without the general decoder: the one message that arrives
// once per frame. The same rules as codec/, proven equal by test. Spec: §1.5.1 (W74..W79), §1.5.8.
//
// Thread contract: a pure function.
#pragma once

#include <cstddef>
#include <cstdint>
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
  // Each field straight from the log: a copy that is wider than what the writer stored a moment ago
  // would wait until those stores have left the processor's store buffer. The struct has alignment
  // 1 and no member beyond `bytes` is touched before the length is known.
  const auto& message = *reinterpret_cast<const layout::FrameDescriptorMessage*>(bytes.data());
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
  out = {.stream_id = message.stream_id,
         .epoch = message.epoch,
         .seq = message.seq,
         .timestamp_ns = message.timestamp_ns,
         .trace_id = message.trace_id};
  return DescriptorVerdict::kOk;
}

}  // namespace tensorpool::inline v0::core::consumer
