// What surrounds the simulated processes: time, files, bus; and what only the simulation knows.
#pragma once

#include <cstdint>
#include <memory>

#include "parts/announced_regions.hpp"
#include "parts/publish_side.hpp"
#include "parts/sim_bus.hpp"
#include "parts/sim_memory.hpp"
#include "parts/surroundings.hpp"
#include "parts/truth.hpp"
#include "standalone/scenario.hpp"

namespace tensorpool::inline v0::sim::standalone {

inline constexpr std::uint32_t kStreamId = 10'000;

/// A ShmPoolAnnounce on its way, and what its texts point to.
struct Announce {
  layout::ShmPoolAnnounce message;
  std::shared_ptr<const AnnouncedRegions> regions;
};

struct Environment : Surroundings {
  const Scenario& scenario;
  Truth truth;
  RegionStore store;
  SimTopic<Descriptor> descriptors;
  SimTopic<Announce> control;
  PublishSide::OnCommitted on_committed;

  explicit Environment(const Scenario& run)
      : scenario(run),
        descriptors(run.consumers.size(), run.bus_window, run.descriptor_faults,
                    random_for(run.seed, 2)),
        control(run.consumers.size(), 1024, run.control_faults, random_for(run.seed, 3)) {}
};

}  // namespace tensorpool::inline v0::sim::standalone
