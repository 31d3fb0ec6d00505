// Little-endian, unaligned fields of the wire and of shared memory (W1, W2, W26).
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstring>
#include <type_traits>

namespace tensorpool::inline v0::base {

static_assert(std::endian::native == std::endian::little,
              "tensorpool: regions and messages are little-endian; a big-endian host would swap "
              "them silently (W2)");

/// A field of type T at any address: alignment 1, read and written by byte copy.
template <class T>
class Le {
  static_assert(std::is_arithmetic_v<T> || std::is_enum_v<T>);

 public:
  Le() = default;
  constexpr Le(T value) noexcept {
    *this = value;
  }  // NOLINT(google-explicit-constructor): a field reads as its value

  [[nodiscard]] constexpr T get() const noexcept { return std::bit_cast<T>(bytes_); }
  constexpr operator T() const noexcept { return get(); }  // NOLINT(google-explicit-constructor)
  constexpr Le& operator=(T value) noexcept {
    bytes_ = std::bit_cast<std::array<std::byte, sizeof(T)>>(value);
    return *this;
  }

 private:
  std::array<std::byte, sizeof(T)> bytes_;
};

}  // namespace tensorpool::inline v0::base
