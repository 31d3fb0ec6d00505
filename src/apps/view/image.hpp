// A frame as an image: which of its elements are rows and columns, and what a pixel is worth.
//
// For `tp view`. Pure. The bytes have been copied and confirmed; their description was checked by
// the library, and is checked against the number of bytes here.
//
// The last two dimensions are rows and columns, those before them choose a plane. Where the last
// one counts colours (3 or 4 of them, or what `pixel_format` says), it is the two before it. One
// dimension is one row.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "apps/sources/pixel_format.hpp"
#include "tensorpool/types/error.hpp"
#include "tensorpool/types/metadata.hpp"
#include "tensorpool/types/tensor_info.hpp"

namespace tensorpool::inline v0::apps::view {

struct ImageOptions {
  /// What the elements mean; empty: by the shape.
  std::optional<sources::Colour> colour = {};
  /// Where they are of a type that the wire has no number for.
  std::optional<ExtendedDtype> extended = {};
  /// Index in each dimension before rows and columns; what is missing is 0.
  std::vector<std::uint64_t> plane = {};
};

/// `mono`, `rgb`, `bgr`, `yuyv`, `uyvy`, `rggb`, `bggr`, `grbg`, `gbrg`.
[[nodiscard]] std::optional<sources::Colour> parse_colour(std::string_view text) noexcept;

/// `3` or `2,0`: an index for each dimension.
[[nodiscard]] std::optional<std::vector<std::uint64_t>> parse_plane(std::string_view text);

/// Red, green, blue; of a mono image all the same.
using Pixel = std::array<double, 3>;

class Image {
 public:
  /// Precondition: `bytes` outlive the image. Errors: kInvalidArgument for a plane that is not
  /// there, a frame without elements, or what cannot be shown; kExtentExceedsPayload.
  [[nodiscard]] static Result<Image> create(const TensorInfo& info,
                                            std::span<const std::byte> bytes,
                                            const ImageOptions& options);

  /// Pixels; of a Bayer mosaic, four elements make one.
  [[nodiscard]] std::size_t rows() const noexcept { return rows_; }
  [[nodiscard]] std::size_t columns() const noexcept { return columns_; }
  [[nodiscard]] bool is_mono() const noexcept { return colour_ == sources::Colour::kMono; }
  /// Extents of the dimensions before rows and columns, and the number of planes that they make.
  [[nodiscard]] const std::vector<std::uint64_t>& plane_extents() const noexcept {
    return plane_extents_;
  }
  [[nodiscard]] std::uint64_t planes() const noexcept { return planes_; }

  /// Precondition: row < rows(), column < columns().
  [[nodiscard]] Pixel at(std::size_t row, std::size_t column) const noexcept;
  /// The value that a mono image shows, and the brightness of others. May be NaN.
  [[nodiscard]] double value_at(std::size_t row, std::size_t column) const noexcept;

 private:
  Image() = default;
  [[nodiscard]] double element(std::size_t row, std::size_t column,
                               std::size_t channel) const noexcept;

  std::span<const std::byte> bytes_;
  Dtype dtype_ = Dtype::kUint8;
  std::optional<ExtendedDtype> extended_;
  sources::Colour colour_ = sources::Colour::kMono;
  std::size_t rows_ = 0;
  std::size_t columns_ = 0;
  std::vector<std::uint64_t> plane_extents_;
  std::uint64_t planes_ = 1;
  std::int64_t start_ = 0;  // bytes before the plane
  std::int64_t row_stride_ = 0;
  std::int64_t column_stride_ = 0;
  std::int64_t channel_stride_ = 0;
};

}  // namespace tensorpool::inline v0::apps::view
