// Elements of types that the wire has no number for: they travel as something else, and the
// attribute `tensorpool.dtype` says what they are (types/metadata.hpp).
//
//     producer.set_metadata({Attribute::text(kDtypeAttribute, "complex64")});
//     producer.publish(carrier_info<std::complex<float>>({480, 640}), bytes);
//     auto field = frame.as<std::complex<float>>();      // refused without the attribute
#pragma once

#include <array>
#include <bit>
#include <complex>
#include <cstdint>
#include <initializer_list>
#include <span>

#include "tensorpool/types/dtype.hpp"
#include "tensorpool/types/metadata.hpp"
#include "tensorpool/types/tensor_info.hpp"

namespace tensorpool::inline v0 {

/// IEEE 754 binary16, as it lies in memory.
struct Float16 {
  std::uint16_t bits = 0;

  [[nodiscard]] TENSORPOOL_EXPORT float to_float() const noexcept;
  /// To the nearest, ties to even; too large becomes infinite.
  [[nodiscard]] TENSORPOOL_EXPORT static Float16 from(float value) noexcept;
  friend constexpr bool operator==(Float16, Float16) = default;
};

/// The upper half of an IEEE 754 binary32, as it lies in memory.
struct Bfloat16 {
  std::uint16_t bits = 0;

  [[nodiscard]] constexpr float to_float() const noexcept {
    return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16U);
  }
  /// To the nearest, ties to even.
  [[nodiscard]] TENSORPOOL_EXPORT static Bfloat16 from(float value) noexcept;
  friend constexpr bool operator==(Bfloat16, Bfloat16) = default;
};

namespace detail {

/// What carries an element of type T; for the types of the wire, they themselves.
template <class T>
struct Carrier {
  static constexpr bool kExtended = false;
  static constexpr Dtype kDtype = dtype_of<T>;
  static constexpr std::size_t kMoreDims = 0;
};
template <class T>
struct Carrier<const T> : Carrier<T> {};

template <ExtendedDtype kIs, Dtype kBy, std::size_t kMore>
struct ExtendedCarrier {
  static constexpr bool kExtended = true;
  static constexpr ExtendedDtype kType = kIs;
  static constexpr Dtype kDtype = kBy;
  static constexpr std::size_t kMoreDims = kMore;  ///< in row order, of sizeof(T) bytes
};
template <>
struct Carrier<Float16> : ExtendedCarrier<ExtendedDtype::kFloat16, Dtype::kUint16, 0> {};
template <>
struct Carrier<Bfloat16> : ExtendedCarrier<ExtendedDtype::kBfloat16, Dtype::kUint16, 0> {};
template <>
struct Carrier<std::complex<float>> : ExtendedCarrier<ExtendedDtype::kComplex64, Dtype::kBytes, 1> {
};
template <>
struct Carrier<std::complex<double>>
    : ExtendedCarrier<ExtendedDtype::kComplex128, Dtype::kBytes, 1> {};

}  // namespace detail

/// True for Float16, Bfloat16 and std::complex of float and double.
template <class T>
inline constexpr bool is_extended_element = detail::Carrier<T>::kExtended;

/// The densely packed tensor that carries elements of type T in `shape`.
template <class T>
[[nodiscard]] constexpr TensorInfo carrier_info(std::span<const std::int32_t> shape) noexcept {
  TensorInfo info = TensorInfo::packed(detail::Carrier<T>::kDtype, shape);
  if constexpr (detail::Carrier<T>::kMoreDims != 0) {
    if (info.ndims < kMaxDims) {
      info.dims[info.ndims++] = static_cast<std::int32_t>(sizeof(T));
    } else {
      info.ndims = kMaxDims + 1;  // publish refuses it
    }
  }
  return info;
}
template <class T>
[[nodiscard]] constexpr TensorInfo carrier_info(
    std::initializer_list<std::int32_t> shape) noexcept {
  return carrier_info<T>(std::span<const std::int32_t>(shape.begin(), shape.size()));
}

}  // namespace tensorpool::inline v0
