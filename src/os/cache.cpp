#include "os/cache.hpp"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <memory>

namespace tensorpool::inline v0::os {
namespace {

// What sysconf does not know (aarch64, some virtual machines) the kernel may still show.
[[nodiscard]] std::uint64_t from_sysfs() noexcept {
  std::uint64_t most = 0;
  for (int index = 0; index < 8; ++index) {
    std::array<char, 96> path{};
    std::snprintf(path.data(), path.size(), "/sys/devices/system/cpu/cpu0/cache/index%d/size",
                  index);
    const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.data(), "re"),
                                                               &std::fclose);
    std::array<char, 32> text{};
    if (file == nullptr || std::fgets(text.data(), text.size(), file.get()) == nullptr) {
      continue;
    }
    char* unit = nullptr;
    const std::uint64_t number = std::strtoull(text.data(), &unit, 10);
    most = std::max(most, *unit == 'K' ? number << 10U : *unit == 'M' ? number << 20U : number);
  }
  return most;
}

}  // namespace

std::uint64_t last_level_cache_bytes() noexcept {
  static const std::uint64_t bytes = [] {
    // The kernel knows which processors share a cache; the C library may answer with the sum over
    // the whole package.
    if (const std::uint64_t found = from_sysfs(); found != 0) {
      return found;
    }
    for (const int level : {_SC_LEVEL3_CACHE_SIZE, _SC_LEVEL2_CACHE_SIZE}) {
      if (const long found = ::sysconf(level); found > 0) {
        return static_cast<std::uint64_t>(found);
      }
    }
    return std::uint64_t{0};
  }();
  return bytes;
}

}  // namespace tensorpool::inline v0::os
