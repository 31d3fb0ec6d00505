// What the owner of a stream says and refreshes, and when. Spec: §1.10.3 (W203..W212), §1.21
// (W412).
//
// Pure: the caller asks `poll(now)` what is due, sends it, and says whether that worked. A failed
// send stays due and is tried again in a later duty cycle, with a new timestamp (W207, W211).
//
// Thread contract: one thread at a time.
#pragma once

#include <algorithm>
#include <cstdint>

#include "base/fixed_vector.hpp"
#include "core/timing.hpp"

namespace tensorpool::inline v0::core::producer {

class Announcer {
 public:
  struct Options {
    Timing timing = {};
    bool announces_regions = true;  ///< false for a producer under a driver (W205)
    bool has_name = true;           ///< send DataSourceAnnounce, and what belongs to it
    Nanos newcomer_spacing = std::chrono::milliseconds(100);  ///< W210
  };

  struct Due {
    bool announce = false;          ///< ShmPoolAnnounce
    bool data_source = false;       ///< DataSourceAnnounce, and DataSourceMeta if there is a set
    bool refresh_activity = false;  ///< activityTimestampNs of every region
    [[nodiscard]] bool any() const noexcept { return announce || data_source || refresh_activity; }
  };

  Announcer(const Options& options, Nanos now) noexcept
      : options_(options), announce_at_(now), data_source_at_(now), activity_at_(now) {}

  [[nodiscard]] Due poll(Nanos now) const noexcept {
    return {.announce = options_.announces_regions && now >= announce_at_,
            .data_source = options_.has_name && now >= data_source_at_,
            .refresh_activity = now >= activity_at_};
  }

  void announced(Nanos now) noexcept {
    announced_at_ = now;
    announce_at_ = now + options_.timing.announce_period;
  }
  /// There is something to tell, or something else than before: now, and then every period (W370,
  /// W371).
  void data_source_changed() noexcept {
    options_.has_name = true;
    data_source_at_ = Nanos::min();
  }
  void data_source_sent(Nanos now) noexcept {
    data_source_at_ = now + options_.timing.metadata_period;
  }
  /// Activity is refreshed twice per period, so that one late duty cycle does not make it late
  /// (W212).
  void activity_refreshed(Nanos now) noexcept {
    activity_at_ = now + options_.timing.announce_period / 2;
  }

  /// A hello of `consumer_id`: a newcomer need not wait a whole period (W210). At most one extra
  /// announce per `newcomer_spacing`; beyond the table's size everybody counts as known.
  void on_hello(std::uint32_t consumer_id, Nanos now) noexcept {
    if (consumer_id == 0 || std::find(known_.begin(), known_.end(), consumer_id) != known_.end() ||
        !known_.try_push_back(consumer_id)) {
      return;
    }
    const Nanos earliest = std::max(now, announced_at_ + options_.newcomer_spacing);
    announce_at_ = std::min(announce_at_, earliest);
    data_source_at_ = std::min(data_source_at_, earliest);
  }

  [[nodiscard]] Nanos next_deadline() const noexcept {
    Nanos next = activity_at_;
    if (options_.announces_regions) {
      next = std::min(next, announce_at_);
    }
    return options_.has_name ? std::min(next, data_source_at_) : next;
  }

 private:
  Options options_;
  Nanos announce_at_;
  Nanos data_source_at_;
  Nanos activity_at_;
  Nanos announced_at_{};
  base::FixedVector<std::uint32_t, 256> known_;
};

}  // namespace tensorpool::inline v0::core::producer
