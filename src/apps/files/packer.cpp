#include "apps/files/packer.hpp"

#include <cstring>

#include "core/tensor/strides.hpp"

namespace tensorpool::inline v0::apps::files {
namespace {

/// Copies the elements below dimension number `depth`, counted from the slowest; returns the end of
/// what was written.
std::byte* copy_dense(const TensorInfo& info, std::size_t depth, const std::byte* from,
                      std::byte* to) {
  const std::size_t k = info.order == MajorOrder::kRow ? depth : info.ndims - 1U - depth;
  const std::size_t element = element_bytes(info.dtype);
  const auto extent = static_cast<std::size_t>(info.dims[k]);
  const auto stride = static_cast<std::size_t>(info.strides[k]);
  const bool fastest = depth + 1U == info.ndims;
  if (fastest && stride == element) {
    std::memcpy(to, from, extent * element);
    return to + extent * element;
  }
  for (std::size_t i = 0; i < extent; ++i, from += stride) {
    if (fastest) {
      std::memcpy(to, from, element);
      to += element;
    } else {
      to = copy_dense(info, depth + 1, from, to);
    }
  }
  return to;
}

}  // namespace

Result<PackedFrame> Packer::pack(const TensorInfo& info, FrameBytes bytes) {
  const auto layout = core::tensor::resolve(info);
  if (!layout) {
    return fail(layout.error());
  }
  PackedFrame packed;
  packed.info = TensorInfo::packed(info.dtype, info.shape());
  packed.info.order = info.order;
  if (info.dtype == Dtype::kBit) {  // eight elements a byte: shorter than its extent (W66)
    packed.bytes = bytes;
    return packed;
  }
  if (bytes.size() < layout->extent_bytes) {
    return fail(Errc::kExtentExceedsPayload, "frame", bytes.size(), layout->extent_bytes);
  }
  packed.bytes = bytes.first(layout->extent_bytes);
  if (!layout->contiguous && layout->extent_bytes > 0) {
    buffer_.resize(layout->extent_bytes);  // dense is never longer
    const std::byte* end = copy_dense(layout->info, 0, bytes.data(), buffer_.data());
    packed.bytes = FrameBytes(buffer_.data(), end);
  }
  return packed;
}

Result<PackedFrame> Packer::pack_alike(const TensorInfo& info, FrameBytes bytes) {
  auto packed = pack(info, bytes);
  if (!packed) {
    return packed;
  }
  if (first_ && *first_ != packed->info) {
    return fail(Errc::kShapeChanged, "frame", packed->bytes.size());
  }
  first_ = packed->info;
  return packed;
}

}  // namespace tensorpool::inline v0::apps::files
