#include "core/region/cleanup.hpp"

namespace tensorpool::inline v0::core::region {

bool outside_window(std::uint64_t instant, Nanos now, Nanos window) noexcept {
  const auto at = static_cast<std::uint64_t>(now.count());
  const auto allowed = static_cast<std::uint64_t>(window.count());
  return (instant > at ? instant - at : at - instant) > allowed;
}

EpochVerdict judge_epoch(const EpochEvidence& evidence, std::uint64_t current_epoch, base::Now now,
                         Nanos freshness_window) noexcept {
  if (evidence.epoch == current_epoch) {
    return EpochVerdict::kCurrent;
  }
  if (!evidence.header_valid) {
    return outside_window(evidence.newest_change_ns, now.real, freshness_window)
               ? EpochVerdict::kRemove
               : EpochVerdict::kFresh;
  }
  if (!outside_window(evidence.activity_ns, now.mono, freshness_window)) {
    return EpochVerdict::kFresh;
  }
  return evidence.owner_alive ? EpochVerdict::kOwnerAlive : EpochVerdict::kRemove;
}

}  // namespace tensorpool::inline v0::core::region
