// What a fuzz target includes.
//
//   int fuzz_superblock(std::span<const std::byte> input) {
//     …
//     TP_FUZZ_CHECK(again == first);
//     return 0;
//   }
//
// A target is done when it neither crashes, nor is stopped by a sanitizer, nor breaks a check.
#pragma once

#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <span>

/// A property that must hold for every input; on in every build.
#define TP_FUZZ_CHECK(expression)                                                          \
  ((expression) ? static_cast<void>(0)                                                     \
                : (static_cast<void>(std::fprintf(stderr, "property broken: %s (%s:%d)\n", \
                                                  #expression, __FILE__, __LINE__)),       \
                   std::abort()))
