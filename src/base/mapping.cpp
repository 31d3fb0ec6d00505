#include "tensorpool/types/mapping.hpp"

namespace tensorpool::inline v0 {

std::string_view to_string(MappingState state) noexcept {
  switch (state) {
    case MappingState::kUnmapped:
      return "unmapped";
    case MappingState::kMapped:
      return "mapped";
    case MappingState::kFallback:
      return "fallback";
  }
  return "unknown";
}

std::string_view to_string(UnmapReason reason) noexcept {
  switch (reason) {
    case UnmapReason::kNone:
      return "none";
    case UnmapReason::kHigherEpochAnnounced:
      return "higher_epoch_announced";
    case UnmapReason::kHigherEpochDescribed:
      return "higher_epoch_described";
    case UnmapReason::kSequenceRegression:
      return "sequence_regression";
    case UnmapReason::kRegionMismatch:
      return "region_mismatch";
    case UnmapReason::kAnnounceRejected:
      return "announce_rejected";
    case UnmapReason::kRegionShrunk:
      return "region_shrunk";
    case UnmapReason::kPidChanged:
      return "pid_changed";
    case UnmapReason::kActivityStale:
      return "activity_stale";
    case UnmapReason::kConfigured:
      return "configured";
    case UnmapReason::kClosed:
      return "closed";
    case UnmapReason::kLeaseLost:
      return "lease_lost";
    case UnmapReason::kProducerLeaseEnded:
      return "producer_lease_ended";
    case UnmapReason::kProducerDetached:
      return "producer_detached";
  }
  return "unknown";
}

}  // namespace tensorpool::inline v0
