// Shape and layout of one tensor, without its bytes. Spec: §1.3.2, §1.4.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <span>

#include "tensorpool/types/dtype.hpp"

namespace tensorpool::inline v0 {

/// Largest number of dimensions; a constant of the memory layout (W36).
inline constexpr std::size_t kMaxDims = 8;

/// What a frame's bytes mean. `strides` of 0 are inferred (W61); a frame that a consumer was handed
/// always has its effective strides here. Entries at and above `ndims` mean nothing (W57).
struct TensorInfo {
  Dtype dtype = Dtype::kUnknown;
  MajorOrder order = MajorOrder::kRow;
  std::uint8_t ndims = 0;
  ProgressUnit progress_unit = ProgressUnit::kNone;
  std::uint32_t progress_stride_bytes = 0;
  std::array<std::int32_t, kMaxDims> dims{};  ///< Elements along each dimension.
  /// Bytes from one element to the next along each dimension. Wider than the wire's 32 bits: a
  /// foreign producer may leave a stride to be inferred that does not fit; publish refuses such a
  /// tensor (W65).
  std::array<std::int64_t, kMaxDims> strides{};

  /// A densely packed row-major tensor. More than kMaxDims extents are cut off and then refused by
  /// publish.
  [[nodiscard]] static constexpr TensorInfo packed(
      Dtype dtype, std::initializer_list<std::int32_t> shape) noexcept {
    return packed(dtype, std::span<const std::int32_t>(shape.begin(), shape.size()));
  }
  [[nodiscard]] static constexpr TensorInfo packed(Dtype dtype,
                                                   std::span<const std::int32_t> shape) noexcept {
    TensorInfo info;
    info.dtype = dtype;
    info.ndims = static_cast<std::uint8_t>(shape.size() <= kMaxDims ? shape.size() : kMaxDims + 1);
    for (std::size_t k = 0; k < shape.size() && k < kMaxDims; ++k) {
      info.dims[k] = shape[k];
    }
    return info;
  }

  [[nodiscard]] constexpr std::span<const std::int32_t> shape() const noexcept {
    return {dims.data(), ndims <= kMaxDims ? ndims : kMaxDims};
  }

  friend constexpr bool operator==(const TensorInfo&, const TensorInfo&) = default;
};

}  // namespace tensorpool::inline v0
