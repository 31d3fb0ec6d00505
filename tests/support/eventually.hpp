// Waiting for a condition instead of for time.
#pragma once

#include <chrono>
#include <thread>

namespace tensorpool::test {

inline constexpr auto kPatience = std::chrono::seconds(60);

/// Calls `step` until it returns true, with a rest of `rest` between two calls, which spares the
/// processors where the condition is another process's work. False when patience has run out.
template <class Step>
[[nodiscard]] bool eventually(Step&& step, std::chrono::nanoseconds rest = {}) {
  const auto end = std::chrono::steady_clock::now() + kPatience;
  while (!step()) {
    if (std::chrono::steady_clock::now() > end) {
      return false;
    }
    rest.count() == 0 ? std::this_thread::yield() : std::this_thread::sleep_for(rest);
  }
  return true;
}

}  // namespace tensorpool::test
