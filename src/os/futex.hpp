// Sleeping on a word of shared memory, and waking those who do.
//
// For the client (core/wake/wake_protocol decides when). Words are shared between processes, so the
// kernel knows them by file and offset; a mapping that may only be read would do for neither.
//
// Thread contract: any thread.
#pragma once

#include <cstdint>

#include "tensorpool/types/time.hpp"

namespace tensorpool::inline v0::os {

/// Sleeps while the low half of `word` is that of `expected`, at most for `at_most`. Returns for
/// other reasons, too: whoever sleeps looks again.
void futex_wait(const std::uint64_t& word, std::uint64_t expected, Nanos at_most) noexcept;

/// Wakes all who sleep on it. Returns how many these were.
int futex_wake_all(const std::uint64_t& word) noexcept;

}  // namespace tensorpool::inline v0::os
