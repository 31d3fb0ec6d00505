// Keeps a rate: one tick after the other, at absolute times, so that errors do not add up.
//
// Thread contract: one thread, the one that creates it.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>

#include "tensorpool/types/time.hpp"

namespace tensorpool::inline v0::apps {

class Pacer {
 public:
  /// `hz` 0: as fast as possible. Precondition: hz >= 0.
  explicit Pacer(double hz) noexcept;

  /// Waits for the next tick: asleep until shortly before it, then spinning, which hits the tick to
  /// a microsecond where the processor is free. The first tick is at once. False when `stop` was
  /// set. `meanwhile` is called during a long wait, some times a second.
  [[nodiscard]] bool wait(const std::atomic<bool>& stop,
                          const std::function<void()>& meanwhile = {});

  /// Ticks that were given up, because the caller or the machine was late by more than a period and
  /// 10 ms: the schedule moved instead of firing them in a burst.
  [[nodiscard]] std::uint64_t slipped() const noexcept { return slipped_; }

 private:
  double period_ns_;
  Nanos start_{};
  std::uint64_t ticks_ = 0;
  std::uint64_t slipped_ = 0;
};

/// Sleeps for `span`, or less when a signal comes.
void sleep_for(Nanos span) noexcept;

}  // namespace tensorpool::inline v0::apps
