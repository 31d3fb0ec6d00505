// How long a client waits before it tries to attach again. Spec: §2.20 (D308, D309).
//
// Pure. Thread contract: one thread at a time.
#pragma once

#include <algorithm>
#include <cstdint>

#include "base/random.hpp"
#include "tensorpool/types/time.hpp"

namespace tensorpool::inline v0::core::attach {

class Backoff {
 public:
  static constexpr Nanos kFirst = std::chrono::milliseconds(100);
  static constexpr Nanos kLongest = std::chrono::milliseconds(3200);
  static constexpr std::uint64_t kJitterPercent = 20;

  /// The delay after one more failure: doubled each time, and up to a fifth longer, so that the
  /// clients of a driver that was restarted do not all come back at once.
  [[nodiscard]] Nanos next(base::Random& random) noexcept {
    const Nanos delay = delay_;
    delay_ = std::min(2 * delay_, kLongest);
    const auto jitter = static_cast<std::uint64_t>(delay.count()) * kJitterPercent / 100;
    return delay + Nanos{static_cast<Nanos::rep>(random.below(jitter + 1))};
  }
  void reset() noexcept { delay_ = kFirst; }

 private:
  Nanos delay_ = kFirst;
};

}  // namespace tensorpool::inline v0::core::attach
