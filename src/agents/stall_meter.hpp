// Counts the duty cycles that came too late after the one before.
//
// A stall is the time between the starts of two cycles above a threshold: long work, or a thread
// that the kernel did not run. Thread contract: on_cycle by the running thread, the rest by any.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>

#include "tensorpool/types/time.hpp"

namespace tensorpool::inline v0::agents {

class StallMeter {
 public:
  explicit StallMeter(Nanos threshold) noexcept : threshold_(threshold) {}

  void on_cycle(Nanos now) noexcept {
    if (started_) {
      const Nanos::rep interval = (now - last_).count();
      // One writer, and each number stands alone: no order is needed.
      if (interval > longest_.load(std::memory_order_relaxed)) {
        longest_.store(interval, std::memory_order_relaxed);
      }
      if (interval > threshold_.count()) {
        stalls_.store(stalls_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
      }
    }
    started_ = true;
    last_ = now;
  }

  [[nodiscard]] std::uint64_t stalls() const noexcept {
    return stalls_.load(std::memory_order_relaxed);
  }
  [[nodiscard]] Nanos longest() const noexcept {
    return Nanos{longest_.load(std::memory_order_relaxed)};
  }

 private:
  Nanos threshold_;
  Nanos last_{};
  bool started_ = false;
  std::atomic<std::uint64_t> stalls_{0};
  std::atomic<Nanos::rep> longest_{0};
};

}  // namespace tensorpool::inline v0::agents
