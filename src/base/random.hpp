// Seeded random numbers: the same seed gives the same numbers on every machine and standard
// library.
//
// The generator is SplitMix64 (Steele, Lea and Flood, 2014): 64 bits of state, a period of 2^64,
// good enough for jitter, ids and simulation, and not for secrets.
#pragma once

#include <cstdint>

namespace tensorpool::inline v0::base {

class Random {
 public:
  explicit constexpr Random(std::uint64_t seed) noexcept : state_(seed) {}

  [[nodiscard]] constexpr std::uint64_t next() noexcept {
    state_ += 0x9E37'79B9'7F4A'7C15ULL;
    std::uint64_t z = state_;
    z = (z ^ (z >> 30U)) * 0xBF58'476D'1CE4'E5B9ULL;
    z = (z ^ (z >> 27U)) * 0x94D0'49BB'1331'11EBULL;
    return z ^ (z >> 31U);
  }

  /// Uniform in [0, bound). Precondition: bound > 0. The bias is below bound / 2^64.
  [[nodiscard]] constexpr std::uint64_t below(std::uint64_t bound) noexcept {
    __extension__ using Wide = unsigned __int128;
    return static_cast<std::uint64_t>((static_cast<Wide>(next()) * bound) >> 64U);
  }
  /// Uniform in [low, high]. Precondition: low <= high and not the whole range of the type.
  [[nodiscard]] constexpr std::uint64_t between(std::uint64_t low, std::uint64_t high) noexcept {
    return low + below(high - low + 1);
  }
  /// True `numerator` times out of `denominator`.
  [[nodiscard]] constexpr bool chance(std::uint64_t numerator, std::uint64_t denominator) noexcept {
    return below(denominator) < numerator;
  }

 private:
  std::uint64_t state_;
};

}  // namespace tensorpool::inline v0::base
