// Random bits of the operating system, for ids that nobody shall guess or meet by accident.
// Thread contract: any thread. Spec: D81, D130.
#pragma once

#include <sys/random.h>

#include <cerrno>
#include <cstdint>

namespace tensorpool::inline v0::os {

/// getrandom(2), which blocks only while the machine boots.
[[nodiscard]] inline std::uint64_t entropy() noexcept {
  std::uint64_t bits = 0;
  while (::getrandom(&bits, sizeof(bits), 0) < 0 && errno == EINTR) {
  }
  return bits;
}

}  // namespace tensorpool::inline v0::os
