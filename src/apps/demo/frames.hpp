// The frames of the demo: a simulated wavefront camera, and the mark by which a frame that was put
// together from two is found out.
//
// Every row begins with the number of its frame (eight bytes over the first four pixels), so one
// look at each row tells whether all of them belong together. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

#include "tensorpool/types/tensor_info.hpp"

namespace tensorpool::inline v0::apps::demo {

inline constexpr std::size_t kRows = 512;
inline constexpr std::size_t kColumns = 640;
inline constexpr std::size_t kRowBytes = kColumns * sizeof(std::uint16_t);
inline constexpr std::size_t kFrameBytes = kRows * kRowBytes;
inline constexpr double kRateHz = 1000;
inline constexpr std::uint32_t kStreamNumber = 10'000;

[[nodiscard]] constexpr TensorInfo frame_info() noexcept {
  return TensorInfo::packed(Dtype::kUint16, {kRows, kColumns});
}

/// Precondition: `frame` has kFrameBytes.
inline void stamp_rows(std::span<std::byte> frame, std::uint64_t seq) noexcept {
  for (std::size_t row = 0; row < kRows; ++row) {
    std::memcpy(frame.data() + row * kRowBytes, &seq, sizeof(seq));
  }
}

/// False for a frame with rows of another one, or of another size.
[[nodiscard]] inline bool rows_belong_to(std::span<const std::byte> frame,
                                         std::uint64_t seq) noexcept {
  bool right = frame.size() == kFrameBytes;
  for (std::size_t row = 0; right && row < kRows; ++row) {
    std::uint64_t found = 0;
    std::memcpy(&found, frame.data() + row * kRowBytes, sizeof(found));
    right = found == seq;
  }
  return right;
}

}  // namespace tensorpool::inline v0::apps::demo
