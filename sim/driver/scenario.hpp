// Everything that one seed decides in the world with a driver.
#pragma once

#include <cstdint>
#include <vector>

#include "core/driver/settings.hpp"
#include "layout/messages_901.hpp"
#include "parts/plans.hpp"

namespace tensorpool::inline v0::sim::driver {

/// A process with one lease.
struct ClientPlan {
  layout::Role role = layout::Role::kConsumer;
  std::uint32_t stream_id = 0;  ///< that it asks for; 0: any
  std::uint32_t client_id = 0;  ///< 0: drawn by the client
  std::uint32_t node_id = 0;    ///< that it wishes for; 0: none
  Nanos attach_timeout{};
  Nanos retry_interval{};
  Nanos detach_timeout{};
  Nanos control_interval{};  ///< of a producer: least distance of control work
  ProducerPlan producer;
  ConsumerPlan consumer;
};

/// How often something happens while there are faults.
struct Mishaps {
  std::uint32_t driver_crashes = 0;
  std::uint32_t driver_stops = 0;  ///< SIGTERM, or a shutdown request with the right token
  std::uint32_t client_crashes = 0;
  std::uint32_t leaves = 0;  ///< a client gives its lease back, and comes again
  std::uint32_t revocations = 0;
  std::uint32_t reshapes = 0;     ///< stream.ensure with another shape
  std::uint32_t collections = 0;  ///< an operator has garbage collected
  std::uint32_t lost_files = 0;   ///< somebody deletes a region file
  std::uint32_t full_disks = 0;
  std::uint32_t pauses = 0;
  std::uint32_t bus_blocks = 0;
  std::uint32_t clock_jumps = 0;
  std::uint32_t nonsense = 0;  ///< messages of nobody who holds a lease
  std::uint32_t configurations = 0;
};

struct Scenario {
  std::uint64_t seed = 0;
  core::driver::Settings settings;
  std::vector<std::uint32_t> stream_ids;  ///< all that can be: configured ones, then dynamic ones
  std::uint32_t shape_period = 1;         ///< frames until the tensor description changes
  std::vector<ClientPlan> clients;
  Mishaps mishaps;
  bool announces_apart = false;  ///< on an endpoint of their own (D25)
  bool jobs_thread = true;
  bool same_pid = false;      ///< each life of the driver has the same process id
  bool other_at_pid = false;  ///< another process has got a former driver's id
  bool links_linger = false;  ///< the bus takes its time to notice that the driver is dead
  Nanos driver_interval{};
  Nanos slow_max{};                  ///< of one piece of a job
  std::uint64_t piece_bytes = 4096;  ///< that a job allocates at a time
  std::uint32_t call_fails_ppm = 0;  ///< of the driver's system calls
  std::uint64_t disk_bytes = 0;
  BusFaults descriptor_faults;
  BusFaults control_faults;
  std::uint32_t bus_window = 0;     ///< messages that wait for one subscriber until it blocks
  std::uint64_t preempt_steps = 1;  ///< mean distance of preemptions
  Nanos pause_min{};
  Nanos pause_max{};
  Nanos restart_max{};
  Nanos faults_for{};

  [[nodiscard]] static Scenario draw(std::uint64_t seed);
  /// Without an announce for so long a client gives its lease up.
  [[nodiscard]] Nanos silence_timeout() const { return 5 * settings.policies.announce_period; }
};

}  // namespace tensorpool::inline v0::sim::driver
