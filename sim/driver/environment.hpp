// What surrounds driver and clients: time, disk, buses; and what only the simulation knows.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "driver/disk.hpp"
#include "driver/lease_account.hpp"
#include "driver/messages.hpp"
#include "driver/planted_bug.hpp"
#include "driver/scenario.hpp"
#include "parts/publish_side.hpp"
#include "parts/sim_bus.hpp"
#include "parts/surroundings.hpp"
#include "parts/truth.hpp"

namespace tensorpool::inline v0::sim::driver {

struct Environment : Surroundings {
  const Scenario& scenario;
  Truth truth;
  Disk disk;
  LeaseAccount account;
  /// What each client says to the driver, its only subscriber.
  std::vector<SimTopic<ControlMessage>> requests;
  /// What the driver says to all clients.
  SimTopic<ControlMessage> answers;
  SimTopic<ControlMessage> announces;  ///< only where they have an endpoint of their own
  std::map<std::uint32_t, SimTopic<Descriptor>> descriptors;  ///< by stream
  /// Every epoch that was ever provisioned, as messages name it.
  std::map<std::pair<std::uint32_t, std::uint64_t>, std::shared_ptr<const AnnouncedRegions>>
      regions;
  PublishSide::OnCommitted on_committed;
  std::uint64_t epochs_collected = 0;

  explicit Environment(const Scenario& run)
      : scenario(run),
        disk(clock, run.disk_bytes, run.call_fails_ppm, random_for(run.seed, 10)),
        account(*this, run, disk),
        answers(run.clients.size(), run.bus_window + 16, run.control_faults,
                random_for(run.seed, 11)),
        announces(run.clients.size(), run.bus_window + 16, run.control_faults,
                  random_for(run.seed, 12)) {
    for (std::size_t k = 0; k < run.clients.size(); ++k) {
      requests.emplace_back(1, 1024, run.control_faults, random_for(run.seed, 1000 + k));
    }
    for (const std::uint32_t id : run.stream_ids) {
      descriptors.try_emplace(id, run.clients.size(), run.bus_window, run.descriptor_faults,
                              random_for(run.seed, 2000 + id));
    }
  }

  /// The endpoint that announces come from.
  [[nodiscard]] SimTopic<ControlMessage>& announce_topic() {
    return scenario.announces_apart ? announces : answers;
  }
  void heal_buses() {
    for (auto& topic : requests) {
      topic.heal();
    }
    answers.heal();
    announces.heal();
    for (auto& [id, topic] : descriptors) {
      topic.heal();
    }
  }
};

}  // namespace tensorpool::inline v0::sim::driver
