// Runs the simulation in child processes: on several cores, and so that a crash of the code under
// test is reported like any other failure.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <span>
#include <string>

#include "parts/run_stats.hpp"

namespace tensorpool::inline v0::sim {

/// What a worker shares with its parent.
struct Worker {
  static constexpr std::size_t kMarksMax = 256;

  std::atomic<std::uint32_t> world;   ///< where; the caller numbers them
  std::atomic<std::uint64_t> seed;    ///< that is being run
  std::atomic<std::uint64_t> seeds;   ///< that were run
  std::atomic<std::uint64_t> events;  ///< of those
  // Complete when the worker has ended.
  RunStats total;
  std::array<std::uint64_t, kMarksMax> marks;  ///< hits, in the order of Mark::first()
};

enum ExitCode : int {
  kFine = 0,
  kUsage = 2,
  kCrash = 3,
  kSafetyBroken = 4,
  kLivenessBroken = 5,
  kPromiseBroken = 6,  ///< a mark was never hit, or a run was too tame
};

/// How the workers ended: the first failure, or kFine.
struct Outcome {
  int code = kFine;
  std::uint32_t world = 0;  ///< where the failed worker was
  std::uint64_t seed = 0;   ///< that it was running
  std::string said;         ///< what it wrote to stderr
};

/// Runs `work(worker, index)` in `jobs` processes until all have ended well or one has failed.
/// Calls `report` now and then, at least once a second, the last time with `ended` when all have
/// ended well.
[[nodiscard]] Outcome supervise(
    std::uint32_t jobs, const std::function<int(Worker& worker, std::uint32_t index)>& work,
    const std::function<void(std::span<const Worker> workers, bool ended)>& report);

}  // namespace tensorpool::inline v0::sim
