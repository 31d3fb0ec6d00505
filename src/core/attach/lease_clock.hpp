// When the keepalives of a lease are due, and when the lease is over. Spec: §2.10 (D121,
// D140..D144).
//
// The driver extends a lease whenever it hears a keepalive, and does not say so. The client
// therefore moves its own deadline with every keepalive it got out, by the duration it was granted.
//
// Pure. Thread contract: one thread at a time.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>

#include "base/assert.hpp"
#include "tensorpool/types/time.hpp"

namespace tensorpool::inline v0::core::attach {

class LeaseClock {
 public:
  /// No lease.
  LeaseClock() = default;

  /// `expiry`: leaseExpiryTimestampNs, later than `now`; nothing: the lease has no end of its own
  /// (D121). `now`: when the response was received. `interval`: the configured one.
  LeaseClock(std::optional<std::uint64_t> expiry, Nanos now, Nanos interval) noexcept
      : interval_(interval) {
    if (expiry) {
      deadline_ = instant(*expiry);
      granted_ = deadline_ - now;
      TP_ASSERT(granted_ > Nanos{0});
      interval_ = std::max(std::min(interval, granted_ / 3), Nanos{1});
    }
    keepalive_at_ = now + interval_;
  }

  /// A keepalive was sent at `now` (D141).
  void sent(Nanos now) noexcept {
    keepalive_at_ = now + interval_;
    if (granted_ != Nanos{0}) {
      deadline_ = std::max(deadline_, now + std::min(granted_, kForEver - now));
    }
  }

  [[nodiscard]] bool is_due(Nanos now) const noexcept { return now >= keepalive_at_; }
  /// Still unsent one interval after it became due (D144).
  [[nodiscard]] bool is_overdue(Nanos now) const noexcept {
    return now - keepalive_at_ >= interval_;
  }
  /// D142.
  [[nodiscard]] bool has_lapsed(Nanos now) const noexcept { return now >= deadline_; }

  [[nodiscard]] Nanos keepalive_at() const noexcept { return keepalive_at_; }
  [[nodiscard]] Nanos deadline() const noexcept { return deadline_; }
  [[nodiscard]] Nanos interval() const noexcept { return interval_; }

  /// A timestamp of the wire, or the end of time when it lies beyond.
  [[nodiscard]] static constexpr Nanos instant(std::uint64_t timestamp_ns) noexcept {
    constexpr auto kLast = static_cast<std::uint64_t>(kForEver.count());
    return Nanos{static_cast<Nanos::rep>(std::min(timestamp_ns, kLast))};
  }

 private:
  static constexpr Nanos kForEver = Nanos::max();

  Nanos interval_{1};
  Nanos granted_{};  ///< 0: no deadline
  Nanos deadline_ = kForEver;
  Nanos keepalive_at_ = kForEver;
};

}  // namespace tensorpool::inline v0::core::attach
