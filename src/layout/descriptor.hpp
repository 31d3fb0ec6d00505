// FrameDescriptor as it lies in the Aeron log, message header included: the one message of the hot
// path. Equal to the generated code by test. Spec: §1.5.1, §1.5.8.
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "base/endian.hpp"
#include "layout/slot.hpp"

namespace tensorpool::inline v0::layout {

inline constexpr std::uint16_t kFrameDescriptorTemplateId = 4;
inline constexpr std::uint16_t kFrameDescriptorBlockLength = 40;

struct FrameDescriptorMessage {
  base::Le<std::uint16_t> block_length;
  base::Le<std::uint16_t> template_id;
  base::Le<std::uint16_t> schema_id;
  base::Le<std::uint16_t> version;
  base::Le<std::uint32_t> stream_id;
  base::Le<std::uint64_t> epoch;
  base::Le<std::uint64_t> seq;
  base::Le<std::uint64_t> timestamp_ns;  ///< kTimestampNone when not stamped (W190)
  base::Le<std::uint32_t> meta_version;  ///< kMetaVersionNull without metadata (W192)
  base::Le<std::uint64_t> trace_id;      ///< 0 when not traced (W193)
};

static_assert(std::is_trivially_copyable_v<FrameDescriptorMessage>);
static_assert(sizeof(FrameDescriptorMessage) == 8 + kFrameDescriptorBlockLength);
static_assert(offsetof(FrameDescriptorMessage, stream_id) == 8 + 0);
static_assert(offsetof(FrameDescriptorMessage, epoch) == 8 + 4);
static_assert(offsetof(FrameDescriptorMessage, seq) == 8 + 12);
static_assert(offsetof(FrameDescriptorMessage, timestamp_ns) == 8 + 20);
static_assert(offsetof(FrameDescriptorMessage, meta_version) == 8 + 28);
static_assert(offsetof(FrameDescriptorMessage, trace_id) == 8 + 32);

}  // namespace tensorpool::inline v0::layout
