// Counts what a test program allocates with operator new.
//
// In a file of its own, so that the compiler does not see through operator delete.
#pragma once

#include <cstddef>

namespace tensorpool::test {

struct Allocations {
  std::size_t calls = 0;
  std::size_t bytes = 0;
};

/// All since the start of the program. Single-threaded tests only.
[[nodiscard]] Allocations allocations() noexcept;

}  // namespace tensorpool::test
