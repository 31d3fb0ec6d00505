#include "os/process_stat.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <chrono>

#include "os/unique_fd.hpp"

namespace tensorpool::inline v0::os {
namespace {

// Fields behind the name, counted from 0: state is 0, which the manual calls field 3.
constexpr std::size_t kUserTicks = 11;
constexpr std::size_t kSystemTicks = 12;
constexpr std::size_t kStartTicks = 19;

}  // namespace

std::optional<ProcessStat> parse_process_stat(std::string_view text,
                                              std::uint64_t ticks_per_second) {
  // The name stands in parentheses and may have any in it.
  const std::size_t open = text.find('(');
  const std::size_t close = text.rfind(')');
  if (open == std::string_view::npos || close == std::string_view::npos || close < open) {
    return std::nullopt;
  }
  ProcessStat stat{.name = std::string(text.substr(open + 1, close - open - 1))};
  std::array<std::uint64_t, kStartTicks + 1> fields{};
  std::string_view rest = text.substr(close + 1);
  for (std::size_t k = 0; k <= kStartTicks; ++k) {
    rest.remove_prefix(std::min(rest.find_first_not_of(' '), rest.size()));
    const std::string_view word = rest.substr(0, rest.find_first_of(" \n"));
    rest.remove_prefix(word.size());
    const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), fields[k]);
    const bool needed = k == kUserTicks || k == kSystemTicks || k == kStartTicks;
    if (needed && (error != std::errc{} || end != word.data() + word.size())) {
      return std::nullopt;
    }
  }
  const std::uint64_t ticks = fields[kUserTicks] + fields[kSystemTicks];
  stat.start_ticks = fields[kStartTicks];
  stat.cpu = std::chrono::duration_cast<Nanos>(std::chrono::duration<double>(
      static_cast<double>(ticks) / static_cast<double>(ticks_per_second)));
  return stat;
}

std::optional<ProcessStat> read_process_stat(std::uint64_t pid) {
  const std::string path = "/proc/" + std::to_string(pid) + "/stat";
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  std::array<char, 1024> text;
  ssize_t bytes = -1;
  do {
    bytes = file ? ::read(file.get(), text.data(), text.size()) : -1;
  } while (bytes < 0 && file && errno == EINTR);
  const long ticks = ::sysconf(_SC_CLK_TCK);
  return bytes <= 0 || ticks <= 0
             ? std::nullopt
             : parse_process_stat({text.data(), static_cast<std::size_t>(bytes)},
                                  static_cast<std::uint64_t>(ticks));
}

OwnProcess own_process() {
  const auto pid = static_cast<std::uint64_t>(::getpid());
  const std::optional<ProcessStat> stat = read_process_stat(pid);
  return {.pid = pid, .start_ticks = stat ? stat->start_ticks : 0};
}

}  // namespace tensorpool::inline v0::os
