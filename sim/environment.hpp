// What surrounds the simulated processes: time, files, bus; and what only the simulation knows.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>

#include "core/consumer/frame.hpp"
#include "core/region/plan.hpp"
#include "scenario.hpp"
#include "sim_atom.hpp"
#include "sim_bus.hpp"
#include "sim_memory.hpp"
#include "verdict.hpp"
#include "virtual_clock.hpp"

namespace tensorpool::inline v0::sim {

inline constexpr std::uint32_t kStreamId = 10'000;

/// The regions of an epoch as an announce names them.
struct AnnouncedRegions {
  explicit AnnouncedRegions(core::region::MappingPlan regions)
      : plan(std::move(regions)), pools(core::region::announced_pools(plan)) {}
  AnnouncedRegions(const AnnouncedRegions&) = delete;
  AnnouncedRegions& operator=(const AnnouncedRegions&) = delete;

  [[nodiscard]] layout::ShmPoolAnnounce message() const {
    layout::ShmPoolAnnounce announce;
    announce.stream_id = plan.stream_id();
    announce.epoch = plan.epoch();
    announce.header_nslots = plan.nslots();
    announce.payload_pools = {pools.data(), pools.size()};
    announce.header_region_uri = plan.header_ring.uri;
    return announce;
  }

  core::region::MappingPlan plan;
  std::vector<layout::PayloadPool> pools;
};

/// Regions of `epoch` with this geometry, and where their files lie.
[[nodiscard]] core::region::MappingPlan plan_of(std::uint64_t epoch, const Geometry& geometry);

/// A ShmPoolAnnounce on its way, and what its texts point to.
struct Announce {
  layout::ShmPoolAnnounce message;
  std::shared_ptr<const AnnouncedRegions> regions;
};

using core::consumer::Descriptor;

/// What really happened, for the checkers.
class Truth {
 public:
  struct Epoch {
    Geometry geometry;
    std::set<std::uint64_t> aborted;  ///< numbers that were taken and never committed
    std::uint64_t committed = 0;      ///< frames
    std::uint64_t newest = 0;         ///< committed number, when there is one
  };

  Epoch& begin(std::uint64_t epoch, const Geometry& geometry) {
    current_ = epoch;
    return epochs_.emplace(epoch, Epoch{.geometry = geometry, .aborted = {}}).first->second;
  }
  [[nodiscard]] const Epoch& of(std::uint64_t epoch) const { return epochs_.at(epoch); }
  [[nodiscard]] std::uint64_t current() const { return current_; }

  std::uint64_t frames = 0;  ///< committed in all epochs
  std::uint64_t laps = 0;    ///< times that a ring was filled once more

 private:
  std::map<std::uint64_t, Epoch> epochs_;
  std::uint64_t current_ = 0;
};

struct Environment {
  const Scenario& scenario;
  VirtualClock clock;
  Verdict verdict;
  Truth truth;
  RegionStore store;
  SimTopic<Descriptor> descriptors;
  SimTopic<Announce> control;
  /// Told of each committed number of the present epoch.
  std::function<void(std::uint64_t seq)> on_committed;
  bool healed = false;    ///< no faults any more
  bool finished = false;  ///< no frames any more

  explicit Environment(const Scenario& run)
      : scenario(run),
        descriptors(run.consumers.size(), run.bus_window, run.descriptor_faults,
                    random_for(run.seed, 2)),
        control(run.consumers.size(), 1024, run.control_faults, random_for(run.seed, 3)) {}
};

}  // namespace tensorpool::inline v0::sim
