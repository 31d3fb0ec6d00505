// A string literal as a template argument: gives each named place of the code an object of its own.
#pragma once

#include <cstddef>

namespace tensorpool::inline v0::base {

template <std::size_t kBytes>
struct SiteName {
  char text[kBytes]{};
  consteval SiteName(const char (&name)[kBytes]) noexcept {  // NOLINT: implicit by design
    for (std::size_t k = 0; k < kBytes; ++k) {
      text[k] = name[k];
    }
  }
};

}  // namespace tensorpool::inline v0::base
