// One received frame and the descriptor that spoke of it, as the core hands them on. Spec: §1.12
// (W271).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "core/tensor/strides.hpp"
#include "layout/slot.hpp"

namespace tensorpool::inline v0::core::consumer {

/// What of a FrameDescriptor matters to a receiver (W270). `time_ns` and `meta_version` keep their
/// null values.
struct Descriptor {
  std::uint32_t stream_id = 0;
  std::uint64_t epoch = 0;
  std::uint64_t seq = 0;
  std::uint64_t timestamp_ns = layout::kTimestampNone;
  std::uint64_t trace_id = 0;
};

/// A frame that passed the reader protocol and validation. Borrowed: valid during the call it is
/// handed out in.
template <class Atom>
struct Frame {
  std::uint64_t epoch = 0;
  std::uint64_t seq = 0;
  const tensor::Layout* tensor = nullptr;
  std::span<const std::byte> payload;
  std::uint64_t timestamp_ns = layout::kTimestampNone;    ///< of the slot (W195)
  std::uint32_t meta_version = layout::kMetaVersionNull;  ///< of the slot (W197)
  std::uint64_t descriptor_timestamp_ns = layout::kTimestampNone;
  std::uint64_t trace_id = 0;
  const typename Atom::Word* commit = nullptr;  ///< for the check after use
};

/// What the caller did with a frame.
enum class Use : std::uint8_t {
  kDone,  ///< used up: the receiver makes the check after use itself (W172)
  kKept,  ///< taken along: whoever keeps it makes the check and reports it once (W173)
};

}  // namespace tensorpool::inline v0::core::consumer
