#include "apps/demo/picture.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <string_view>

#include "apps/demo/frames.hpp"

namespace tensorpool::inline v0::apps::demo {
namespace {

constexpr unsigned kDark = 110;     // background and noise of the simulated camera
constexpr unsigned kBright = 7000;  // the mean over a cell that a spot fills

static_assert(Picture::kCell * Picture::kColumns <= kColumns);
static_assert(Picture::kCell * Picture::kRows <= kRows);

/// `value` on a scale of 0 to `steps - 1`, by its square root: faint light is seen too.
std::size_t level(std::uint16_t value, std::size_t steps) noexcept {
  const unsigned above = value > kDark ? std::min<unsigned>(value - kDark, kBright) : 0;
  std::size_t step = 0;
  while (step + 1 < steps &&
         (step + 1) * (step + 1) * std::size_t{kBright} <= std::size_t{above} * steps * steps) {
    ++step;
  }
  return step;
}

/// Of the 256 colours of a terminal, from night blue to white.
constexpr std::array<std::uint8_t, 14> kPalette = {16, 17, 18, 19, 20,  26,  32,
                                                   38, 44, 50, 87, 123, 195, 231};
constexpr std::string_view kCharacters = " .:-=+*#%@";

}  // namespace

void sample(std::span<const std::byte> frame, Picture& picture) noexcept {
  constexpr std::size_t kFirst = 4;  // pixels of the row's mark
  for (std::size_t y = 0; y < Picture::kRows; ++y) {
    for (std::size_t x = 0; x < Picture::kColumns; ++x) {
      unsigned sum = 0;
      for (std::size_t row = 0; row < Picture::kCell; ++row) {
        std::array<std::uint16_t, Picture::kCell> pixels{};
        const std::size_t at =
            (y * Picture::kCell + row) * kRowBytes + (kFirst + x * Picture::kCell) * 2;
        std::memcpy(pixels.data(), frame.data() + at, sizeof(pixels));
        for (const std::uint16_t pixel : pixels) {
          sum += pixel;
        }
      }
      picture.cells[y * Picture::kColumns + x] =
          static_cast<std::uint16_t>(sum / (Picture::kCell * Picture::kCell));
    }
  }
}

std::vector<std::string> draw(const Picture& picture, bool colour) {
  std::vector<std::string> lines;
  for (std::size_t y = 0; y + 1 < Picture::kRows; y += 2) {
    std::string line = "  ";
    for (std::size_t x = 0; x < Picture::kColumns; ++x) {
      const std::uint16_t upper = picture.cells[y * Picture::kColumns + x];
      const std::uint16_t lower = picture.cells[(y + 1) * Picture::kColumns + x];
      if (colour) {
        line += fmt::format("\x1b[38;5;{};48;5;{}m▀", kPalette[level(upper, kPalette.size())],
                            kPalette[level(lower, kPalette.size())]);
      } else {
        line += kCharacters[level(std::max(upper, lower), kCharacters.size())];
      }
    }
    lines.push_back(colour ? line + "\x1b[0m" : line);
  }
  return lines;
}

}  // namespace tensorpool::inline v0::apps::demo
