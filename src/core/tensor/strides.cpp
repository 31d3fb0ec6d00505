#include "core/tensor/strides.hpp"

#include <algorithm>
#include <limits>

namespace tensorpool::inline v0::core::tensor {
namespace {

/// Holds every product of an extent and a stride, so that no step overflows unseen.
__extension__ using Wide = __int128;

[[nodiscard]] tl::unexpected<Error> refuse(Field field, std::int64_t value,
                                           std::uint64_t limit) noexcept {
  Error error =
      make_error(Errc::kInvalidParams, to_string(field), static_cast<std::uint64_t>(value), limit);
  error.of_field(field);
  return tl::unexpected<Error>(error);
}

[[nodiscard]] Status check_registries(const TensorInfo& info) noexcept {
  if (element_bytes(info.dtype) == 0) {
    return refuse(Field::kDtype, static_cast<std::int64_t>(info.dtype), 0);  // W52
  }
  if (info.order != MajorOrder::kRow && info.order != MajorOrder::kColumn) {
    return refuse(Field::kMajorOrder, static_cast<std::int64_t>(info.order), 0);  // W53
  }
  if (info.progress_unit > ProgressUnit::kColumns) {
    return refuse(Field::kProgressUnit, static_cast<std::int64_t>(info.progress_unit), 0);  // W54
  }
  if (info.ndims == 0 || info.ndims > kMaxDims) {
    return refuse(Field::kNdims, info.ndims, kMaxDims);  // W55
  }
  return {};
}

// W68, W69; W71: with NONE the value means nothing.
[[nodiscard]] Status check_progress(const TensorInfo& given, const TensorInfo& effective) noexcept {
  if (given.progress_unit == ProgressUnit::kNone) {
    return {};
  }
  const std::size_t along = given.progress_unit == ProgressUnit::kRows ? 0 : 1;
  if (along >= given.ndims) {
    return refuse(Field::kProgressUnit, given.ndims, 2);
  }
  const std::int64_t expected = effective.strides[along];
  if (given.progress_stride_bytes == 0 || given.progress_stride_bytes != expected) {
    return refuse(Field::kProgressStrideBytes, given.progress_stride_bytes,
                  static_cast<std::uint64_t>(expected));
  }
  return {};
}

}  // namespace

Result<Layout> resolve(const TensorInfo& info) noexcept {
  if (const Status registries = check_registries(info); !registries) {
    return fail(registries.error());
  }
  const auto element = static_cast<std::int64_t>(element_bytes(info.dtype));
  const std::size_t count = info.ndims;

  Layout layout;
  layout.info.dtype = info.dtype;
  layout.info.order = info.order;
  layout.info.ndims = info.ndims;
  layout.contiguous = true;
  bool empty = false;
  Wide extent_bytes = element;  // at most 8 terms below 2^94

  Wide required = element;
  for (std::size_t step = 0; step < count; ++step) {
    // ROW: the last dimension varies fastest; COLUMN: the first.
    const std::size_t k = info.order == MajorOrder::kRow ? count - 1 - step : step;
    const std::int64_t extent = info.dims[k];
    if (extent < 0) {
      return refuse(Field::kDims, extent, std::numeric_limits<std::int32_t>::max());  // W58
    }
    if (info.strides[k] < 0) {
      return refuse(Field::kStrides, info.strides[k],
                    std::numeric_limits<std::int32_t>::max());  // W59
    }
    if (required > std::numeric_limits<std::int64_t>::max()) {
      return refuse(Field::kDims, extent, 0);  // W63
    }
    const auto least = static_cast<std::int64_t>(required);
    const std::int64_t stride = info.strides[k] == 0 ? least : info.strides[k];  // W61
    if (stride < least) {
      return refuse(Field::kStrides, stride, static_cast<std::uint64_t>(least));  // W62
    }
    layout.contiguous = layout.contiguous && stride == least;  // W64
    layout.info.dims[k] = info.dims[k];
    layout.info.strides[k] = stride;
    empty = empty || extent == 0;  // W60
    const Wide occupied = std::max<std::int64_t>(extent, 1);
    extent_bytes += (occupied - 1) * stride;
    required = occupied * stride;
  }
  // An extent beyond 64 bits is longer than every payload; the strides are valid nevertheless.
  constexpr Wide kExtentMax = std::numeric_limits<std::uint64_t>::max();
  layout.extent_bytes = empty ? 0 : static_cast<std::uint64_t>(std::min(extent_bytes, kExtentMax));

  if (const Status progress = check_progress(info, layout.info); !progress) {
    return fail(progress.error());
  }
  layout.info.progress_unit = info.progress_unit;
  layout.info.progress_stride_bytes =
      info.progress_unit == ProgressUnit::kNone ? 0 : info.progress_stride_bytes;
  return layout;
}

}  // namespace tensorpool::inline v0::core::tensor
