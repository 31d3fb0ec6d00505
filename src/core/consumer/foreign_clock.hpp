// Tells announces that bear another clock from announces that came late. Spec: §1.11.1 (W215,
// W216).
//
// A process that was stopped finds announces that have grown old meanwhile: each lies nearer to now
// than the one before. Where the distance stays as it was while time went by, the sides have
// different clocks: another time namespace, or a CLOCK_REALTIME that nobody sets.
//
// Pure. Thread contract: one thread at a time.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <optional>

#include "base/clock.hpp"
#include "tensorpool/types/error.hpp"
#include "tensorpool/types/time.hpp"

namespace tensorpool::inline v0::core::consumer {

class ForeignClock {
 public:
  explicit ForeignClock(Nanos announce_period) noexcept : announce_period_(announce_period) {}

  /// An announce bore a time of ours.
  void on_passed() noexcept { first_.reset(); }

  /// An announce was refused for being too old or too new. Says why, with both clocks' values, once
  /// it is certain: from the second one on, at least half a period after the first.
  [[nodiscard]] std::optional<Error> on_refused(std::uint64_t stamp_ns, bool realtime,
                                                const base::Now& now) noexcept {
    const Nanos clock = realtime ? now.real : now.mono;
    const std::uint64_t ahead = stamp_ns - static_cast<std::uint64_t>(clock.count());
    if (!first_ || first_->realtime != realtime || !is_near(ahead, first_->ahead)) {
      first_ = {.ahead = ahead, .realtime = realtime, .at = now.mono};
    }
    return now.mono - first_->at < announce_period_ / 2
               ? std::nullopt
               : std::optional(mismatch(stamp_ns, clock, realtime));
  }

 private:
  struct Sighting {
    std::uint64_t ahead = 0;  ///< of the announce to the clock, modulo 2^64
    bool realtime = false;
    Nanos at{};
  };

  [[nodiscard]] bool is_near(std::uint64_t a, std::uint64_t b) const noexcept {
    const auto jitter = static_cast<std::uint64_t>(announce_period_.count()) / 4;
    return a - b <= jitter || b - a <= jitter;
  }

  [[nodiscard]] static Error mismatch(std::uint64_t stamp_ns, Nanos clock, bool realtime) noexcept {
    const double theirs = static_cast<double>(stamp_ns) / 1e9;
    const double ours = static_cast<double>(clock.count()) / 1e9;
    char text[sizeof(Error::subject)];
    std::snprintf(text, sizeof(text), "%s: announcer's %.1f s, ours %.1f s: %s by %.1f s",
                  realtime ? "CLOCK_REALTIME" : "CLOCK_MONOTONIC", theirs, ours,
                  theirs > ours ? "ahead" : "behind", std::abs(theirs - ours));
    return make_error(Errc::kClockMismatch, text);
  }

  Nanos announce_period_;
  std::optional<Sighting> first_;
};

}  // namespace tensorpool::inline v0::core::consumer
