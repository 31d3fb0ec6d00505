#include "os/futex.hpp"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <climits>
#include <ctime>

namespace tensorpool::inline v0::os {
namespace {

static_assert(std::endian::native == std::endian::little, "the low half comes first");

}  // namespace

void futex_wait(const std::uint64_t& word, std::uint64_t expected, Nanos at_most) noexcept {
  const Nanos::rep ns = std::max(at_most, Nanos(0)).count();
  const timespec patience{.tv_sec = static_cast<time_t>(ns / 1'000'000'000),
                          .tv_nsec = static_cast<long>(ns % 1'000'000'000)};
  ::syscall(SYS_futex, &word, FUTEX_WAIT, static_cast<std::uint32_t>(expected), &patience, nullptr,
            0);
}

int futex_wake_all(const std::uint64_t& word) noexcept {
  return static_cast<int>(::syscall(SYS_futex, &word, FUTEX_WAKE, INT_MAX, nullptr, nullptr, 0));
}

}  // namespace tensorpool::inline v0::os
