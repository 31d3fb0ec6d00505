// One simulated run, of whichever world: from the first to the last event.
#pragma once

#include "parts/run_stats.hpp"
#include "parts/verdict.hpp"

namespace tensorpool::inline v0::sim {

class World {
 public:
  World() = default;
  World(const World&) = delete;
  World& operator=(const World&) = delete;
  virtual ~World() = default;

  /// Runs from the first to the last event; the verdict tells.
  virtual void run() = 0;
  [[nodiscard]] virtual const Verdict& verdict() const = 0;
  [[nodiscard]] virtual RunStats stats() const = 0;
};

}  // namespace tensorpool::inline v0::sim
