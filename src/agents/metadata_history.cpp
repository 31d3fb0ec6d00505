#include "agents/metadata_history.hpp"

#include <algorithm>
#include <utility>

namespace tensorpool::inline v0::detail {

void MetadataHistory::put(std::shared_ptr<const MetadataSet> set) {
  const std::lock_guard lock(mutex_);
  latest_ = set;
  std::erase_if(sets_, [&](const auto& one) {
    return one->epoch == set->epoch && one->version == set->version;
  });
  sets_.push_front(std::move(set));
  if (sets_.size() > kSetsMax) {
    sets_.pop_back();
  }
}

void MetadataHistory::clear() {
  const std::lock_guard lock(mutex_);
  latest_.reset();
  std::erase_if(sets_, [](const auto& one) { return one->epoch == 0; });
}

std::shared_ptr<const MetadataSet> MetadataHistory::latest() const {
  const std::lock_guard lock(mutex_);
  return latest_;
}

std::shared_ptr<const MetadataSet> MetadataHistory::find(std::uint64_t epoch,
                                                         std::uint32_t version) const {
  const std::lock_guard lock(mutex_);
  const auto found = std::find_if(sets_.begin(), sets_.end(), [&](const auto& set) {
    return set->version == version && (set->epoch == epoch || set->epoch == 0);
  });
  return found == sets_.end() ? nullptr : *found;
}

}  // namespace tensorpool::inline v0::detail
