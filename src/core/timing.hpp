// Periods and timeouts of a stream, with the defaults and the limits of spec §1.24 (W438..W440).
#pragma once

#include "tensorpool/types/error.hpp"
#include "tensorpool/types/time.hpp"

namespace tensorpool::inline v0::core {

struct Timing {
  Nanos announce_period = std::chrono::milliseconds(1000);
  Nanos freshness_window = std::chrono::milliseconds(3000);  ///< 3 announce periods
  Nanos liveness_timeout = std::chrono::milliseconds(5000);  ///< 5 announce periods
  Nanos hello_interval = std::chrono::milliseconds(1000);
  Nanos metadata_period = std::chrono::milliseconds(1000);
  Nanos qos_interval = std::chrono::milliseconds(1000);

  /// As configured: 0 stands for the relation to the announce period that the defaults have.
  [[nodiscard]] static constexpr Timing of(Nanos announce_period, Nanos freshness_window,
                                           Nanos liveness_timeout) noexcept {
    Timing timing = around(announce_period);
    if (freshness_window != Nanos{}) {
      timing.freshness_window = freshness_window;
    }
    if (liveness_timeout != Nanos{}) {
      timing.liveness_timeout = liveness_timeout;
    }
    return timing;
  }

  /// The same relations around another announce period.
  [[nodiscard]] static constexpr Timing around(Nanos announce_period) noexcept {
    return {.announce_period = announce_period,
            .freshness_window = 3 * announce_period,
            .liveness_timeout = 5 * announce_period};
  }
};

/// Refuses a zero or negative period, a freshness window below one period and a liveness timeout
/// below the freshness window (W440).
[[nodiscard]] inline Status check_timing(const Timing& timing) noexcept {
  const auto ms = [](Nanos span) {
    return static_cast<std::uint64_t>(
        std::chrono::duration_cast<std::chrono::milliseconds>(span).count());
  };
  if (timing.announce_period <= Nanos{0}) {
    return fail(Errc::kInvalidArgument, "announce_period_ms", ms(timing.announce_period), 1);
  }
  if (timing.hello_interval <= Nanos{0}) {
    return fail(Errc::kInvalidArgument, "hello_interval_ms", ms(timing.hello_interval), 1);
  }
  if (timing.metadata_period <= Nanos{0}) {
    return fail(Errc::kInvalidArgument, "metadata_period_ms", ms(timing.metadata_period), 1);
  }
  if (timing.qos_interval <= Nanos{0}) {
    return fail(Errc::kInvalidArgument, "qos_interval_ms", ms(timing.qos_interval), 1);
  }
  if (timing.freshness_window < timing.announce_period) {
    return fail(Errc::kInvalidArgument, "freshness window", ms(timing.freshness_window),
                ms(timing.announce_period));
  }
  if (timing.liveness_timeout < timing.freshness_window) {
    return fail(Errc::kInvalidArgument, "liveness_timeout_ms", ms(timing.liveness_timeout),
                ms(timing.freshness_window));
  }
  return {};
}

/// True when a stamp (ns of the clock of `now`) lies within `window` of now, to either side. 0
/// never does. A stamp ahead of now has age 0, not a huge one (W428).
[[nodiscard]] constexpr bool is_fresh(std::uint64_t stamp_ns, Nanos now, Nanos window) noexcept {
  const auto now_ns = static_cast<std::uint64_t>(now.count());
  const auto window_ns = static_cast<std::uint64_t>(window.count());
  if (stamp_ns == 0) {
    return false;
  }
  return stamp_ns > now_ns ? stamp_ns - now_ns <= window_ns : now_ns - stamp_ns <= window_ns;
}

/// Age of a stamp, 0 when it lies ahead (W428).
[[nodiscard]] constexpr Nanos age_of(std::uint64_t stamp_ns, Nanos now) noexcept {
  const auto now_ns = static_cast<std::uint64_t>(now.count());
  return stamp_ns >= now_ns ? Nanos{0} : Nanos{static_cast<std::int64_t>(now_ns - stamp_ns)};
}

}  // namespace tensorpool::inline v0::core
