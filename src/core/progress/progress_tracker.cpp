#include "core/progress/progress_tracker.hpp"

namespace tensorpool::inline v0::core::progress {

using layout::FrameProgress;
using State = layout::FrameProgressState;
using Verdict = ProgressTracker::Verdict;

Verdict ProgressTracker::judge_message(const FrameProgress& message) const noexcept {
  if (!options_.wants_progress || message.stream_id != options_.stream_id) {
    return Verdict::kIgnored;  // W356, W357
  }
  if (message.state == State::kUnknown || message.seq >= layout::kSeqLimit) {
    return Verdict::kMalformed;  // W358
  }
  if (epoch_ == 0 || message.epoch != epoch_) {
    return Verdict::kIgnored;  // W357
  }
  if (message.payload_bytes_filled > largest_stride_bytes_) {
    return Verdict::kRejected;  // W362
  }
  const Tracked& tracked = slots_[index_of(message.seq)];
  if (tracked.state != State::kUnknown &&
      (message.seq < tracked.seq ||  // W360
       (message.seq == tracked.seq &&
        (message.state < tracked.state || message.payload_bytes_filled < tracked.bytes)))) {
    return Verdict::kRejected;  // W359
  }
  return Verdict::kInformation;
}

Verdict ProgressTracker::judge_slot(const FrameProgress& message, const Prefix& prefix) noexcept {
  if (prefix.readable) {
    return message.payload_bytes_filled > prefix.values_len_bytes ? Verdict::kRejected
                                                                  : Verdict::kPrefix;  // W364
  }
  switch (prefix.standing) {
    case SlotStanding::kInProgress:
      return Verdict::kInformation;  // W363
    case SlotStanding::kEarlier:
      return message.state == State::kStarted ? Verdict::kInformation : Verdict::kRejected;  // W365
    default:
      return Verdict::kRejected;  // W364, W365
  }
}

void ProgressTracker::track(const FrameProgress& message) noexcept {
  slots_[index_of(message.seq)] = {
      .seq = message.seq, .bytes = message.payload_bytes_filled, .state = message.state};
}

}  // namespace tensorpool::inline v0::core::progress
