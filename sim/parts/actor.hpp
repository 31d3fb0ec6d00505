// A simulated process.
#pragma once

#include <cstdint>

#include "parts/sim_atom.hpp"
#include "tensorpool/types/time.hpp"

namespace tensorpool::inline v0::sim {

class Actor {
 public:
  Actor() = default;
  Actor(const Actor&) = delete;
  Actor& operator=(const Actor&) = delete;
  virtual ~Actor() = default;

  /// A new process; `life` counts them.
  virtual void start() = 0;
  /// The process is gone, with everything that it did not store in shared memory.
  virtual void bury() = 0;
  /// One duty cycle.
  virtual void run() = 0;
  /// The smallest useful thing, in the middle of another process's operation.
  virtual void run_between() = 0;
  /// Another thread of this process runs, in the middle of what this one is doing.
  virtual void run_beside() {}
  /// Killed, it dies before one of so many next stores, messages or system calls; 0: at once.
  [[nodiscard]] virtual std::uint64_t dies_within() const { return 0; }
  /// It is stopped in the middle of an operation: for marks.
  virtual void stopped_inside() {}
  /// Only another life of this process can go on when faults have stopped.
  [[nodiscard]] virtual bool wants_to_die() const { return false; }
  /// Until the next duty cycle.
  [[nodiscard]] virtual Nanos interval() = 0;

  Process process;
  std::uint32_t life = 0;
  bool alive = false;
  bool busy = false;  ///< preempted in the middle of an operation
};

}  // namespace tensorpool::inline v0::sim
