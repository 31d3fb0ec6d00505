// Brings the frames of a sink into dense form, and sees to it that they are all of one kind.
#pragma once

#include <cstddef>
#include <optional>
#include <vector>

#include "apps/files/format.hpp"
#include "tensorpool/types/error.hpp"
#include "tensorpool/types/tensor_info.hpp"

namespace tensorpool::inline v0::apps::files {

/// A frame without gaps. `bytes` are the given ones or the packer's, valid until its next call.
struct PackedFrame {
  TensorInfo info;  ///< as frame_format makes it: no strides, no progress
  FrameBytes bytes;
};

class Packer {
 public:
  /// Errc::kExtentExceedsPayload when `bytes` is shorter than the shape demands,
  /// Errc::kInvalidParams for an impossible one. Bytes behind the last element are cut off.
  [[nodiscard]] Result<PackedFrame> pack(const TensorInfo& info, FrameBytes bytes);

  /// As `pack`; Errc::kShapeChanged when a frame differs from the first one in type, order or
  /// shape.
  [[nodiscard]] Result<PackedFrame> pack_alike(const TensorInfo& info, FrameBytes bytes);

 private:
  std::optional<TensorInfo> first_;
  std::vector<std::byte> buffer_;
};

}  // namespace tensorpool::inline v0::apps::files
