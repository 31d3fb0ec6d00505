#include "os/memory_limit.hpp"

#include <algorithm>
#include <charconv>
#include <fstream>
#include <limits>
#include <optional>
#include <string_view>

namespace tensorpool::inline v0::os {
namespace {

constexpr std::uint64_t kUnlimited = std::numeric_limits<std::uint64_t>::max();

/// What the two versions of control groups call things.
struct Version {
  std::string_view mount;
  std::string_view limit;
  std::string_view usage;
  std::string_view stat_prefix;  ///< of counts that include the groups below
};
constexpr Version kOne{.mount = "/sys/fs/cgroup/memory",
                       .limit = "memory.limit_in_bytes",
                       .usage = "memory.usage_in_bytes",
                       .stat_prefix = "total_"};
constexpr Version kTwo{
    .mount = "/sys/fs/cgroup", .limit = "memory.max", .usage = "memory.current", .stat_prefix = ""};

/// The number that `text` begins with; nothing for `max`.
[[nodiscard]] std::optional<std::uint64_t> number_in(std::string_view text) noexcept {
  text.remove_prefix(std::min(text.find_first_not_of(' '), text.size()));
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc{} ? std::optional(value) : std::nullopt;
}

[[nodiscard]] std::optional<std::uint64_t> number_of(const std::string& path) {
  std::string line;
  std::ifstream file(path);
  return std::getline(file, line) ? number_in(line) : std::nullopt;
}

/// The sum of the lines of `path` that begin with one of `names`; 0 for those that are not there.
template <std::size_t N>
[[nodiscard]] std::uint64_t sum_of(const std::string& path, const std::string (&names)[N]) {
  std::uint64_t sum = 0;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    for (const std::string& name : names) {
      if (line.starts_with(name)) {
        sum += number_in(std::string_view(line).substr(name.size())).value_or(0);
      }
    }
  }
  return sum;
}

[[nodiscard]] std::uint64_t headroom_of(const std::string& group, const Version& version) {
  const auto file = [&](std::string_view name) {
    return std::string(group).append("/").append(name);
  };
  const auto limit = number_of(file(version.limit));
  const auto usage = number_of(file(version.usage));
  if (!limit || !usage) {
    return kUnlimited;
  }
  const std::string prefix(version.stat_prefix);
  const std::uint64_t cached =
      sum_of(file("memory.stat"), {prefix + "inactive_file ", prefix + "active_file "});
  const std::uint64_t used = *usage - std::min(cached, *usage);
  return *limit - std::min(used, *limit);
}

/// Of the group `path` and all above it. In a container only the upper ones may be there.
[[nodiscard]] std::uint64_t tightest(const std::string& mount, std::string path,
                                     const Version& version) {
  std::uint64_t headroom = headroom_of(mount, version);
  for (; path.size() > 1; path.erase(path.rfind('/'))) {
    headroom = std::min(headroom, headroom_of(mount + path, version));
  }
  return headroom;
}

}  // namespace

std::uint64_t memory_headroom(const std::string& root) {
  std::uint64_t headroom = kUnlimited;
  std::ifstream groups(root + "/proc/self/cgroup");
  for (std::string line; std::getline(groups, line);) {  // number:controllers:path
    const std::size_t first = line.find(':');
    const std::size_t second = line.find(':', first + 1);
    if (second == std::string::npos || second + 1 == line.size() || line[second + 1] != '/') {
      continue;
    }
    const std::string controllers = line.substr(first + 1, second - first - 1);
    if (controllers.empty() || controllers == "memory") {
      const Version& version = controllers.empty() ? kTwo : kOne;
      headroom = std::min(
          headroom, tightest(root + std::string(version.mount), line.substr(second + 1), version));
    }
  }
  if (headroom == kUnlimited) {
    return kUnlimited;
  }
  const std::uint64_t swap = 1024 * sum_of(root + "/proc/meminfo", {std::string("SwapFree:")});
  return headroom + std::min(swap, kUnlimited - headroom);
}

}  // namespace tensorpool::inline v0::os
