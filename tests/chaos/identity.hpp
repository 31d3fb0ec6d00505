// The accounting identity through the public counters (types/counters.hpp), kept up over mappings.
#pragma once

#include <cstdint>

#include "tensorpool/consumer.hpp"

namespace tensorpool::chaos {

class Identity {
 public:
  /// After a poll, on the polling thread. False when numbers are missing in the accounts, or too
  /// many are there.
  [[nodiscard]] bool holds(const Consumer& consumer) {
    const std::uint64_t epoch = consumer.epoch();
    const ConsumerCounters counters = consumer.counters();
    const std::uint64_t accounted =
        counters.frames_ok + (counters.drops_late - counters.implausible) + counters.drops_gap +
        counters.drops_rate_limited + counters.rate_skips + counters.skipped_by_reader -
        counters.changed_after_use;
    if (epoch != epoch_ || !begun_) {  // tracking begins with the first frame of a mapping
      epoch_ = epoch;
      begun_ = epoch != 0 && accounted != accounted_;
      accounted_ = accounted;
      last_seq_ = consumer.last_seq();
      return true;
    }
    return consumer.last_seq() - last_seq_ == accounted - accounted_;
  }

 private:
  std::uint64_t epoch_ = 0;
  std::uint64_t accounted_ = 0;
  std::uint64_t last_seq_ = 0;
  bool begun_ = false;
};

}  // namespace tensorpool::chaos
