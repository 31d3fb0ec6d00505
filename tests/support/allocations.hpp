// Counts what this thread allocates, to prove that a path allocates nothing.
//
// For a test that links support/allocations.cpp, which replaces malloc and its family. Under a
// sanitizer, which replaces them itself, and where the build says TP_COUNT_ALLOCATIONS=0 because it
// links the C library statically, nothing is counted and kCounted is false.
#pragma once

#include <cstddef>

#if defined(TP_COUNT_ALLOCATIONS)
// as the build says
#elif defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define TP_COUNT_ALLOCATIONS 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define TP_COUNT_ALLOCATIONS 0
#endif
#endif
#if !defined(TP_COUNT_ALLOCATIONS)
#define TP_COUNT_ALLOCATIONS 1
#endif

namespace tensorpool::testing {

inline constexpr bool kCounted = TP_COUNT_ALLOCATIONS != 0;

/// Calls of malloc, calloc, realloc and aligned_alloc by this thread so far, operator new included.
[[nodiscard]] std::size_t allocations() noexcept;

}  // namespace tensorpool::testing
