// Latencies on their way from the thread that measures them to the one that shows them.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "tensorpool/types/time.hpp"

namespace tensorpool::inline v0::apps::demo {

/// Durations from the thread that measures to the one that shows. Holds a second of them at 64 kHz;
/// what is not taken in time is overwritten.
class LatencyLog {
 public:
  void put(Nanos latency) noexcept {
    const std::uint64_t end = end_.load(std::memory_order_relaxed);
    entries_[end % kEntries].store(latency.count(), std::memory_order_relaxed);
    end_.store(end + 1, std::memory_order_release);
  }
  template <class Take>
  void take_all(Take&& take) {
    const std::uint64_t end = end_.load(std::memory_order_acquire);
    taken_ = end - taken_ > kEntries ? end - kEntries : taken_;
    for (; taken_ < end; ++taken_) {
      take(Nanos(entries_[taken_ % kEntries].load(std::memory_order_relaxed)));
    }
  }

 private:
  static constexpr std::size_t kEntries = 65'536;
  std::vector<std::atomic<std::int64_t>> entries_ =
      std::vector<std::atomic<std::int64_t>>(kEntries);
  std::atomic<std::uint64_t> end_{0};
  std::uint64_t taken_ = 0;
};

}  // namespace tensorpool::inline v0::apps::demo
