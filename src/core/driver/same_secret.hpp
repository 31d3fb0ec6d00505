// Compares a secret with what somebody sent, in a time that says nothing about where they differ.
//
// Thread contract: free function, any thread. Spec: D259.
#pragma once

#include <cstddef>

namespace tensorpool::inline v0::core::driver {

/// Whether both have the same bytes. Each byte of `secret` is looked at exactly once whatever
/// `given` holds, so the time depends on the two lengths alone, of which the caller's own is no
/// news to it. Both are texts of some kind, so that a test can count how often they are read.
template <class Secret, class Given>
[[nodiscard]] bool same_secret(const Secret& secret, const Given& given) noexcept {
  // Volatile: no compiler may find out that it is decided before the end.
  volatile unsigned char difference = secret.size() == given.size() ? 0 : 1;
  for (std::size_t i = 0; i < secret.size(); ++i) {
    const char other = i < given.size() ? given[i] : '\0';
    difference = static_cast<unsigned char>(difference | (secret[i] ^ other));
  }
  return difference == 0;
}

}  // namespace tensorpool::inline v0::core::driver
