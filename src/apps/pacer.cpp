#include "apps/pacer.hpp"

#include <sys/prctl.h>

#include <algorithm>
#include <chrono>
#include <ctime>

#include "base/relax.hpp"
#include "os/clock.hpp"

namespace tensorpool::inline v0::apps {
namespace {

constexpr Nanos kSpin = std::chrono::microseconds(50);    // wake-ups of an idle machine are later
constexpr Nanos kSlice = std::chrono::milliseconds(100);  // a signal just before the sleep
constexpr Nanos kLateMax = std::chrono::milliseconds(10);

timespec to_timespec(Nanos span) noexcept {
  timespec at{};
  at.tv_sec = static_cast<time_t>(span.count() / 1'000'000'000);
  at.tv_nsec = span.count() % 1'000'000'000;
  return at;
}

}  // namespace

Pacer::Pacer(double hz) noexcept : period_ns_(hz > 0 ? 1e9 / hz : 0) {
  ::prctl(PR_SET_TIMERSLACK, 1UL);  // the kernel's default lets this thread oversleep by 50 us
}

bool Pacer::wait(const std::atomic<bool>& stop, const std::function<void()>& meanwhile) {
  if (period_ns_ == 0) {
    return !stop.load(std::memory_order_relaxed);
  }
  const os::SystemClock clock;
  Nanos now = clock.mono();
  if (ticks_ == 0) {
    start_ = now;
  }
  Nanos due = start_ + Nanos(static_cast<std::int64_t>(static_cast<double>(ticks_) * period_ns_));
  const Nanos late_max = std::max(kLateMax, Nanos(static_cast<std::int64_t>(period_ns_)));
  if (now - due > late_max) {
    slipped_ += static_cast<std::uint64_t>(static_cast<double>((now - due).count()) / period_ns_);
    start_ = now;
    ticks_ = 0;
    due = now;
  }
  ++ticks_;
  while (!stop.load(std::memory_order_relaxed)) {
    now = clock.mono();
    if (now >= due) {
      return true;
    }
    if (due - now > kSpin) {
      const timespec until = to_timespec(std::min(due - kSpin, now + kSlice));
      ::clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, nullptr);
      if (meanwhile && due - clock.mono() > kSlice) {
        meanwhile();
      }
    } else {
      base::relax();
    }
  }
  return false;
}

void sleep_for(Nanos span) noexcept {
  const timespec time = to_timespec(span);
  ::clock_nanosleep(CLOCK_MONOTONIC, 0, &time, nullptr);
}

}  // namespace tensorpool::inline v0::apps
