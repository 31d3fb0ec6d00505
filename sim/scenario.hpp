// Everything that one seed decides: the swarm. Each run switches on another mixture of faults.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/random.hpp"
#include "tensorpool/types/time.hpp"

namespace tensorpool::inline v0::sim {

/// A stream of random numbers of its own for each purpose, so that one does not disturb another.
[[nodiscard]] base::Random random_for(std::uint64_t seed, std::uint64_t purpose) noexcept;

/// Slots and pools of one epoch.
struct Geometry {
  std::uint32_t nslots = 1;
  std::vector<std::uint32_t> strides;  ///< of the pools, in bytes; pool ids are index + 1
  std::uint32_t shape_period = 1;      ///< frames until the tensor description changes

  [[nodiscard]] static Geometry draw(base::Random& random);
};

struct ProducerPlan {
  Nanos frame_interval{};
  std::uint32_t burst_permille = 0;   ///< of duty cycles, that publish up to two rings at once
  std::uint32_t claim_permille = 0;   ///< of frames, that are claimed and filled by the caller
  std::uint32_t claims_max = 1;       ///< open at a time
  std::uint32_t abort_permille = 0;   ///< of claims
  std::uint32_t refuse_permille = 0;  ///< of duty cycles, in which something invalid is tried
};

enum class ConsumerMode : std::uint8_t { kDescriptor, kRecovering, kDirect };

struct ConsumerPlan {
  ConsumerMode mode = ConsumerMode::kDescriptor;
  std::uint32_t latest_permille = 0;  ///< of calls, that want the newest frame
  std::uint32_t next_permille = 0;    ///< of the others, that want one frame
  Nanos poll_interval{};
  int poll_limit = 1;
  std::uint64_t max_outstanding_seq_gap = 0;
  Nanos patience{};                   ///< recovering: silence until the ring itself is looked at
  std::uint32_t keep_permille = 0;    ///< of frames, that are kept and judged later
  std::uint32_t resubscribe_ppm = 0;  ///< of polls, that change the subscription
  bool control_thread = false;        ///< for control work; else the polling thread does it
  std::uint32_t without_shm_permille = 0;  ///< of lives, that begin configured not to use it
};

/// Of a million messages.
struct BusFaults {
  std::uint32_t lost_ppm = 0;
  std::uint32_t doubled_ppm = 0;
  std::uint32_t reordered_ppm = 0;
  std::uint32_t delayed_ppm = 0;
  Nanos delay_max{};
};

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

}  // namespace tensorpool::inline v0::sim
