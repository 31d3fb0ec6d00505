#include "apps/demo/receiving.hpp"

#include <chrono>
#include <optional>

#include "apps/demo/frames.hpp"
#include "apps/demo/producer.hpp"

namespace tensorpool::inline v0::apps::demo {
namespace {

constexpr Nanos kLookPeriod = std::chrono::milliseconds(50);
/// By then a poll has looked at the ring, and the first frame will not be missed.
constexpr Nanos kSettleTime = std::chrono::milliseconds(10);
constexpr Nanos kDrainQuiet = std::chrono::milliseconds(50);

}  // namespace

bool Receiving::run(Nanos duration, Nanos patience, ChildProcess& producer,
                    const std::atomic<bool>& stop) {
  const Nanos give_up_at = clock_.mono() + patience;
  std::optional<Nanos> mapped_at;
  bool begun = false;
  while (!stop.load(std::memory_order_relaxed)) {
    const Nanos now = poll();
    if (!mapped_at && consumer_.state() == MappingState::kMapped) {
      mapped_at = now;
    }
    if (!begun && mapped_at && now - *mapped_at >= kSettleTime) {
      begun = true;
      producer.put_line(kBegin);
    }
    const bool overdue = frames_ == 0 ? now > give_up_at : now - started_ >= duration;
    if (overdue) {
      return frames_ > 0;
    }
    if (now - looked_ >= kLookPeriod) {
      looked_ = now;
      if (!producer.is_running()) {
        return false;
      }
    }
  }
  return frames_ > 0;
}

void Receiving::drain() {
  Nanos now = clock_.mono();
  Nanos heard = now;
  while (now - heard < kDrainQuiet) {
    const std::uint64_t before = frames_;
    now = poll();
    heard = frames_ > before ? now : heard;
  }
}

Progress Receiving::progress() const {
  const ConsumerCounters counters = consumer_.counters();
  return {.frames = frames_,
          .torn = torn_,
          .gaps = counters.drops_gap,
          .late = counters.drops_late,
          .at = clock_.mono()};
}

Nanos Receiving::poll() {
  const PollResult result = consumer_.poll([this](const FrameView& frame) { take(frame); });
  idle_.idle(result.frames);
  const Nanos now = clock_.mono();
  if (now - offered_ >= kDrawPeriod / 2) {
    offered_ = now;
    display_.progress.offer(progress());
  }
  return now;
}

void Receiving::take(const FrameView& frame) {
  const Nanos now = clock_.mono();
  const bool whole = rows_belong_to(frame.bytes(), frame.seq());
  const bool wants_picture = whole && display_.pictures.is_wanted();
  if (wants_picture) {
    sample(frame.bytes(), display_.pictures.slot());
  }
  if (!frame.still_valid()) {
    return;  // overwritten meanwhile: the library counts it as late
  }
  torn_ += whole ? 0 : 1;
  if (wants_picture) {
    display_.pictures.deliver();
  }
  started_ = frames_ == 0 ? now : started_;
  ++frames_;
  newest_at_ = now;
  if (const std::optional<std::uint64_t> captured = frame.timestamp_ns()) {
    display_.latencies.put(now - Nanos(static_cast<std::int64_t>(*captured)));
  }
}

}  // namespace tensorpool::inline v0::apps::demo
