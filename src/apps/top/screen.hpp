// The screen of `tp top` as text: a view, the size of the terminal and what the user has chosen, to
// lines. Pure; printable US-ASCII only, so that a character is a column.
//
// Thread contract: plain values and free functions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "apps/console.hpp"
#include "apps/keys.hpp"
#include "apps/terminal.hpp"
#include "apps/top/model.hpp"

namespace tensorpool::inline v0::apps::top {

/// A piece of a line in one style.
struct Span {
  enum class Look : std::uint8_t { kPlain, kDim, kBold, kTitle, kSelected, kWarning, kBad };
  std::string text;
  Look look = Look::kPlain;
};
using Line = std::vector<Span>;

/// Without styles.
[[nodiscard]] std::string plain_text(const Line& line);
/// With escape sequences, where `colour`.
[[nodiscard]] std::string styled_text(const Line& line, bool colour);

/// What the user has chosen, and keys change.
struct Choice {
  Query query = {};
  Shape shape = Shape::kTree;
  bool is_paused = false;
  bool shows_help = false;
  bool is_filtering = false;  ///< keys go into `query.filter`
  bool wants_end = false;
  Nanos delay = std::chrono::seconds(1);
  std::size_t selected = 0;  ///< row
  std::size_t first = 0;     ///< row on top of the screen

  void on_key(Key key, std::size_t page_rows);
};

using Size = Terminal::Size;

/// As many lines as there are rows, none longer than there are columns. Keeps `choice.selected` on
/// the screen and within what there is.
[[nodiscard]] std::vector<Line> full_screen(const View& view, Choice& choice, Size size);

/// Everything there is, for a pipe: no row is selected.
[[nodiscard]] std::vector<Line> once(const View& view, const Choice& choice, std::size_t columns);

/// The lines of the table that `full_screen` has room for.
[[nodiscard]] std::size_t table_rows(Size size) noexcept;

}  // namespace tensorpool::inline v0::apps::top
