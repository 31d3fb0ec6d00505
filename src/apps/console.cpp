#include "apps/console.hpp"

#include <sys/ioctl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <utility>

#include "base/printable.hpp"

namespace tensorpool::inline v0::apps {
namespace {

constexpr std::string_view kReset = "\x1b[0m";

std::string_view code_of(Style style) noexcept {
  switch (style) {
    case Style::kBold:
      return "\x1b[1m";
    case Style::kDim:
      return "\x1b[2m";
    case Style::kGreen:
      return "\x1b[32m";
    case Style::kYellow:
      return "\x1b[33m";
    case Style::kRed:
      return "\x1b[31m";
    case Style::kCyan:
      return "\x1b[36m";
  }
  return {};
}

bool is_set(const char* variable) noexcept {
  const char* value = std::getenv(variable);
  return value != nullptr && value[0] != '\0';
}

winsize window() noexcept {
  winsize size{};
  if (::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0) {
    size = {};
  }
  return size;
}

/// What nobody reads is not an error.
void write_stderr(std::string_view text) noexcept {
  while (!text.empty()) {
    const ssize_t written = ::write(STDERR_FILENO, text.data(), text.size());
    if (written < 0 && errno != EINTR) {
      return;
    }
    text.remove_prefix(written > 0 ? static_cast<std::size_t>(written) : 0);
  }
}

/// True where escape sequences are understood.
bool is_terminal(int descriptor) noexcept {
  const char* term = std::getenv("TERM");
  return ::isatty(descriptor) == 1 && term != nullptr && std::string_view(term) != "dumb";
}

std::string in_style(bool colour, Style style, std::string_view text) {
  std::string out(colour ? code_of(style) : std::string_view());
  out += text;
  out += colour ? kReset : std::string_view();
  return out;
}

}  // namespace

std::string styled_output(Style style, std::string_view text) {
  return in_style(is_terminal(STDOUT_FILENO) && !is_set("NO_COLOR"), style, text);
}

Console::Console(std::string_view verb)
    : verb_(verb),
      terminal_(apps::is_terminal(STDERR_FILENO)),
      colour_(terminal_ && !is_set("NO_COLOR")) {}

Console::~Console() {
  end_live();
}

std::size_t Console::columns() const noexcept {
  const winsize size = window();
  return size.ws_col > 0 ? size.ws_col : 80;
}

std::size_t Console::rows() const noexcept {
  const winsize size = window();
  return size.ws_row > 0 ? size.ws_row : 24;
}

std::string Console::styled(Style style, std::string_view text) const {
  return in_style(colour_, style, text);
}

void Console::note(std::string_view text) {
  put(Style::kDim, {}, text);
}

void Console::warn(std::string_view text) {
  put(Style::kYellow, "warning: ", text);
}

void Console::error(std::string_view text) {
  put(Style::kRed, "error: ", text);
}

void Console::error(const Error& what) {
  error(describe(what));
}

void Console::print(std::string_view lines) {
  write_around_live(std::string(lines) + '\n');
}

void Console::put(Style style, std::string_view label, std::string_view text) {
  std::string line = styled(Style::kDim, "tp " + std::string(verb_) + ": ");
  line += label.empty() ? std::string() : styled(style, label);
  line += base::printable(text);
  line += '\n';
  write_around_live(std::move(line));
}

void Console::write_around_live(std::string text) {
  const std::scoped_lock lock(mutex_);
  write_stderr(erase_live() + text + draw_live());
}

void Console::live(std::vector<std::string> lines) {
  if (!terminal_) {
    return;
  }
  const std::scoped_lock lock(mutex_);
  // As many lines as before are written over the old ones, which flickers less than erasing.
  std::string text = lines.size() == live_.size() ? to_first_live() : erase_live();
  live_ = std::move(lines);
  write_stderr(text + draw_live());
}

void Console::end_live() {
  live({});
}

std::string Console::to_first_live() const {
  // The cursor stands behind the last live line.
  return live_.size() > 1 ? "\r\x1b[" + std::to_string(live_.size() - 1) + "A" : "\r";
}

std::string Console::erase_live() const {
  return live_.empty() ? std::string() : to_first_live() + "\x1b[J";
}

std::string Console::draw_live() const {
  std::string text;
  for (const std::string& line : live_) {
    text += (text.empty() ? "" : "\n") + line + "\x1b[K";
  }
  // A line longer than the terminal is wide would take two, and the way back would be wrong.
  return live_.empty() ? text : "\x1b[?7l" + text + "\x1b[?7h";
}

LogSink Console::log_sink() {
  return [this](LogLevel level, std::string_view line) {
    if (level == LogLevel::kError) {
      error(line);
    } else if (level == LogLevel::kWarning) {
      warn(line);
    }
  };
}

}  // namespace tensorpool::inline v0::apps
