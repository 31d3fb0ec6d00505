#include "core/progress/progress_sender.hpp"

#include <algorithm>

namespace tensorpool::inline v0::core::progress {

using Answer = ProgressSender::Answer;

Result<ProgressSender> ProgressSender::create(const Options& options) {
  if (const Status fine = check_settings(options.settings); !fine) {
    return fail(fine.error());
  }
  return ProgressSender(options);
}

void ProgressSender::set_wishes(std::span<const Hints> live) noexcept {
  wanted_ = !live.empty();
  effective_ = combine(live, options_.settings);
}

std::vector<ProgressSender::Frame>::iterator ProgressSender::find(std::uint64_t seq) noexcept {
  return std::find_if(frames_.begin(), frames_.end(),
                      [seq](const Frame& frame) { return frame.seq == seq; });
}

Answer ProgressSender::on_claimed(std::uint64_t seq, Nanos now) noexcept {
  if (!wanted_ || frames_.size() == options_.frames_max) {
    return std::nullopt;
  }
  frames_.push_back({.seq = seq, .told_at = now});
  return Report{.seq = seq, .bytes = 0, .state = State::kStarted};
}

Answer ProgressSender::on_filled(std::uint64_t seq, std::uint64_t bytes, ProgressUnit unit,
                                 std::uint32_t stride_bytes, Nanos now) noexcept {
  const auto frame = find(seq);
  if (frame == frames_.end()) {
    return std::nullopt;
  }
  frame->filled = std::max(frame->filled, bytes);
  frame->unit = unit;
  frame->stride_bytes = stride_bytes;
  return wanted_ && now >= due_at(*frame) ? tell(*frame, now) : std::nullopt;
}

/// From when on the remembered value may be told (W347, W352).
Nanos ProgressSender::due_at(const Frame& frame) const noexcept {
  const std::uint64_t grown = frame.filled - frame.told;
  if (grown == 0 || grown < threshold_bytes(effective_, frame.unit, frame.stride_bytes)) {
    return Nanos::max();
  }
  return std::max(frame.told_at + effective_.interval, cap_.allowed_at());
}

Answer ProgressSender::tell(Frame& frame, Nanos now) noexcept {
  cap_.on_event(now);
  frame.told = frame.filled;
  frame.told_at = now;
  return Report{.seq = frame.seq, .bytes = frame.told, .state = State::kProgress};
}

Answer ProgressSender::poll(Nanos now) noexcept {
  if (wanted_) {
    for (Frame& frame : frames_) {
      if (now >= due_at(frame)) {
        return tell(frame, now);
      }
    }
  }
  return std::nullopt;
}

Answer ProgressSender::on_committed(std::uint64_t seq, std::uint64_t values_len_bytes) noexcept {
  const std::uint64_t told = told_bytes(seq);
  on_aborted(seq);
  if (!wanted_ || values_len_bytes < told) {
    return std::nullopt;
  }
  return Report{.seq = seq, .bytes = values_len_bytes, .state = State::kComplete};
}

void ProgressSender::on_aborted(std::uint64_t seq) noexcept {
  if (const auto frame = find(seq); frame != frames_.end()) {
    frames_.erase(frame);
  }
}

std::uint64_t ProgressSender::told_bytes(std::uint64_t seq) const noexcept {
  const auto frame = std::find_if(frames_.begin(), frames_.end(),
                                  [seq](const Frame& one) { return one.seq == seq; });
  return frame == frames_.end() ? 0 : frame->told;
}

Nanos ProgressSender::next_deadline() const noexcept {
  Nanos next = Nanos::max();
  if (wanted_) {
    for (const Frame& frame : frames_) {
      next = std::min(next, due_at(frame));
    }
  }
  return next;
}

}  // namespace tensorpool::inline v0::core::progress
