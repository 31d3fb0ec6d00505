// Standard error: what people read. Notes stay; the live lines below them are drawn anew in place.
//
// Colour and live lines appear on a terminal only (and not with NO_COLOR or TERM=dumb).
// Thread contract: any thread; notes and live lines of several threads do not mix.
#pragma once

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "tensorpool/log.hpp"
#include "tensorpool/types/error.hpp"

namespace tensorpool::inline v0::apps {

enum class Style : std::uint8_t { kBold, kDim, kGreen, kYellow, kRed, kCyan };

/// `text` in a style, for standard output; as it is where that is no terminal that shows colours.
[[nodiscard]] std::string styled_output(Style style, std::string_view text);

class Console {
 public:
  /// `verb` stands in front of every note. Precondition: `verb` outlives the console.
  explicit Console(std::string_view verb);
  /// Removes the live lines.
  ~Console();
  Console(const Console&) = delete;
  Console& operator=(const Console&) = delete;

  /// True when live lines can be drawn.
  [[nodiscard]] bool is_terminal() const noexcept { return terminal_; }
  [[nodiscard]] bool has_colour() const noexcept { return colour_; }
  /// Columns of the terminal now; 80 where that is unknown.
  [[nodiscard]] std::size_t columns() const noexcept;
  /// Rows of the terminal now; 24 where that is unknown.
  [[nodiscard]] std::size_t rows() const noexcept;
  [[nodiscard]] std::string styled(Style style, std::string_view text) const;

  /// One line that stays, after "tp VERB: ". What shows nothing is escaped (W94).
  void note(std::string_view text);
  void warn(std::string_view text);
  void error(std::string_view text);
  void error(const Error& what);
  /// Lines that stay, as they are.
  void print(std::string_view lines);

  /// Draws `lines` in the place of the last live lines. Only on a terminal.
  void live(std::vector<std::string> lines);
  /// Removes the live lines.
  void end_live();

  /// For ClientOptions: warnings and errors as notes. Precondition: this outlives the client.
  [[nodiscard]] LogSink log_sink();

 private:
  void put(Style style, std::string_view label, std::string_view text);
  void write_around_live(std::string text);
  [[nodiscard]] std::string to_first_live() const;
  [[nodiscard]] std::string erase_live() const;
  [[nodiscard]] std::string draw_live() const;

  std::string_view verb_;
  bool terminal_ = false;
  bool colour_ = false;
  std::mutex mutex_;
  std::vector<std::string> live_;
};

}  // namespace tensorpool::inline v0::apps
