#include "apps/terminal.hpp"

#include <poll.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <string_view>
#include <utility>

#include "apps/stop.hpp"

namespace tensorpool::inline v0::apps {
namespace {

// Alternate screen, no cursor, no wrapping; and back.
constexpr std::string_view kEnter = "\x1b[?1049h\x1b[?25l\x1b[?7l\x1b[2J";
constexpr std::string_view kLeave = "\x1b[0m\x1b[?7h\x1b[?25h\x1b[?1049l";

/// Signals that end the process without asking; the others are the verb's (stop.hpp).
constexpr std::array kDeadly = {SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL, SIGQUIT};

// What signal handlers need.
std::array<char, 64UL * 1024> handler_stack;  // for a stack that has overflowed
termios before{};
termios raw{};
std::atomic<bool> taken{false};
std::atomic<bool> redraw{false};
static_assert(std::atomic<bool>::is_always_lock_free);

/// False when the terminal has gone.
bool put(std::string_view text) noexcept {
  while (!text.empty()) {
    const ssize_t written = ::write(STDOUT_FILENO, text.data(), text.size());
    if (written < 0 && errno != EINTR) {
      return false;
    }
    text.remove_prefix(written > 0 ? static_cast<std::size_t>(written) : 0);
  }
  return true;
}

void take() noexcept {
  ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &raw);
  put(kEnter);
  taken.store(true, std::memory_order_relaxed);
}

void give_back() noexcept {
  if (taken.exchange(false, std::memory_order_relaxed)) {
    ::tcflow(STDOUT_FILENO, TCOON);  // output that somebody has halted would halt us, too
    put(kLeave);
    ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
  }
}

void on_deadly(int number) noexcept {
  give_back();
  std::signal(number, SIG_DFL);
  std::raise(number);
}

void set_handler(int number, void (*handler)(int), int flags) noexcept {
  struct sigaction action {};
  action.sa_handler = handler;
  action.sa_flags = flags;
  sigemptyset(&action.sa_mask);
  sigaction(number, &action, nullptr);
}

void on_resize(int) noexcept {
  redraw.store(true, std::memory_order_relaxed);
}

void on_stop(int) noexcept {
  const int error = errno;
  give_back();
  ::raise(SIGSTOP);  // goes on from here
  take();
  redraw.store(true, std::memory_order_relaxed);
  errno = error;
}

}  // namespace

bool Terminal::is_there() noexcept {
  const char* const term = std::getenv("TERM");
  return ::isatty(STDIN_FILENO) == 1 && ::isatty(STDOUT_FILENO) == 1 && term != nullptr &&
         std::string_view(term) != "dumb";
}

Result<Terminal> Terminal::open() {
  if (::tcgetattr(STDIN_FILENO, &before) != 0) {
    return fail(make_os_error(Errc::kOsFailure, "terminal", errno));
  }
  raw = before;
  raw.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO);  // signals stay: Ctrl-C ends
  raw.c_iflag &= ~static_cast<tcflag_t>(IXON);           // Ctrl-S halts nothing
  raw.c_cc[VMIN] = 0;
  raw.c_cc[VTIME] = 0;
  const stack_t spare{
      .ss_sp = handler_stack.data(), .ss_flags = 0, .ss_size = handler_stack.size()};
  ::sigaltstack(&spare, nullptr);
  for (const int number : kDeadly) {
    set_handler(number, on_deadly, static_cast<int>(SA_RESETHAND) | SA_ONSTACK);
  }
  set_last_act(give_back);
  set_handler(SIGWINCH, on_resize, 0);
  set_handler(SIGTSTP, on_stop, 0);
  take();
  return Terminal();
}

Terminal::Terminal(Terminal&& other) noexcept : owns_(std::exchange(other.owns_, false)) {}

Terminal::~Terminal() {
  if (!owns_) {
    return;
  }
  give_back();
  set_last_act(nullptr);
  for (const int number : kDeadly) {
    set_handler(number, SIG_DFL, 0);
  }
  set_handler(SIGWINCH, SIG_DFL, 0);
  set_handler(SIGTSTP, SIG_DFL, 0);
}

Terminal::Size Terminal::size() const noexcept {
  winsize window{};
  if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &window) != 0 || window.ws_col == 0 ||
      window.ws_row == 0) {
    return {};
  }
  return {.columns = window.ws_col, .rows = window.ws_row};
}

/// In one write, over what is there: nothing flickers.
bool Terminal::draw(const std::vector<std::string>& lines) {
  std::string text = "\x1b[H";
  const std::size_t room = size().rows;
  for (std::size_t k = 0; k < lines.size() && k < room; ++k) {
    text.append(k == 0 ? "" : "\r\n").append(lines[k]).append("\x1b[0m\x1b[K");
  }
  return put(text + "\x1b[J");
}

Terminal::Heard Terminal::listen(Nanos patience, std::vector<Key>& keys) {
  pollfd waited{.fd = STDIN_FILENO, .events = POLLIN, .revents = 0};
  const auto ms = std::chrono::ceil<std::chrono::milliseconds>(std::max(patience, Nanos{0}));
  if (::poll(&waited, 1, static_cast<int>(ms.count())) <= 0) {
    return Heard::kNothing;
  }
  std::array<char, 256> bytes;
  const ssize_t got = ::read(STDIN_FILENO, bytes.data(), bytes.size());
  if (got < 0 && errno == EINTR) {
    return Heard::kNothing;
  }
  if (got <= 0) {
    return Heard::kGone;
  }
  keys = parse_keys({bytes.data(), static_cast<std::size_t>(got)});
  return Heard::kKeys;
}

bool Terminal::must_redraw() noexcept {
  return redraw.exchange(false, std::memory_order_relaxed);
}

}  // namespace tensorpool::inline v0::apps
