#include "tensorpool/types/extended_element.hpp"

#include <algorithm>
#include <cmath>

namespace tensorpool::inline v0 {
namespace {

constexpr std::uint32_t kFloatSign = 0x8000'0000;
constexpr std::uint32_t kFloatInfinity = 0x7F80'0000;
constexpr std::uint16_t kHalfInfinity = 0x7C00;
constexpr int kHalfMantissaBits = 10;
constexpr int kHalfExponentMin = -14;  // of normal numbers

}  // namespace

float Float16::to_float() const noexcept {
  const bool negative = (bits & 0x8000U) != 0;
  const int exponent = bits >> kHalfMantissaBits & 0x1F;
  const int mantissa = bits & 0x3FF;
  float magnitude = 0;
  if (exponent == 0x1F) {
    magnitude = std::bit_cast<float>(kFloatInfinity |
                                     static_cast<std::uint32_t>(mantissa)
                                         << (23U - static_cast<unsigned>(kHalfMantissaBits)));
  } else if (exponent == 0) {
    magnitude = std::ldexp(static_cast<float>(mantissa), kHalfExponentMin - kHalfMantissaBits);
  } else {
    magnitude = std::ldexp(static_cast<float>(mantissa | 0x400), exponent - 25);
  }
  return negative ? -magnitude : magnitude;
}

Float16 Float16::from(float value) noexcept {
  const auto sign =
      static_cast<std::uint16_t>((std::bit_cast<std::uint32_t>(value) & kFloatSign) >> 16U);
  const auto with_sign = [sign](std::uint32_t magnitude) {
    return Float16{static_cast<std::uint16_t>(sign | magnitude)};
  };
  if (std::isnan(value)) {
    return with_sign(kHalfInfinity | 0x200U);
  }
  const float magnitude = std::fabs(value);
  if (magnitude == 0) {
    return with_sign(0);
  }
  if (magnitude >= 65'520.0F) {  // half way between the largest number and the next
    return with_sign(kHalfInfinity);
  }
  // In units of the last place, which subnormal numbers share with the smallest normal ones. What
  // rounds up into the next power of two carries into the exponent by itself.
  int exponent = 0;
  std::frexp(magnitude, &exponent);
  const int place = std::max(exponent - 1, kHalfExponentMin) - kHalfMantissaBits;
  const auto units = static_cast<std::uint32_t>(std::nearbyint(std::ldexp(magnitude, -place)));
  const auto steps = static_cast<std::uint32_t>(place + kHalfMantissaBits - kHalfExponentMin);
  return with_sign((steps << static_cast<unsigned>(kHalfMantissaBits)) + units);
}

Bfloat16 Bfloat16::from(float value) noexcept {
  const auto word = std::bit_cast<std::uint32_t>(value);
  if (std::isnan(value)) {
    return {static_cast<std::uint16_t>(word >> 16U | 0x40U)};
  }
  const std::uint32_t ties_to_even = 0x7FFFU + (word >> 16U & 1U);
  return {static_cast<std::uint16_t>((word + ties_to_even) >> 16U)};
}

}  // namespace tensorpool::inline v0
