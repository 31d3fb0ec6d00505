// Assertions on invariants of this process. Never on bytes that came from outside: those are input.
#pragma once

namespace tensorpool::inline v0::base {

/// Prints the broken invariant and aborts.
[[noreturn, gnu::cold]] void assertion_failed(const char* expression, const char* file,
                                              int line) noexcept;

}  // namespace tensorpool::inline v0::base

/// On in every build.
#define TP_ASSERT(expression)          \
  ((expression) ? static_cast<void>(0) \
                : ::tensorpool::base::assertion_failed(#expression, __FILE__, __LINE__))

/// On in debug builds only; for hot paths.
#ifdef NDEBUG
#define TP_DCHECK(expression) static_cast<void>(sizeof(!(expression)))
#else
#define TP_DCHECK(expression) TP_ASSERT(expression)
#endif
