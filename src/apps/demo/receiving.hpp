// The half of `tp demo` that receives: frames are checked, measured and, where wanted, drawn.
//
// Thread contract: the thread that receives does nothing else; what is shown goes through queues
// that it never waits for.
#pragma once

#include <atomic>
#include <cstdint>
#include <thread>

#include "agents/idle.hpp"
#include "apps/child_process.hpp"
#include "apps/demo/display.hpp"
#include "os/clock.hpp"
#include "tensorpool/consumer.hpp"

namespace tensorpool::inline v0::apps::demo {

/// Receives until the time is over, and then to the last frame.
class Receiving {
 public:
  Receiving(Consumer& consumer, Display& display) : consumer_(consumer), display_(display) {}

  /// True when frames came; false when none came within `patience`, or the producer is gone.
  [[nodiscard]] bool run(Nanos duration, Nanos patience, ChildProcess& producer,
                         const std::atomic<bool>& stop);
  /// Reads what is left, once the producer has stopped.
  void drain();
  [[nodiscard]] Progress progress() const;
  [[nodiscard]] Nanos span() const noexcept { return newest_at_ - started_; }

 private:
  /// Returns the time.
  Nanos poll();
  void take(const FrameView& frame);

  Consumer& consumer_;
  Display& display_;
  const os::SystemClock clock_;
  // With a processor of its own it may spin, which shows what the transport is capable of.
  agents::Idle idle_{{.kind = std::thread::hardware_concurrency() > 1
                                  ? agents::IdleKind::kYield
                                  : agents::IdleKind::kBackoff}};
  std::uint64_t frames_ = 0;
  std::uint64_t torn_ = 0;
  Nanos started_{};
  Nanos newest_at_{};
  Nanos looked_{};
  Nanos offered_{};
};

}  // namespace tensorpool::inline v0::apps::demo
