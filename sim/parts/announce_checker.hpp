// Which announces a consumer has to ignore: the rules of §1.11.1, read a second time and straight
// from the specification.
#pragma once

#include <cstdint>

#include "base/clock.hpp"
#include "core/timing.hpp"
#include "layout/messages_900.hpp"

namespace tensorpool::inline v0::sim {

class AnnounceChecker {
 public:
  AnnounceChecker(std::uint32_t stream_id, const core::Timing& timing) noexcept
      : stream_id_(stream_id), timing_(timing) {}

  /// True when `announce` must have no effect. To be asked once about each announce, in order.
  [[nodiscard]] bool must_be_ignored(const layout::ShmPoolAnnounce& announce, Nanos joined_at,
                                     const base::Now& now) noexcept {
    if (announce.stream_id != stream_id_ ||  // W213
        announce.epoch == 0 || announce.epoch == ~std::uint64_t{0} ||
        announce.announce_timestamp_ns == 0) {  // W214
      return true;
    }
    const bool monotonic = announce.announce_clock_domain == layout::ClockDomain::kMonotonic;
    const auto stamp = static_cast<std::int64_t>(announce.announce_timestamp_ns);
    const std::int64_t age = (monotonic ? now.mono : now.real).count() - stamp;
    const std::int64_t window = timing_.freshness_window.count();
    if (age > window || -age > window || (monotonic && stamp < joined_at.count())) {
      return true;  // W215, W216, W217, W218
    }
    const bool remembered = now.mono - heard_at_ <= timing_.liveness_timeout;  // W222
    if (remembered && announce.epoch < highest_) {
      return true;  // W220
    }
    highest_ = announce.epoch;  // W221
    heard_at_ = now.mono;
    return false;
  }
  /// A lease was granted for `epoch`: that counts, whatever was heard before (W221, W222).
  void attached(std::uint64_t epoch, Nanos now) noexcept {
    highest_ = epoch;
    heard_at_ = now;
  }

 private:
  std::uint32_t stream_id_;
  core::Timing timing_;
  std::uint64_t highest_ = 0;
  Nanos heard_at_{};
};

}  // namespace tensorpool::inline v0::sim
