// Spreads what costs a little, a look at the clock and at the ring, over idle polls: about every
// 100 us of them, however often the application polls. Pure.
//
// Thread contract: one thread at a time.
#pragma once

#include <algorithm>
#include <cstdint>

#include "tensorpool/types/time.hpp"

namespace tensorpool::inline v0::core::consumer {

class LookInterval {
 public:
  static constexpr Nanos kWanted = std::chrono::microseconds(100);
  static constexpr std::uint32_t kPollsMax = 256;

  /// One idle poll; true when it is time for a look. The first poll is.
  [[nodiscard]] bool due() noexcept { return --left_ == 0; }

  /// The look found this time: measures how long the last stretch of polls took, and sets the
  /// length of the next.
  void looked(Nanos now) noexcept {
    const Nanos took = std::max(now - last_, Nanos(1));
    last_ = now;
    if (took >= kWanted) {
      polls_ = std::max<std::uint32_t>(
          1, static_cast<std::uint32_t>(static_cast<std::int64_t>(polls_) * kWanted / took));
    } else {
      polls_ = std::min(polls_ * 2, kPollsMax);
    }
    left_ = polls_;
  }

 private:
  std::uint32_t polls_ = 1;
  std::uint32_t left_ = 1;
  Nanos last_{};
};

}  // namespace tensorpool::inline v0::core::consumer
