// The regions of an epoch, as messages name them.
#pragma once

#include <cstdint>
#include <vector>

#include "core/region/plan.hpp"
#include "layout/messages_900.hpp"
#include "parts/plans.hpp"

namespace tensorpool::inline v0::sim {

/// What announces and attach responses point to.
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

/// The shape of a stream with this geometry.
[[nodiscard]] core::region::StreamGeometry stream_geometry(std::uint32_t stream_id,
                                                           const Geometry& geometry);
/// The regions of one epoch of it, and where their files lie.
[[nodiscard]] core::region::MappingPlan plan_of(const core::region::StreamGeometry& stream,
                                                std::uint64_t epoch);

}  // namespace tensorpool::inline v0::sim
