// From an image to what a terminal shows: values to colours, pixels to character cells. Pure.
//
//     measure(image)  ->  Statistics      of up to 65536 values, evenly spread
//     Shading         ->  which value is dark, which is bright, and in which colours
//     draw(...)       ->  Raster          as many pixels as there is room for, each a mean
//     to_lines(...)   ->  text            two pixels a cell, one above the other
//
// An image that is larger than its room is averaged over at most 16 of its pixels for each one
// shown; one that is smaller is enlarged in whole pixels' blocks.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "apps/view/image.hpp"

namespace tensorpool::inline v0::apps::view {

/// Of the finite values.
struct Statistics {
  static constexpr std::size_t kBins = 64;

  double min = 0;
  double max = 0;
  double mean = 0;
  double low = 0;   ///< below it lies half a percent
  double high = 0;  ///< above it lies half a percent
  std::size_t measured = 0;
  std::size_t not_finite = 0;
  std::array<std::uint32_t, kBins> histogram = {};  ///< from min to max
};

[[nodiscard]] Statistics measure(const Image& image);

/// Which values are shown as the darkest and the brightest.
enum class Stretch : std::uint8_t {
  kPercentiles,  ///< all but half a percent at each end
  kFull,         ///< from the least to the greatest
  kFixed,        ///< as given
};

enum class Palette : std::uint8_t { kGrey, kViridis, kHot, kRainbow };
inline constexpr std::size_t kPaletteCount = 4;

/// `grey`, `viridis`, `hot`, `rainbow`.
[[nodiscard]] std::optional<Palette> parse_palette(std::string_view text) noexcept;
[[nodiscard]] std::string_view to_string(Palette palette) noexcept;

struct ShadingOptions {
  Stretch stretch = Stretch::kPercentiles;
  double low = 0;  ///< of kFixed
  double high = 1;
  bool logarithmic = false;
  Palette palette = Palette::kGrey;  ///< of mono images
};

struct Rgb {
  std::uint8_t red = 0;
  std::uint8_t green = 0;
  std::uint8_t blue = 0;
  friend bool operator==(const Rgb&, const Rgb&) = default;
};

/// Values to colours.
class Shading {
 public:
  Shading(const ShadingOptions& options, const Statistics& statistics) noexcept;

  /// 0 for what is at or below low(), 1 for what is at or above high(); 0 for NaN.
  [[nodiscard]] double brightness(double value) const noexcept;
  [[nodiscard]] Rgb colour(const Pixel& pixel, bool mono) const noexcept;
  [[nodiscard]] double low() const noexcept { return low_; }
  [[nodiscard]] double high() const noexcept { return high_; }

 private:
  double low_;
  double high_;
  bool logarithmic_;
  Palette palette_;
};

/// Pixels, row by row.
struct Raster {
  std::size_t rows = 0;
  std::size_t columns = 0;
  std::vector<Rgb> pixels = {};

  [[nodiscard]] const Rgb& at(std::size_t row, std::size_t column) const noexcept {
    return pixels[row * columns + column];
  }
};

/// The largest raster of the image's proportions that fits in the room. At least one pixel.
[[nodiscard]] Raster draw(const Image& image, const Shading& shading, std::size_t rows_max,
                          std::size_t columns_max);
/// Pixel by pixel, as it is.
[[nodiscard]] Raster draw(const Image& image, const Shading& shading);

/// What a terminal can show.
enum class Depth : std::uint8_t {
  kTrueColour,  ///< 24 bits
  k256,         ///< the cube of xterm
  kText,        ///< brightness as letters
};
/// What the environment says: COLORTERM, TERM, NO_COLOR. Null for what is not set.
[[nodiscard]] Depth depth_of(const char* colorterm, const char* term,
                             const char* no_color) noexcept;

/// One line of text for two rows, without line ends. `cursor` is a pixel to be marked.
struct Cursor {
  std::size_t row = 0;
  std::size_t column = 0;
};
[[nodiscard]] std::vector<std::string> to_lines(const Raster& raster, Depth depth,
                                                std::optional<Cursor> cursor = {});

/// The number of the xterm colour that comes nearest.
[[nodiscard]] std::uint8_t nearest_of_256(Rgb colour) noexcept;

/// Blocks of eight heights, one for each column; the highest bin is full.
[[nodiscard]] std::string histogram_line(const Statistics& statistics, std::size_t columns);

}  // namespace tensorpool::inline v0::apps::view
