// RapidCheck's source of tensor descriptions, valid and not.
#pragma once

#include <rapidcheck.h>

#include <cstdint>
#include <limits>
#include <vector>

#include "tensorpool/types/tensor_info.hpp"

namespace tensorpool::test {

/// Extents and strides near each limit, and small ones that make valid tensors likely.
[[nodiscard]] inline rc::Gen<TensorInfo> any_tensor() {
  constexpr std::int32_t kMost = std::numeric_limits<std::int32_t>::max();
  return rc::gen::exec([] {
    const auto extent = rc::gen::weightedOneOf<std::int32_t>(
        {{8, rc::gen::inRange<std::int32_t>(0, 6)},
         {2, rc::gen::elementOf(std::vector<std::int32_t>{kMost, kMost - 1, 1 << 16, 1 << 30})},
         {1, rc::gen::arbitrary<std::int32_t>()}});
    TensorInfo info;
    info.dtype = *rc::gen::element(Dtype::kUint8, Dtype::kInt16, Dtype::kFloat32, Dtype::kInt64);
    info.order = *rc::gen::element(MajorOrder::kRow, MajorOrder::kColumn);
    info.ndims = *rc::gen::inRange<std::uint8_t>(1, kMaxDims + 1);
    for (std::size_t k = 0; k < kMaxDims; ++k) {
      info.dims[k] = *extent;
      info.strides[k] = *rc::gen::weightedOneOf<std::int64_t>(
          {{8, rc::gen::just<std::int64_t>(0)},
           {2, rc::gen::inRange<std::int64_t>(-2, 5000)},
           {1, rc::gen::elementOf(std::vector<std::int64_t>{kMost, std::int64_t{1} << 62})}});
    }
    info.progress_unit = *rc::gen::weightedElement<ProgressUnit>(
        {{6, ProgressUnit::kNone}, {1, ProgressUnit::kRows}, {1, ProgressUnit::kColumns}});
    info.progress_stride_bytes = *rc::gen::inRange<std::uint32_t>(0, 64);
    return info;
  });
}

}  // namespace tensorpool::test
