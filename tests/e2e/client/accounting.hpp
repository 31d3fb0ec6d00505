// The accounting identity through public counters (types/counters.hpp): between two moments of one
// mapping, `last_seq` grows by as many numbers as the counters account for.
#pragma once

#include <cstdint>

#include "tensorpool/consumer.hpp"

namespace tensorpool::test {

/// Numbers accounted for, up to a constant of the mapping.
[[nodiscard]] inline std::uint64_t accounted(const ConsumerCounters& counters) {
  return counters.frames_ok + (counters.drops_late - counters.implausible) + counters.drops_gap +
         counters.drops_rate_limited + counters.rate_skips + counters.skipped_by_reader -
         counters.changed_after_use;
}

/// Remembers a moment between two polls, after the first frame of a mapping.
class Reckoning {
 public:
  explicit Reckoning(const Consumer& consumer)
      : last_seq_(consumer.last_seq()), accounted_(test::accounted(consumer.counters())) {}
  [[nodiscard]] std::uint64_t tracked(const Consumer& consumer) const {
    return consumer.last_seq() - last_seq_;
  }
  [[nodiscard]] std::uint64_t accounted(const Consumer& consumer) const {
    return test::accounted(consumer.counters()) - accounted_;
  }

 private:
  std::uint64_t last_seq_;
  std::uint64_t accounted_;
};

}  // namespace tensorpool::test
