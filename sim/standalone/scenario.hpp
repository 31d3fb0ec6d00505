// Everything that one seed decides in the world without a driver: the swarm. Each run switches on
// another mixture of faults.
#pragma once

#include <cstdint>
#include <vector>

#include "parts/plans.hpp"

namespace tensorpool::inline v0::sim::standalone {

struct Scenario {
  std::uint64_t seed = 0;
  Nanos announce_period{};
  ProducerPlan producer;
  std::vector<ConsumerPlan> consumers;
  BusFaults descriptor_faults;
  BusFaults control_faults;
  std::uint32_t bus_window = 0;     ///< messages that wait for one subscriber until it blocks
  std::uint64_t preempt_steps = 1;  ///< mean distance of preemptions
  std::uint32_t producer_crashes = 0;
  std::uint32_t consumer_crashes = 0;
  std::uint32_t pauses = 0;
  Nanos pause_max{};
  Nanos restart_max{};
  std::uint32_t bus_blocks = 0;
  bool silent_end = false;  ///< no descriptors when all other faults have stopped
  std::uint32_t clock_jumps = 0;
  std::uint32_t configurations = 0;       ///< ConsumerConfigs with another useShm
  std::uint32_t nonsense = 0;             ///< messages of a foreign or broken owner
  std::uint32_t scribbles = 0;            ///< another process id in the superblock
  Nanos faults_for{};                     ///< at least; then they stop
  std::uint64_t frames_under_faults = 0;  ///< at least

  [[nodiscard]] static Scenario draw(std::uint64_t seed);
};

}  // namespace tensorpool::inline v0::sim::standalone
