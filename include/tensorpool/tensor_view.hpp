// A typed, n-dimensional look at bytes that somebody else owns.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <type_traits>

#include "tensorpool/types/error.hpp"
#include "tensorpool/types/extended_element.hpp"
#include "tensorpool/types/tensor_info.hpp"

namespace tensorpool::inline v0 {

/// Elements of type `T` (const for frames that are read) with shape and strides. Copies nothing.
///
/// Lifetime: that of the bytes. For a frame that is read in place, results count only when the
/// frame's `still_valid()` returned true after the last element was read (W171).
template <class T>
class TensorView {
 public:
  using value_type = std::remove_const_t<T>;

  /// Checks type, extent (W66) and alignment (W67): kDtypeMismatch, kExtentExceedsPayload,
  /// kMisaligned. Precondition: `info` holds effective strides and `extent_bytes` is their extent,
  /// as in a received frame. Of types that the wire lacks it sees the carrier only; that elements
  /// are of type T is then the caller's knowledge.
  [[nodiscard]] static Result<TensorView> create(
      const TensorInfo& info, std::uint64_t extent_bytes,
      std::span<std::conditional_t<std::is_const_v<T>, const std::byte, std::byte>>
          bytes) noexcept {
    constexpr Dtype kCarrier = detail::Carrier<T>::kDtype;
    if (info.dtype != kCarrier || !carries_whole_elements(info)) {
      return fail(Errc::kDtypeMismatch, to_string(info.dtype),
                  static_cast<std::uint64_t>(info.dtype), static_cast<std::uint64_t>(kCarrier));
    }
    TensorInfo elements = info;
    elements.ndims = static_cast<std::uint8_t>(info.ndims - detail::Carrier<T>::kMoreDims);
    if (extent_bytes > bytes.size()) {
      return fail(Errc::kExtentExceedsPayload, "tensor extent", extent_bytes, bytes.size());
    }
    bool aligned = reinterpret_cast<std::uintptr_t>(bytes.data()) % alignof(T) == 0;
    for (std::size_t k = 0; k < elements.ndims; ++k) {
      aligned = aligned && info.strides[k] % static_cast<std::int64_t>(alignof(T)) == 0;
    }
    if (!aligned) {
      return fail(Errc::kMisaligned, "strides or payload address", 0, alignof(T));
    }
    return TensorView(elements, reinterpret_cast<T*>(bytes.data()));
  }

  [[nodiscard]] std::size_t ndims() const noexcept { return info_.ndims; }
  /// Elements along dimension `k`. Precondition: k < ndims().
  [[nodiscard]] std::int32_t extent(std::size_t k) const noexcept { return info_.dims[k]; }
  [[nodiscard]] std::span<const std::int32_t> shape() const noexcept { return info_.shape(); }
  /// Bytes from one element to the next along dimension `k`. Precondition: k < ndims().
  [[nodiscard]] std::int64_t stride_bytes(std::size_t k) const noexcept { return info_.strides[k]; }

  /// Number of elements; 0 when any extent is 0.
  [[nodiscard]] std::size_t size() const noexcept {
    std::size_t count = 1;
    for (const std::int32_t extent : info_.shape()) {
      count *= static_cast<std::size_t>(extent);
    }
    return count;
  }

  /// One element. Precondition: as many indices as dimensions, each below its extent.
  template <class... Index>
  [[nodiscard]] T& operator()(Index... index) const noexcept {
    static_assert((std::is_integral_v<Index> && ...));
    const std::int64_t at[] = {static_cast<std::int64_t>(index)...};
    std::int64_t offset = 0;
    for (std::size_t k = 0; k < sizeof...(Index); ++k) {
      offset += at[k] * info_.strides[k];
    }
    using Byte = std::conditional_t<std::is_const_v<T>, const std::byte, std::byte>;
    return *reinterpret_cast<T*>(reinterpret_cast<Byte*>(data_) + offset);
  }

  /// First element. The rest lies as the strides say; densely packed only if the frame is
  /// contiguous.
  [[nodiscard]] T* data() const noexcept { return data_; }

 private:
  /// Where an element is a row of bytes: rows of its size, without holes.
  [[nodiscard]] static bool carries_whole_elements(const TensorInfo& info) noexcept {
    constexpr std::size_t kMore = detail::Carrier<T>::kMoreDims;
    return kMore == 0 || (info.ndims >= kMore && info.order != MajorOrder::kColumn &&
                          info.dims[info.ndims - 1] == static_cast<std::int32_t>(sizeof(T)) &&
                          info.strides[info.ndims - 1] == 1);
  }

  TensorView(const TensorInfo& info, T* data) noexcept : info_(info), data_(data) {}

  TensorInfo info_;
  T* data_;
};

}  // namespace tensorpool::inline v0
