// The clocks of the machine. Spec: §1.22 (W424, W425).
#pragma once

#include <ctime>

#include "base/clock.hpp"

namespace tensorpool::inline v0::os {

/// CLOCK_MONOTONIC and CLOCK_REALTIME, read through the vDSO: no system call.
/// Thread contract: any thread.
class SystemClock final : public base::Clock {
 public:
  [[nodiscard]] Nanos mono() const noexcept override { return read(CLOCK_MONOTONIC); }
  [[nodiscard]] Nanos real() const noexcept override { return read(CLOCK_REALTIME); }

  /// CLOCK_MONOTONIC as it was at the last tick, up to `coarse_step` ago: costs 5 ns, a quarter.
  [[nodiscard]] static Nanos coarse_mono() noexcept { return read(CLOCK_MONOTONIC_COARSE); }
  [[nodiscard]] static Nanos coarse_step() noexcept {
    timespec step{};
    ::clock_getres(CLOCK_MONOTONIC_COARSE, &step);
    return std::chrono::seconds{step.tv_sec} + Nanos{step.tv_nsec};
  }

 private:
  [[nodiscard]] static Nanos read(clockid_t clock) noexcept {
    timespec at{};
    ::clock_gettime(clock, &at);
    return std::chrono::seconds{at.tv_sec} + Nanos{at.tv_nsec};
  }
};

}  // namespace tensorpool::inline v0::os
