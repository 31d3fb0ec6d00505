#include "base/assert.hpp"

#include <cstdio>
#include <cstdlib>

namespace tensorpool::inline v0::base {

void assertion_failed(const char* expression, const char* file, int line) noexcept {
  std::fprintf(stderr, "tensorpool: broken invariant: %s (%s:%d)\n", expression, file, line);
  std::abort();
}

}  // namespace tensorpool::inline v0::base
