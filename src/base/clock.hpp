// The two clocks of the protocol as an interface, so that time can be simulated. Spec: §1.22.
#pragma once

#include "tensorpool/types/time.hpp"

namespace tensorpool::inline v0::base {

/// Both clocks at one instant.
struct Now {
  Nanos mono{};  ///< CLOCK_MONOTONIC
  Nanos real{};  ///< CLOCK_REALTIME
};

/// Thread contract: any thread.
class Clock {
 public:
  Clock() = default;
  Clock(const Clock&) = delete;
  Clock& operator=(const Clock&) = delete;
  virtual ~Clock() = default;

  [[nodiscard]] virtual Nanos mono() const noexcept = 0;
  [[nodiscard]] virtual Nanos real() const noexcept = 0;
  [[nodiscard]] Now now() const noexcept { return {.mono = mono(), .real = real()}; }
};

}  // namespace tensorpool::inline v0::base
