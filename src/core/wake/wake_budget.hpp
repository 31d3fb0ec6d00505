// Bounds what waking costs a producer, whoever arms and how often: so many calls at once, and so
// many a second. Pure.
//
// A call that is refused is made up for by the next frame, as long as the arming stands: a stream
// that is fast enough to be refused brings one soon. Behind the last frame of a burst a consumer
// may sleep out its bound.
//
// Thread contract: one thread at a time.
#pragma once

#include <algorithm>
#include <cstdint>

#include "tensorpool/types/time.hpp"

namespace tensorpool::inline v0::core::wake {

class WakeBudget {
 public:
  struct Options {
    std::uint32_t burst = 256;                       ///< calls at once, after a rest
    Nanos interval = std::chrono::microseconds(50);  ///< for each call; 20,000 a second
  };

  explicit WakeBudget(Options options) noexcept : options_(options) {}

  /// A call is wanted: true when it may be made. `now` never decreases.
  [[nodiscard]] bool take(Nanos now) noexcept {
    // The time up to which calls are paid for: never behind what a full purse is worth.
    const Nanos floor = now - options_.interval * (options_.burst - 1);
    const Nanos paid = std::max(paid_until_, floor);
    if (paid > now) {
      return false;
    }
    paid_until_ = paid + options_.interval;
    return true;
  }

 private:
  Options options_;
  Nanos paid_until_{Nanos::min() / 2};
};

}  // namespace tensorpool::inline v0::core::wake
