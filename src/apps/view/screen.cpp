#include "apps/view/screen.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace tensorpool::inline v0::apps::view {
namespace {

constexpr std::string_view kKeys =
    "q quit  space pause  c colours  l log  s stretch  h histogram  arrows cursor  n p plane";

[[nodiscard]] std::size_t moved(std::size_t at, std::ptrdiff_t by, std::size_t length) noexcept {
  const auto to = static_cast<std::ptrdiff_t>(at) + by;
  return static_cast<std::size_t>(
      std::clamp(to, std::ptrdiff_t{0}, static_cast<std::ptrdiff_t>(length) - 1));
}

void move_cursor(std::ptrdiff_t down, std::ptrdiff_t right, const Image& image,
                 Controls& controls) {
  if (!controls.cursor) {
    controls.cursor = Cursor{.row = image.rows() / 2, .column = image.columns() / 2};
    return;
  }
  controls.cursor = Cursor{.row = moved(controls.cursor->row, down, image.rows()),
                           .column = moved(controls.cursor->column, right, image.columns())};
}

[[nodiscard]] Asked on_letter(char letter, const Image& image, Controls& controls) {
  constexpr std::ptrdiff_t kFar = 8;
  switch (letter) {
    case 'q':
      return Asked::kQuit;
    case ' ':
      controls.paused = !controls.paused;
      break;
    case 'l':
      controls.shading.logarithmic = !controls.shading.logarithmic;
      break;
    case 'c':
      controls.shading.palette = static_cast<Palette>(
          (static_cast<std::size_t>(controls.shading.palette) + 1) % kPaletteCount);
      break;
    case 's':
      controls.shading.stretch =
          controls.shading.stretch == Stretch::kFull ? Stretch::kPercentiles : Stretch::kFull;
      break;
    case 'h':
      controls.histogram = !controls.histogram;
      break;
    case 'x':
      controls.cursor.reset();
      break;
    case 'n':
      controls.plane = (controls.plane + 1) % image.planes();
      break;
    case 'p':
      controls.plane = (controls.plane + image.planes() - 1) % image.planes();
      break;
    case 'H':
      move_cursor(0, -kFar, image, controls);
      break;
    case 'J':
      move_cursor(kFar, 0, image, controls);
      break;
    case 'K':
      move_cursor(-kFar, 0, image, controls);
      break;
    case 'L':
      move_cursor(0, kFar, image, controls);
      break;
    default:
      return Asked::kNothing;
  }
  return Asked::kRedraw;
}

[[nodiscard]] std::string value_text(double value) {
  return fmt::format("{:.6g}", value);
}

[[nodiscard]] std::string values_line(const Statistics& statistics, const Shading& shading,
                                      const Controls& controls, const Image& image) {
  std::string line = fmt::format(
      "min {}  max {}  mean {}  shown {} to {}{}", value_text(statistics.min),
      value_text(statistics.max), value_text(statistics.mean), value_text(shading.low()),
      value_text(shading.high()), controls.shading.logarithmic ? ", logarithmic" : "");
  if (image.is_mono() && controls.shading.palette != Palette::kGrey) {
    line += fmt::format(", {}", to_string(controls.shading.palette));
  }
  if (statistics.not_finite > 0) {
    line += fmt::format("  {} of {} not finite", statistics.not_finite,
                        statistics.not_finite + statistics.measured);
  }
  if (image.planes() > 1) {
    line += fmt::format("  plane {} of {}", controls.plane, image.planes());
  }
  return line;
}

[[nodiscard]] std::string cursor_line(const Image& image, const Cursor& cursor) {
  const Pixel pixel = image.at(cursor.row, cursor.column);
  const std::string value = image.is_mono()
                                ? value_text(pixel[0])
                                : fmt::format("red {}  green {}  blue {}", value_text(pixel[0]),
                                              value_text(pixel[1]), value_text(pixel[2]));
  return fmt::format("row {}  column {}:  {}", cursor.row, cursor.column, value);
}

}  // namespace

Asked on_key(const Key& key, const Image& image, Controls& controls) {
  switch (key.kind) {
    case Key::Kind::kCharacter:
      return on_letter(key.character, image, controls);
    case Key::Kind::kEscape:
      return Asked::kQuit;
    case Key::Kind::kUp:
      move_cursor(-1, 0, image, controls);
      return Asked::kRedraw;
    case Key::Kind::kDown:
      move_cursor(1, 0, image, controls);
      return Asked::kRedraw;
    case Key::Kind::kLeft:
      move_cursor(0, -1, image, controls);
      return Asked::kRedraw;
    case Key::Kind::kRight:
      move_cursor(0, 1, image, controls);
      return Asked::kRedraw;
    default:
      return Asked::kNothing;
  }
}

std::vector<std::uint64_t> plane_index(std::uint64_t plane,
                                       const std::vector<std::uint64_t>& extents) {
  std::vector<std::uint64_t> index(extents.size(), 0);
  for (std::size_t k = extents.size(); k > 0 && extents[k - 1] > 0; --k) {
    index[k - 1] = plane % extents[k - 1];
    plane /= extents[k - 1];
  }
  return index;
}

std::uint64_t plane_number(const std::vector<std::uint64_t>& index,
                           const std::vector<std::uint64_t>& extents) noexcept {
  std::uint64_t number = 0;
  for (std::size_t k = 0; k < extents.size(); ++k) {
    number = number * extents[k] + (k < index.size() ? index[k] : 0);
  }
  return number;
}

std::vector<std::string> compose(const Image& image, const Controls& controls,
                                 const std::string& title, const ScreenOptions& options) {
  const Statistics statistics = measure(image);
  const Shading shading(controls.shading, statistics);
  std::optional<Cursor> cursor = controls.cursor;
  if (cursor) {  // the image may have become smaller
    cursor = Cursor{.row = std::min(cursor->row, image.rows() - 1),
                    .column = std::min(cursor->column, image.columns() - 1)};
  }
  std::vector<std::string> below = {values_line(statistics, shading, controls, image)};
  if (controls.histogram) {
    below.push_back(histogram_line(statistics, options.columns));
  }
  if (cursor) {
    below.push_back(cursor_line(image, *cursor));
  }
  if (options.keys) {
    below.emplace_back(kKeys);
  }
  const std::size_t around = below.size() + 1;
  const std::size_t room = options.rows > around ? options.rows - around : 1;
  const Raster raster = draw(image, shading, 2 * room, options.columns);
  std::optional<Cursor> mark;
  if (cursor) {
    mark = Cursor{.row = cursor->row * raster.rows / image.rows(),
                  .column = cursor->column * raster.columns / image.columns()};
  }
  std::vector<std::string> lines = {title};
  for (std::string& line : to_lines(raster, options.depth, mark)) {
    lines.push_back(std::move(line));
  }
  for (std::string& line : below) {
    lines.push_back(std::move(line));
  }
  return lines;
}

}  // namespace tensorpool::inline v0::apps::view
