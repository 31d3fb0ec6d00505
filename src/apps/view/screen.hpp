// What `tp view` shows around the image, and what its keys do. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "apps/terminal.hpp"
#include "apps/view/image.hpp"
#include "apps/view/render.hpp"

namespace tensorpool::inline v0::apps::view {

/// What can be changed while looking.
struct Controls {
  ShadingOptions shading = {};
  bool histogram = true;
  bool paused = false;
  std::optional<Cursor> cursor = {};  ///< a pixel of the image
  std::uint64_t plane = 0;            ///< number of the plane, where there are several
};

/// What a key has asked for besides changing the controls.
enum class Asked : std::uint8_t { kNothing, kRedraw, kQuit };

/// q, Escape: quit; space: pause; l: logarithmic; c: colours; s: stretch; h: histogram; arrows and
/// HJKL: cursor, by eight pixels with the letters; x: no cursor; n, p: next and previous plane.
[[nodiscard]] Asked on_key(const Key& key, const Image& image, Controls& controls);

/// The index of plane number `plane` in each of the dimensions before rows and columns, and back.
/// What there is not is taken modulo what there is.
[[nodiscard]] std::vector<std::uint64_t> plane_index(std::uint64_t plane,
                                                     const std::vector<std::uint64_t>& extents);
[[nodiscard]] std::uint64_t plane_number(const std::vector<std::uint64_t>& index,
                                         const std::vector<std::uint64_t>& extents) noexcept;

struct ScreenOptions {
  std::size_t rows = 24;
  std::size_t columns = 80;
  Depth depth = Depth::kTrueColour;
  bool keys = true;  ///< tell them in the last line
};

/// The lines of a screen: `title`, the image, its values, the histogram, the pixel at the cursor.
[[nodiscard]] std::vector<std::string> compose(const Image& image, const Controls& controls,
                                               const std::string& title,
                                               const ScreenOptions& options);

}  // namespace tensorpool::inline v0::apps::view
