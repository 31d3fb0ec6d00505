// Element types and orders of a tensor, as the wire numbers them. Spec: §1.4.1 (W51..W54).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <type_traits>

#include "tensorpool/export.hpp"

namespace tensorpool::inline v0 {

/// Element type of a tensor. The numbers are those of the wire and never change (W51).
enum class Dtype : std::int16_t {
  kUnknown = 0,  ///< Never valid in a frame.
  kUint8 = 1,
  kInt8 = 2,
  kUint16 = 3,
  kInt16 = 4,
  kUint32 = 5,
  kInt32 = 6,
  kUint64 = 7,
  kInt64 = 8,
  kFloat32 = 9,
  kFloat64 = 10,
  kBoolean = 11,
  kBytes = 13,  ///< Opaque bytes, for compressed images and the like.
  kBit = 14,    ///< Packed bits; the payload may be shorter than the extent (W66).
};

/// Order of the dimensions in memory.
enum class MajorOrder : std::int16_t { kUnknown = 0, kRow = 1, kColumn = 2 };

/// Unit in which a frame under acquisition becomes available.
enum class ProgressUnit : std::uint8_t { kNone = 0, kRows = 1, kColumns = 2 };

/// Bytes of one element, or 0 when `dtype` is not a valid value of the table (W52).
[[nodiscard]] constexpr std::size_t element_bytes(Dtype dtype) noexcept {
  switch (dtype) {
    case Dtype::kUint8:
    case Dtype::kInt8:
    case Dtype::kBoolean:
    case Dtype::kBytes:
    case Dtype::kBit:
      return 1;
    case Dtype::kUint16:
    case Dtype::kInt16:
      return 2;
    case Dtype::kUint32:
    case Dtype::kInt32:
    case Dtype::kFloat32:
      return 4;
    case Dtype::kUint64:
    case Dtype::kInt64:
    case Dtype::kFloat64:
      return 8;
    case Dtype::kUnknown:
      break;
  }
  return 0;
}

/// The C++ type behind a Dtype: `dtype_of<float>` is Dtype::kFloat32. Plain `char` and long double
/// have none.
template <class T>
inline constexpr Dtype dtype_of = Dtype::kUnknown;
template <>
inline constexpr Dtype dtype_of<std::uint8_t> = Dtype::kUint8;
template <>
inline constexpr Dtype dtype_of<std::int8_t> = Dtype::kInt8;
template <>
inline constexpr Dtype dtype_of<std::uint16_t> = Dtype::kUint16;
template <>
inline constexpr Dtype dtype_of<std::int16_t> = Dtype::kInt16;
template <>
inline constexpr Dtype dtype_of<std::uint32_t> = Dtype::kUint32;
template <>
inline constexpr Dtype dtype_of<std::int32_t> = Dtype::kInt32;
template <>
inline constexpr Dtype dtype_of<std::uint64_t> = Dtype::kUint64;
template <>
inline constexpr Dtype dtype_of<std::int64_t> = Dtype::kInt64;
template <>
inline constexpr Dtype dtype_of<float> = Dtype::kFloat32;
template <>
inline constexpr Dtype dtype_of<double> = Dtype::kFloat64;
template <>
inline constexpr Dtype dtype_of<bool> = Dtype::kBoolean;
template <>
inline constexpr Dtype dtype_of<std::byte> = Dtype::kBytes;
template <class T>
inline constexpr Dtype dtype_of<const T> = dtype_of<T>;

/// `uint16`, `float32`, …: NumPy's names where NumPy has one.
[[nodiscard]] TENSORPOOL_EXPORT std::string_view to_string(Dtype dtype) noexcept;
[[nodiscard]] TENSORPOOL_EXPORT std::string_view to_string(MajorOrder order) noexcept;

/// Reads a name (`uint16`, `u2`, `<u2`, `f4`, `float32`); Dtype::kUnknown when it is none.
[[nodiscard]] TENSORPOOL_EXPORT Dtype dtype_from_string(std::string_view name) noexcept;

}  // namespace tensorpool::inline v0
