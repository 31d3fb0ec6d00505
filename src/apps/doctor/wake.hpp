// Measures how quickly, and at what cost, a waiting consumer gets a frame on this host, and says
// which way of waiting to choose.
//
// A producer publishes at a steady rate from one thread, and sleeps in between; a consumer waits on
// another and takes the time from just before the publish to the frame in its hands. Beside it a
// bare futex: the same two threads with nothing between them, which nothing that sleeps can beat.
//
// Thread contract: free functions, one thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

#include "tensorpool/consumer.hpp"
#include "tensorpool/types/error.hpp"
#include "tensorpool/types/time.hpp"
#include "tensorpool/types/wait.hpp"

namespace tensorpool::inline v0::apps::doctor {

struct WakePlan {
  double seconds = 1;  ///< of each measurement
  double rate_hz = 1000;
  Nanos spin_for = WaitStrategy().spin_for;  ///< of kHybrid
};

/// How one way of waiting did.
struct WakeFigures {
  std::string way;  ///< `futex`, or a WaitKind as on the command line
  WaitKind kind = WaitKind::kSpin;
  FollowMode mode = FollowMode::kDescriptors;
  bool is_baseline = false;  ///< the bare futex
  std::uint64_t frames = 0;
  Nanos p50{};
  Nanos p99{};
  double cpu = 0;  ///< of one processor, by the consumer's thread
};

/// `kClosed` once `stop` is set.
[[nodiscard]] Result<std::vector<WakeFigures>> measure_waking(const WakePlan& plan,
                                                              const std::atomic<bool>& stop);

/// One sentence for each case. Pure.
[[nodiscard]] std::vector<std::string> recommend_waiting(const std::vector<WakeFigures>& figures,
                                                         unsigned processors);

}  // namespace tensorpool::inline v0::apps::doctor
