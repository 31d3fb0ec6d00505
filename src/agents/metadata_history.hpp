// The metadata sets of one stream that a consumer has heard: the newest, and those that its frames
// may refer to. Spec: §1.18.
//
// A set arrives apart from the frames of its version, before or after them (W382); so a frame looks
// its set up when it is asked, and the last few sets are kept.
//
// Thread contract: any thread; one lock, which neither poll nor publish takes.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>

#include "tensorpool/types/metadata.hpp"

namespace tensorpool::inline v0::detail {

class MetadataHistory {
 public:
  /// The newest from now on. One with the same epoch and version takes the place of the older.
  void put(std::shared_ptr<const MetadataSet> set);
  /// There is no newest one any more (W377); frames still find theirs, by their epoch. Sets whose
  /// epoch was not known yet (0) are forgotten: they might be taken for the next producer's.
  void clear();

  /// Null when there is none.
  [[nodiscard]] std::shared_ptr<const MetadataSet> latest() const;
  /// That of a frame; null when it was not heard, or is too long ago.
  [[nodiscard]] std::shared_ptr<const MetadataSet> find(std::uint64_t epoch,
                                                        std::uint32_t version) const;

 private:
  static constexpr std::size_t kSetsMax = 16;

  mutable std::mutex mutex_;
  std::shared_ptr<const MetadataSet> latest_;
  std::deque<std::shared_ptr<const MetadataSet>> sets_;  // newest first
};

}  // namespace tensorpool::inline v0::detail
