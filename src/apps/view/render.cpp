#include "apps/view/render.hpp"

#include <algorithm>
#include <cmath>
#include <span>
#include <utility>

namespace tensorpool::inline v0::apps::view {
namespace {

constexpr std::size_t kMeasuredMax = 65'536;
constexpr double kTail = 0.005;
constexpr std::size_t kSamplesPerSide = 4;
constexpr double kLogSpan = 1000;  // brightest to darkest of a logarithmic stretch

constexpr Rgb kGreyStops[] = {{0, 0, 0}, {255, 255, 255}};
constexpr Rgb kViridisStops[] = {{68, 1, 84},    {72, 40, 120},  {62, 74, 137},  {49, 104, 142},
                                 {38, 130, 142}, {31, 158, 137}, {53, 183, 121}, {109, 205, 89},
                                 {180, 222, 44}, {253, 231, 37}};
constexpr Rgb kHotStops[] = {{0, 0, 0}, {230, 0, 0}, {255, 210, 0}, {255, 255, 255}};
constexpr Rgb kRainbowStops[] = {{0, 0, 128},   {0, 0, 255}, {0, 255, 255},
                                 {255, 255, 0}, {255, 0, 0}, {128, 0, 0}};

[[nodiscard]] std::span<const Rgb> stops_of(Palette palette) noexcept {
  switch (palette) {
    case Palette::kGrey:
      return kGreyStops;
    case Palette::kViridis:
      return kViridisStops;
    case Palette::kHot:
      return kHotStops;
    case Palette::kRainbow:
      return kRainbowStops;
  }
  return kGreyStops;
}

[[nodiscard]] std::uint8_t to_byte(double value) noexcept {
  return static_cast<std::uint8_t>(std::lround(std::clamp(value, 0.0, 255.0)));
}

[[nodiscard]] Rgb between(std::span<const Rgb> stops, double place) noexcept {
  const double scaled = place * static_cast<double>(stops.size() - 1);
  const std::size_t first = std::min(static_cast<std::size_t>(scaled), stops.size() - 2);
  const double share = scaled - static_cast<double>(first);
  const auto mix = [share](std::uint8_t a, std::uint8_t b) { return to_byte(a + (b - a) * share); };
  const Rgb& a = stops[first];
  const Rgb& b = stops[first + 1];
  return {mix(a.red, b.red), mix(a.green, b.green), mix(a.blue, b.blue)};
}

/// The part of an image that one pixel of a raster shows, along one side.
struct Piece {
  std::size_t begin;
  std::size_t end;
  std::size_t step;
};
[[nodiscard]] Piece piece_of(std::size_t k, std::size_t pieces, std::size_t length) noexcept {
  const std::size_t begin = k * length / pieces;
  const std::size_t end = std::max(begin + 1, (k + 1) * length / pieces);
  return {begin, end, (end - begin + kSamplesPerSide - 1) / kSamplesPerSide};
}

[[nodiscard]] Pixel mean_of(const Image& image, const Piece& rows, const Piece& columns) noexcept {
  Pixel sum{};
  std::size_t count = 0;
  for (std::size_t row = rows.begin; row < rows.end; row += rows.step) {
    for (std::size_t column = columns.begin; column < columns.end; column += columns.step) {
      const Pixel pixel = image.at(row, column);
      if (std::isfinite(pixel[0] + pixel[1] + pixel[2])) {
        for (std::size_t k = 0; k < 3; ++k) {
          sum[k] += pixel[k];
        }
        ++count;
      }
    }
  }
  for (double& part : sum) {
    part = count == 0 ? std::nan("") : part / static_cast<double>(count);
  }
  return sum;
}

[[nodiscard]] Raster draw_as(const Image& image, const Shading& shading, std::size_t rows,
                             std::size_t columns) {
  Raster raster{.rows = rows, .columns = columns};
  raster.pixels.reserve(rows * columns);
  for (std::size_t row = 0; row < rows; ++row) {
    const Piece down = piece_of(row, rows, image.rows());
    for (std::size_t column = 0; column < columns; ++column) {
      const Piece across = piece_of(column, columns, image.columns());
      raster.pixels.push_back(shading.colour(mean_of(image, down, across), image.is_mono()));
    }
  }
  return raster;
}

/// The sequence that sets a colour.
[[nodiscard]] std::string colour_code(Depth depth, Rgb colour, bool behind) {
  std::string code = behind ? "\x1b[48" : "\x1b[38";
  if (depth == Depth::k256) {
    return code + ";5;" + std::to_string(nearest_of_256(colour)) + 'm';
  }
  return code + ";2;" + std::to_string(colour.red) + ';' + std::to_string(colour.green) + ';' +
         std::to_string(colour.blue) + 'm';
}

[[nodiscard]] double luma(Rgb colour) noexcept {
  return (0.299 * colour.red + 0.587 * colour.green + 0.114 * colour.blue) / 255;
}

[[nodiscard]] Rgb inverted(Rgb colour) noexcept {
  return luma(colour) > 0.5 ? Rgb{0, 0, 0} : Rgb{255, 255, 255};
}

[[nodiscard]] std::string text_line(const Raster& raster, std::size_t row,
                                    std::optional<Cursor> cursor) {
  constexpr std::string_view kLetters = " .:-=+*#%@";
  std::string line;
  const bool pair = row + 1 < raster.rows;
  for (std::size_t column = 0; column < raster.columns; ++column) {
    const double top = luma(raster.at(row, column));
    const double mean = pair ? (top + luma(raster.at(row + 1, column))) / 2 : top;
    const bool marked = cursor && cursor->column == column && cursor->row / 2 == row / 2;
    line += marked ? 'X'
                   : kLetters[std::min(
                         static_cast<std::size_t>(mean * static_cast<double>(kLetters.size())),
                         kLetters.size() - 1)];
  }
  return line;
}

[[nodiscard]] std::string colour_line(const Raster& raster, std::size_t row, Depth depth,
                                      std::optional<Cursor> cursor) {
  std::string line;
  std::string front;
  std::string back;
  const bool pair = row + 1 < raster.rows;
  const auto set = [&](std::size_t at, std::size_t column, std::string& present, bool behind) {
    const bool marked = cursor && cursor->row == at && cursor->column == column;
    const Rgb shown = marked ? inverted(raster.at(at, column)) : raster.at(at, column);
    std::string code = colour_code(depth, shown, behind);
    if (code != present) {
      present = std::move(code);
      line += present;
    }
  };
  for (std::size_t column = 0; column < raster.columns; ++column) {
    set(row, column, front, false);
    if (pair) {
      set(row + 1, column, back, true);
    }
    line += "▀";
  }
  return line + "\x1b[0m";
}

}  // namespace

Statistics measure(const Image& image) {
  const std::size_t pixels = image.rows() * image.columns();
  const std::size_t step = (pixels + kMeasuredMax - 1) / kMeasuredMax;
  Statistics found;
  std::vector<double> values;
  values.reserve(pixels / step + 1);
  double sum = 0;
  for (std::size_t k = 0; k < pixels; k += step) {
    // Beginning elsewhere in each row, lest a step that divides the row sees one column only.
    const std::size_t row = k / image.columns();
    const double value = image.value_at(row, (k + row) % image.columns());
    if (std::isfinite(value)) {
      values.push_back(value);
      sum += value;
    } else {
      ++found.not_finite;
    }
  }
  found.measured = values.size();
  if (values.empty()) {
    return found;
  }
  std::sort(values.begin(), values.end());
  const auto at_share = [&values](double share) {
    return values[static_cast<std::size_t>(
        std::lround(share * static_cast<double>(values.size() - 1)))];
  };
  found.min = values.front();
  found.max = values.back();
  found.mean = sum / static_cast<double>(values.size());
  found.low = at_share(kTail);
  found.high = at_share(1 - kTail);
  const double width = (found.max - found.min) / Statistics::kBins;
  for (const double value : values) {
    const double bin = width > 0 ? (value - found.min) / width : 0;
    ++found.histogram[std::min(static_cast<std::size_t>(bin), Statistics::kBins - 1)];
  }
  return found;
}

std::optional<Palette> parse_palette(std::string_view text) noexcept {
  for (std::size_t k = 0; k < kPaletteCount; ++k) {
    if (to_string(static_cast<Palette>(k)) == text) {
      return static_cast<Palette>(k);
    }
  }
  return std::nullopt;
}

std::string_view to_string(Palette palette) noexcept {
  constexpr std::string_view kNames[kPaletteCount] = {"grey", "viridis", "hot", "rainbow"};
  return kNames[static_cast<std::size_t>(palette)];
}

Shading::Shading(const ShadingOptions& options, const Statistics& statistics) noexcept
    : low_(options.low),
      high_(options.high),
      logarithmic_(options.logarithmic),
      palette_(options.palette) {
  if (options.stretch != Stretch::kFixed) {
    const bool full = options.stretch == Stretch::kFull || statistics.low == statistics.high;
    low_ = full ? statistics.min : statistics.low;
    high_ = full ? statistics.max : statistics.high;
  }
}

double Shading::brightness(double value) const noexcept {
  if (!(value > low_) || !(high_ > low_)) {
    return 0;
  }
  const double share = std::min(1.0, (value - low_) / (high_ - low_));
  return logarithmic_ ? std::log1p(share * (kLogSpan - 1)) / std::log(kLogSpan) : share;
}

Rgb Shading::colour(const Pixel& pixel, bool mono) const noexcept {
  if (mono) {
    return between(stops_of(palette_), brightness(pixel[0]));
  }
  return {to_byte(255 * brightness(pixel[0])), to_byte(255 * brightness(pixel[1])),
          to_byte(255 * brightness(pixel[2]))};
}

Raster draw(const Image& image, const Shading& shading, std::size_t rows_max,
            std::size_t columns_max) {
  const auto rows = static_cast<double>(image.rows());
  const auto columns = static_cast<double>(image.columns());
  const double scale =
      std::min(static_cast<double>(rows_max) / rows, static_cast<double>(columns_max) / columns);
  const auto side = [](double length, std::size_t max) {
    return std::clamp<std::size_t>(static_cast<std::size_t>(length + 0.5), 1,
                                   std::max<std::size_t>(max, 1));
  };
  return draw_as(image, shading, side(rows * scale, rows_max), side(columns * scale, columns_max));
}

Raster draw(const Image& image, const Shading& shading) {
  return draw_as(image, shading, image.rows(), image.columns());
}

Depth depth_of(const char* colorterm, const char* term, const char* no_color) noexcept {
  const std::string_view colours = colorterm == nullptr ? "" : colorterm;
  const std::string_view kind = term == nullptr ? "" : term;
  if ((no_color != nullptr && *no_color != '\0') || kind.empty() || kind == "dumb") {
    return Depth::kText;
  }
  const bool is_true =
      colours == "truecolor" || colours == "24bit" || kind.find("direct") != std::string_view::npos;
  return is_true ? Depth::kTrueColour : Depth::k256;
}

std::vector<std::string> to_lines(const Raster& raster, Depth depth, std::optional<Cursor> cursor) {
  std::vector<std::string> lines;
  for (std::size_t row = 0; row < raster.rows; row += 2) {
    lines.push_back(depth == Depth::kText ? text_line(raster, row, cursor)
                                          : colour_line(raster, row, depth, cursor));
  }
  return lines;
}

std::uint8_t nearest_of_256(Rgb colour) noexcept {
  // A cube of 6 x 6 x 6, and 24 greys between.
  constexpr int kLevels[] = {0, 95, 135, 175, 215, 255};
  const auto level = [&](int part) {
    std::size_t best = 0;
    for (std::size_t k = 1; k < std::size(kLevels); ++k) {
      best = std::abs(kLevels[k] - part) < std::abs(kLevels[best] - part) ? k : best;
    }
    return best;
  };
  const auto distance = [&](int red, int green, int blue) {
    const int a = red - colour.red;
    const int b = green - colour.green;
    const int c = blue - colour.blue;
    return a * a + b * b + c * c;
  };
  const std::size_t red = level(colour.red);
  const std::size_t green = level(colour.green);
  const std::size_t blue = level(colour.blue);
  const int mean = (colour.red + colour.green + colour.blue) / 3;
  const int grey = std::clamp((mean - 8 + 5) / 10, 0, 23);
  const int shade = 8 + 10 * grey;
  const bool is_grey =
      distance(shade, shade, shade) < distance(kLevels[red], kLevels[green], kLevels[blue]);
  return static_cast<std::uint8_t>(is_grey ? static_cast<std::size_t>(232 + grey)
                                           : 16 + 36 * red + 6 * green + blue);
}

std::string histogram_line(const Statistics& statistics, std::size_t columns) {
  constexpr std::string_view kBlocks[] = {" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
  columns = std::clamp<std::size_t>(columns, 1, Statistics::kBins);
  std::vector<std::uint32_t> heights(columns, 0);
  for (std::size_t bin = 0; bin < Statistics::kBins; ++bin) {
    heights[bin * columns / Statistics::kBins] += statistics.histogram[bin];
  }
  const std::uint32_t highest = *std::max_element(heights.begin(), heights.end());
  std::string line;
  for (const std::uint32_t height : heights) {
    // What is there at all is seen.
    const std::uint64_t eighths =
        height == 0 ? 0 : std::max<std::uint64_t>(1, std::uint64_t{height} * 8 / highest);
    line += kBlocks[eighths];
  }
  return line;
}

}  // namespace tensorpool::inline v0::apps::view
