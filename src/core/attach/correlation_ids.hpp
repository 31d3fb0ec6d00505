// Numbers that tell which request a response answers. Spec: §2.7 (D86, D87).
//
// One object per process, given to every attach client in it, so that no two of its requests share
// a number.
//
// Thread contract: any thread. Numbers are unique; which thread gets which stands open.
#pragma once

#include <atomic>
#include <cstdint>
#include <limits>

namespace tensorpool::inline v0::core::attach {

class CorrelationIds {
 public:
  /// `random` comes from the operating system's random source; any value will do.
  explicit CorrelationIds(std::uint64_t random) noexcept : next_(random % kCount) {}

  /// 1 .. 2^63-1, each one more than the last; 1 follows 2^63-1.
  [[nodiscard]] std::int64_t next() noexcept {
    // Relaxed: the numbers order nothing.
    return static_cast<std::int64_t>(1 + next_.fetch_add(1, std::memory_order_relaxed) % kCount);
  }

 private:
  static constexpr auto kCount =
      static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());

  std::atomic<std::uint64_t> next_;
};

}  // namespace tensorpool::inline v0::core::attach
