// How a consumer waits for frames. Decision: docs/adr/0030; advice: docs/guide/waiting.md.
#pragma once

#include <chrono>
#include <cstdint>

#include "tensorpool/types/time.hpp"

namespace tensorpool::inline v0 {

/// From the shortest reaction to the least work.
enum class WaitKind : std::uint8_t {
  kSpin,     ///< looks all the time: takes a whole processor
  kYield,    ///< the same, while nobody else wants the processor
  kBackoff,  ///< spins, yields, then pauses for up to 1 ms, which is then its delay
  kPark,     ///< sleeps until the producer wakes it
  kHybrid,   ///< spins for `spin_for`, then sleeps until the producer wakes it
};

/// A consumer sleeps only where its producer wakes it. Where it does not, by another
/// implementation or without `StreamOptions::wakes_consumers`, kPark and kHybrid spin for
/// `spin_for` and then pause for up to 1 ms (`Consumer::can_park`).
struct WaitStrategy {
  WaitKind kind = WaitKind::kHybrid;
  Nanos spin_for = std::chrono::microseconds(20);
};

}  // namespace tensorpool::inline v0
