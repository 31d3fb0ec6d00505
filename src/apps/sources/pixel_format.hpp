// What cameras call the layout of a pixel: V4L2's four letters, as tensors.
//
// For the sources, which publish such frames with the letters as attribute `pixel_format`, and for
// whoever shows them. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "tensorpool/types/dtype.hpp"
#include "tensorpool/types/error.hpp"
#include "tensorpool/types/tensor_info.hpp"

namespace tensorpool::inline v0::apps::sources {

inline constexpr std::string_view kPixelFormatAttribute = "pixel_format";

/// What the elements of a frame mean.
enum class Colour : std::uint8_t {
  kMono,
  kRgb,
  kBgr,
  kYuyv,  ///< pairs of pixels: Y U, Y V
  kUyvy,
  kBayerRggb,  ///< the four letters are the first two pixels of the first two rows
  kBayerBggr,
  kBayerGrbg,
  kBayerGbrg,
  kCompressed,  ///< bytes, as many as it takes
};

struct PixelFormat {
  std::string_view name;  ///< as V4L2 spells it, without spaces at its end
  Dtype dtype = Dtype::kUint8;
  std::uint8_t channels = 1;  ///< elements of a pixel; above one they are a dimension of their own
  Colour colour = Colour::kMono;
};

/// All that can be published.
[[nodiscard]] std::span<const PixelFormat> pixel_formats() noexcept;
[[nodiscard]] std::optional<PixelFormat> find_pixel_format(std::string_view name) noexcept;

/// The code of a name, padded with spaces.
[[nodiscard]] std::uint32_t fourcc_of(std::string_view name) noexcept;
/// Unprintable letters are shown as `?`.
[[nodiscard]] std::string fourcc_name(std::uint32_t code);

/// An image; with `row_bytes` where that is more than its pixels take. kInvalidArgument for sides
/// that no tensor has, or rows that are too short.
[[nodiscard]] Result<TensorInfo> image_info(const PixelFormat& format, std::uint32_t rows,
                                            std::uint32_t columns, std::uint32_t row_bytes = 0);

}  // namespace tensorpool::inline v0::apps::sources
