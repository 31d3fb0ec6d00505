// Which announces a consumer looks at: stream, time, epoch. Spec: §1.11.1 (W213..W222).
//
// Pure. What it lets through still has to describe a possible geometry (core/region/plan) and
// possible regions.
//
// Thread contract: one thread at a time.
#pragma once

#include <cstdint>

#include "base/clock.hpp"
#include "core/timing.hpp"
#include "layout/limits.hpp"

namespace tensorpool::inline v0::core::consumer {

class AnnounceGate {
 public:
  struct Options {
    std::uint32_t stream_id = 0;
    Timing timing = {};
  };

  /// What of an announce is judged here.
  struct Stamp {
    std::uint32_t stream_id = 0;
    std::uint64_t epoch = 0;
    std::uint64_t timestamp_ns = 0;
    bool realtime = false;    ///< REALTIME_SYNCED instead of MONOTONIC
    Nanos image_joined_at{};  ///< now_mono when the image that delivered it became available (W219)
  };

  /// The first check that failed, or kPassed; for tests and for `tp`'s diagnosis. All but kPassed
  /// mean: ignore.
  enum class Verdict : std::uint8_t {
    kPassed,
    kOtherStream,    ///< W213
    kNoEpochOrTime,  ///< W214
    kTooOld,         ///< W215
    kTooNew,         ///< W216
    kBeforeJoin,     ///< W217
    kLowerEpoch,     ///< W220
  };

  explicit AnnounceGate(const Options& options) noexcept : options_(options) {}

  [[nodiscard]] Verdict judge(const Stamp& stamp, const base::Now& now) noexcept {
    if (stamp.stream_id != options_.stream_id) {
      return Verdict::kOtherStream;
    }
    if (!layout::valid_epoch(stamp.epoch) || stamp.timestamp_ns == 0) {
      return Verdict::kNoEpochOrTime;
    }
    const Nanos clock = stamp.realtime ? now.real : now.mono;
    const Nanos window = options_.timing.freshness_window;
    if (age_of(stamp.timestamp_ns, clock) > window) {
      return Verdict::kTooOld;
    }
    if (!is_fresh(stamp.timestamp_ns, clock, window)) {
      return Verdict::kTooNew;
    }
    if (!stamp.realtime &&  // W218
        stamp.timestamp_ns < static_cast<std::uint64_t>(stamp.image_joined_at.count())) {
      return Verdict::kBeforeJoin;
    }
    if (stamp.epoch < highest_epoch(now.mono)) {
      return Verdict::kLowerEpoch;
    }
    highest_epoch_ = stamp.epoch;  // W221
    heard_at_ = now.mono;
    return Verdict::kPassed;
  }

  /// A lease was granted for `epoch`: that counts, even if it is lower than what was observed
  /// (W221, W222).
  void on_attached(std::uint64_t epoch, Nanos now) noexcept {
    highest_epoch_ = epoch;
    heard_at_ = now;
  }

  /// The highest epoch observed, or 0; forgotten after a liveness timeout without an announce of it
  /// (W222).
  [[nodiscard]] std::uint64_t highest_epoch(Nanos now) const noexcept {
    return now - heard_at_ > options_.timing.liveness_timeout ? 0 : highest_epoch_;
  }

 private:
  Options options_;
  std::uint64_t highest_epoch_ = 0;
  Nanos heard_at_{};
};

}  // namespace tensorpool::inline v0::core::consumer
