// hot-path: is_due and accepts are a subtraction and a compare or two. No clock, no allocation.
//
// Rate-limited delivery, at the producer (RateCap, one per stream of a consumer's own) and at a
// consumer on the shared stream (RateGate). Pure. Spec: §1.16.
//
// Thread contract: one thread at a time each.
#pragma once

#include <cstdint>

#include "layout/slot.hpp"
#include "tensorpool/types/time.hpp"

namespace tensorpool::inline v0::core::registration {

/// The shortest time between two frames (W336, W338); 0: as they come (W337).
[[nodiscard]] constexpr Nanos interval_of(std::uint32_t max_rate_hz) noexcept {
  return max_rate_hz == 0 ? Nanos{0} : Nanos{1'000'000'000 / max_rate_hz};
}

/// Which frames go out on a stream with a rate cap. What is skipped is not made up for (W336).
class RateCap {
 public:
  /// `interval` may be another one at each call (W337). The first frame is always due.
  [[nodiscard]] bool is_due(Nanos now, Nanos interval) const noexcept {
    return !any_ || now - sent_at_ >= interval;
  }
  void sent(Nanos now) noexcept {
    sent_at_ = now;
    any_ = true;
  }

 private:
  Nanos sent_at_{};
  bool any_ = false;
};

/// The time of a frame, for the gate: of the descriptor, else of the slot, else of its arrival
/// (W339).
struct FrameTime {
  enum class Source : std::uint8_t { kNone, kDescriptor, kSlot, kArrival };

  Source source = Source::kNone;
  std::uint64_t ns = 0;

  [[nodiscard]] static constexpr FrameTime of_descriptor(std::uint64_t ns) noexcept {
    return {.source = Source::kDescriptor, .ns = ns};
  }
  [[nodiscard]] static constexpr FrameTime of_slot(std::uint64_t ns, Nanos now) noexcept {
    return ns != 0 && ns != layout::kTimestampNone
               ? FrameTime{.source = Source::kSlot, .ns = ns}
               : FrameTime{.source = Source::kArrival,
                           .ns = static_cast<std::uint64_t>(now.count())};
  }
};

/// Which frames of the shared stream a rate-limited consumer takes.
class RateGate {
 public:
  /// 0 opens it for good. What was accepted before still counts.
  void set_interval(Nanos interval) noexcept {
    interval_ns_ = static_cast<std::uint64_t>(interval.count());
  }
  [[nodiscard]] bool is_active() const noexcept { return interval_ns_ != 0; }

  /// True, and remembered, when the frame is to be taken (W338). A time that goes back, or comes
  /// from another source, begins anew (W339).
  [[nodiscard]] bool accepts(FrameTime time) noexcept {
    if (time.source == last_.source && time.ns >= last_.ns && time.ns - last_.ns < interval_ns_) {
      return false;
    }
    last_ = time;
    return true;
  }

 private:
  std::uint64_t interval_ns_ = 0;
  FrameTime last_;
};

}  // namespace tensorpool::inline v0::core::registration
