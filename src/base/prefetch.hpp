// Asks for a cache line ahead of its first store. A hint: changes nothing but time.
#pragma once

namespace tensorpool::inline v0::base {

/// For a line that another processor may hold: takes it over, where a plain prefetch would only
/// share it.
inline void prefetch_for_write(const void* address) noexcept {
#if defined(__x86_64__)
  // The compiler emits a shared prefetch for the baseline; every x86-64 decodes this one, older
  // ones as a no-op.
  asm volatile("prefetchw %0" : : "m"(*static_cast<const char*>(address)));
#else
  __builtin_prefetch(address, 1);
#endif
}

}  // namespace tensorpool::inline v0::base
