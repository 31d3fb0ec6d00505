// Holds back a producer that dies again and again, so that it cannot have gigabytes provisioned as
// fast as it is restarted.
//
// A producer lease that ends by expiry or revocation within kLongEnough is a death. The first one
// costs nothing; from the second in a row on, the next producer of the stream waits 1, 2, 4 … 32 s
// for its regions. A producer that lives longer, or a minute without a death, clears the account.
// Only attaches of producers wait: the epoch that follows the end of a lease (D151) is provisioned
// at once, so that consumers are not punished.
//
// Thread contract: one thread at a time. Spec: none; what clients see stays within D66 and D345.
#pragma once

#include <algorithm>
#include <cstdint>

#include "tensorpool/types/time.hpp"

namespace tensorpool::inline v0::core::driver {

class CrashLoop {
 public:
  static constexpr Nanos kLongEnough = std::chrono::seconds(10);
  static constexpr Nanos kFirstHold = std::chrono::seconds(1);
  static constexpr Nanos kHoldMax = std::chrono::seconds(32);
  static constexpr Nanos kForgottenAfter = std::chrono::seconds(60);

  /// A producer lease has ended after the client showed signs of life for `lived`; `died`: by
  /// expiry or revocation.
  void on_lease_ended(Nanos lived, bool died, Nanos now) noexcept {
    if (lived >= kLongEnough || (deaths_ > 0 && now - last_death_ >= kForgottenAfter)) {
      *this = CrashLoop();
    }
    if (lived >= kLongEnough || !died) {
      return;
    }
    ++deaths_;
    last_death_ = now;
    if (deaths_ > 1) {
      hold_ = hold_ == Nanos{} ? kFirstHold : std::min(2 * hold_, kHoldMax);
    }
  }

  /// When a producer may have regions again.
  [[nodiscard]] Nanos held_until() const noexcept { return last_death_ + hold_; }
  [[nodiscard]] bool holds(Nanos now) const noexcept {
    return hold_ != Nanos{} && now < held_until();
  }
  [[nodiscard]] std::uint32_t deaths() const noexcept { return deaths_; }

 private:
  std::uint32_t deaths_ = 0;  ///< in a row
  Nanos last_death_{};
  Nanos hold_{};
};

}  // namespace tensorpool::inline v0::core::driver
