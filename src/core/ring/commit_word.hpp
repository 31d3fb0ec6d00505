// The commit word of a slot: (seq << 1) | committed. Spec: §1.9.
#pragma once

#include <cstdint>

namespace tensorpool::inline v0::core::ring {

[[nodiscard]] constexpr std::uint64_t in_progress(std::uint64_t seq) noexcept {
  return seq << 1U;
}
[[nodiscard]] constexpr std::uint64_t committed(std::uint64_t seq) noexcept {
  return (seq << 1U) | 1U;
}
[[nodiscard]] constexpr bool is_committed(std::uint64_t word) noexcept {
  return (word & 1U) != 0;
}
[[nodiscard]] constexpr std::uint64_t sequence_of(std::uint64_t word) noexcept {
  return word >> 1U;
}

}  // namespace tensorpool::inline v0::core::ring
