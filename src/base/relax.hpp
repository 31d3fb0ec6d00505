// A moment's rest of a loop that waits for another processor. A hint: changes nothing but time.
#pragma once

namespace tensorpool::inline v0::base {

inline void relax() noexcept {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("isb" ::: "memory");
#endif
}

}  // namespace tensorpool::inline v0::base
