// What really happened, for the checkers.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <utility>

#include "parts/plans.hpp"

namespace tensorpool::inline v0::sim {

/// One epoch of one stream.
struct EpochTruth {
  std::uint32_t stream_id = 0;
  std::uint64_t epoch = 0;
  Geometry geometry;
  std::set<std::uint64_t> aborted{};  ///< numbers that were taken and never committed
  std::uint64_t committed = 0;        ///< frames
  std::uint64_t newest = 0;           ///< committed number, when there is one
};

class Truth {
 public:
  EpochTruth& begin(std::uint32_t stream_id, std::uint64_t epoch, const Geometry& geometry) {
    current_[stream_id] = epoch;
    return epochs_
        .emplace(Key{stream_id, epoch},
                 EpochTruth{.stream_id = stream_id, .epoch = epoch, .geometry = geometry})
        .first->second;
  }
  /// Precondition: it has begun.
  [[nodiscard]] const EpochTruth& of(std::uint32_t stream_id, std::uint64_t epoch) const {
    return epochs_.at({stream_id, epoch});
  }
  [[nodiscard]] EpochTruth* find(std::uint32_t stream_id, std::uint64_t epoch) {
    const auto found = epochs_.find({stream_id, epoch});
    return found == epochs_.end() ? nullptr : &found->second;
  }
  /// The epoch that began last; 0 for none.
  [[nodiscard]] std::uint64_t current(std::uint32_t stream_id) const {
    const auto found = current_.find(stream_id);
    return found == current_.end() ? 0 : found->second;
  }
  [[nodiscard]] std::size_t epochs() const noexcept { return epochs_.size(); }

  std::uint64_t frames = 0;  ///< committed in all epochs
  std::uint64_t laps = 0;    ///< times that a ring was filled once more

 private:
  using Key = std::pair<std::uint32_t, std::uint64_t>;

  std::map<Key, EpochTruth> epochs_;
  std::map<std::uint32_t, std::uint64_t> current_;
};

}  // namespace tensorpool::inline v0::sim
