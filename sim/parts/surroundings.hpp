// What every simulated process meets: time, and a judge.
#pragma once

#include "parts/verdict.hpp"
#include "parts/virtual_clock.hpp"

namespace tensorpool::inline v0::sim {

struct Surroundings {
  VirtualClock clock;
  Verdict verdict;
  bool healed = false;    ///< no faults any more
  bool finished = false;  ///< no frames any more
};

}  // namespace tensorpool::inline v0::sim
