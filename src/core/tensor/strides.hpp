// Stride inference and validation of a tensor description. Pure. Spec: §1.4.2, §1.4.3 (W52..W71).
//
// Both sides use the same rules: a producer before it takes a sequence number (W184), a consumer on
// its private copy of the header (W268).
#pragma once

#include <cstdint>

#include "tensorpool/types/error.hpp"
#include "tensorpool/types/tensor_info.hpp"

namespace tensorpool::inline v0::core::tensor {

/// What is known of a tensor once its description has passed.
struct Layout {
  TensorInfo info;  ///< with effective strides, and zeros at and above ndims
  /// From the first byte of the first element to the end of the last (W66); 2^64-1 when it is more.
  std::uint64_t extent_bytes = 0;
  bool contiguous = false;  ///< every stride is the required one (W64)
};

/// Checks `info` and infers its strides. The failing field is named by `Error::field`; the code is
/// always Errc::kInvalidParams, which a consumer counts as header_invalid.
///
/// Rules: W52..W55, W57..W64, W66, W68..W71. `progress_stride_bytes` of the result is 0 when the
/// unit is NONE.
[[nodiscard]] Result<Layout> resolve(const TensorInfo& info) noexcept;

}  // namespace tensorpool::inline v0::core::tensor
