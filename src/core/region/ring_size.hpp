// How many slots a ring needs, and how long they are. Pure. Spec: W38, W276; design §9 (geometry).
// Thread contract: free functions.
#pragma once

#include <algorithm>
#include <bit>
#include <chrono>
#include <cmath>
#include <cstdint>

#include "layout/limits.hpp"
#include "tensorpool/types/time.hpp"

namespace tensorpool::inline v0::core::region {

inline constexpr std::uint32_t kSlotsChosenMin = 8;
inline constexpr std::uint32_t kSlotsChosenMax = 1024;
inline constexpr double kSlackSafety = 2;  ///< W276: between 2 and 4

/// A power of two between kSlotsChosenMin and kSlotsChosenMax: enough for a reader that falls
/// behind by `slack`, `safety` times over.
[[nodiscard]] inline std::uint32_t slots_for(double rate_hz, Nanos slack,
                                             double safety = kSlackSafety) noexcept {
  const double slots = std::ceil(rate_hz * std::chrono::duration<double>(slack).count() * safety);
  return std::bit_ceil(static_cast<std::uint32_t>(std::clamp(
      slots, static_cast<double>(kSlotsChosenMin), static_cast<double>(kSlotsChosenMax))));
}

/// The next power of two. Precondition: frame_bytes is at most 2^31.
[[nodiscard]] constexpr std::uint64_t stride_for(std::uint64_t frame_bytes) noexcept {
  return std::bit_ceil(std::max<std::uint64_t>(frame_bytes, layout::kStrideGranularity));
}

}  // namespace tensorpool::inline v0::core::region
