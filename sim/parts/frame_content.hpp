// What frame `seq` of an epoch holds: a function of both, so that a mixed or foreign frame is
// recognised by whoever reads it, without any memory of what was written.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <span>

#include "base/random.hpp"
#include "parts/plans.hpp"
#include "tensorpool/types/tensor_info.hpp"

namespace tensorpool::inline v0::sim {

class FrameContent {
 public:
  static constexpr std::size_t kWordsMax = 32;

  FrameContent(const Geometry& geometry, std::uint64_t epoch, std::uint64_t seq) noexcept
      : base_(base::Random(epoch ^ (seq * 0xD1B5'4A32'D192'ED03ULL)).next()),
        timestamp_ns_(epoch + seq * 1000),
        meta_version_(static_cast<std::uint32_t>(base_ >> 40U)) {
    // Frames of one shape period share a description.
    base::Random shape(epoch ^ (seq / geometry.shape_period * 0xA24B'AED4'963E'E407ULL));
    const std::uint32_t stride = geometry.strides[shape.below(geometry.strides.size())];
    words_ = static_cast<std::uint32_t>(shape.between(1, stride / 8));
    info_.dtype = Dtype::kUint64;
    info_.order = MajorOrder::kRow;
    info_.ndims = static_cast<std::uint8_t>(shape.between(1, kMaxDims));
    info_.dims.fill(0);
    for (std::size_t k = 0; k < info_.ndims; ++k) {
      info_.dims[k] = 1;
    }
    info_.dims[shape.below(info_.ndims)] = static_cast<std::int32_t>(words_);
  }

  [[nodiscard]] const TensorInfo& info() const noexcept { return info_; }
  [[nodiscard]] std::uint64_t timestamp_ns() const noexcept { return timestamp_ns_; }
  [[nodiscard]] std::uint32_t meta_version() const noexcept { return meta_version_; }
  [[nodiscard]] std::uint32_t words() const noexcept { return words_; }
  [[nodiscard]] std::uint32_t bytes() const noexcept { return words_ * 8; }
  [[nodiscard]] std::uint64_t word(std::uint32_t index) const noexcept {
    return base_ + index * 0xC2B2'AE3D'27D4'EB4FULL;
  }
  /// All payload words, as a caller of publish has them.
  void fill(std::span<std::uint64_t, kWordsMax> out) const noexcept {
    for (std::uint32_t k = 0; k < words_; ++k) {
      out[k] = word(k);
    }
  }

 private:
  std::uint64_t base_;
  std::uint64_t timestamp_ns_;
  std::uint32_t meta_version_;
  std::uint32_t words_ = 0;
  TensorInfo info_;
};

}  // namespace tensorpool::inline v0::sim
