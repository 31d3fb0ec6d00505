// Runs the simulation in a child process, so that a crash of the code under test is reported like
// any other failure: the command that replays it first, then what the child had to say.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>

namespace tensorpool::inline v0::sim {

/// What the child shares with its parent.
struct Watched {
  std::atomic<std::uint64_t> seed;  ///< that is being run
};

enum ExitCode : int {
  kFine = 0,
  kUsage = 2,
  kCrash = 3,
  kSafetyBroken = 4,
  kLivenessBroken = 5,
  kPromiseBroken = 6,  ///< a mark was never hit, a run was too tame, or a planted bug was not found
};

/// Runs `work` in a child and returns its exit code, or kCrash after `report_crash(seed)` when the
/// child did not end by itself.
[[nodiscard]] int supervise(const std::function<int(Watched&)>& work,
                            const std::function<void(std::uint64_t seed)>& report_crash);

}  // namespace tensorpool::inline v0::sim
