// Time of a simulated run, and what is to happen when.
//
// Time stands still while an event is handled, unless the process that handles it is preempted for
// longer (stage.hpp).
#pragma once

#include <cstdint>
#include <queue>
#include <vector>

#include "base/assert.hpp"
#include "base/clock.hpp"

namespace tensorpool::inline v0::sim {

class VirtualClock final : public base::Clock {
 public:
  [[nodiscard]] Nanos mono() const noexcept override { return mono_; }
  [[nodiscard]] Nanos real() const noexcept override { return mono_ + real_ahead_; }

  void advance_to(Nanos mono) noexcept {
    TP_ASSERT(mono >= mono_);
    mono_ = mono;
  }
  /// Somebody sets the wall clock.
  void jump_real(Nanos by) noexcept { real_ahead_ += by; }

 private:
  Nanos mono_ = std::chrono::hours(1);
  Nanos real_ahead_ = std::chrono::hours(24 * 365 * 55);
};

enum class EventKind : std::uint8_t {
  kWake,
  kCrash,
  kRestart,
  kPause,
  kStrike,  ///< a fault of the world's own
};

struct Event {
  Nanos at{};
  std::uint64_t order = 0;  ///< of equal times, the one that was put in first
  EventKind kind = EventKind::kWake;
  std::uint32_t actor = 0;
  std::uint32_t life = 0;    ///< the actor's, when planned; a wake of an earlier life is void
  std::uint32_t strike = 0;  ///< which one, as the world numbers them

  friend bool operator>(const Event& a, const Event& b) noexcept {
    return a.at != b.at ? a.at > b.at : a.order > b.order;
  }
};

class EventQueue {
 public:
  void put(Event event) {
    event.order = next_order_++;
    events_.push(event);
  }
  /// True and `out` is the next event, when one is due by `until`.
  [[nodiscard]] bool take(Nanos until, Event& out) {
    if (events_.empty() || events_.top().at > until) {
      return false;
    }
    out = events_.top();
    events_.pop();
    return true;
  }

 private:
  std::priority_queue<Event, std::vector<Event>, std::greater<>> events_;
  std::uint64_t next_order_ = 0;
};

}  // namespace tensorpool::inline v0::sim
