// To which epoch the consumers of a stream have moved: a lease refers to the epoch that it was
// attached to until a newer one has been announced for long enough.
//
// For the driver's machine, which must not have an epoch deleted that a consumer may still be
// about to map. Thread contract: one thread at a time. Spec: §2.14.
#pragma once

#include <cstdint>
#include <deque>
#include <vector>

#include "tensorpool/types/time.hpp"

namespace tensorpool::inline v0::core::driver {

class AnnouncedEpochs {
 public:
  /// `epoch`, above all before it, is announced for the first time.
  void announced(std::uint64_t epoch, Nanos now) { recent_.push_back({epoch, now}); }

  /// The newest epoch that has been announced for at least `age`; 0 for none.
  [[nodiscard]] std::uint64_t settled(Nanos age, Nanos now) {
    while (!recent_.empty() && now - recent_.front().since >= age) {
      settled_ = recent_.front().epoch;
      recent_.pop_front();
    }
    return settled_;
  }
  /// Those after the settled one, ascending: what leases are going to refer to.
  [[nodiscard]] std::vector<std::uint64_t> unsettled() const {
    std::vector<std::uint64_t> epochs;
    for (const Announced& recent : recent_) {
      epochs.push_back(recent.epoch);
    }
    return epochs;
  }

 private:
  struct Announced {
    std::uint64_t epoch = 0;
    Nanos since{};
  };
  std::deque<Announced> recent_;  ///< not yet settled, oldest first
  std::uint64_t settled_ = 0;
};

}  // namespace tensorpool::inline v0::core::driver
