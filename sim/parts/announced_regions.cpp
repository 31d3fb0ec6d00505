#include "parts/announced_regions.hpp"

#include <string>

namespace tensorpool::inline v0::sim {

core::region::StreamGeometry stream_geometry(std::uint32_t stream_id, const Geometry& geometry) {
  core::region::StreamGeometry stream{
      .stream_id = stream_id, .nslots = geometry.nslots, .pools = {}};
  for (std::size_t k = 0; k < geometry.strides.size(); ++k) {
    stream.pools.push_back(
        {.pool_id = static_cast<std::uint16_t>(k + 1), .stride_bytes = geometry.strides[k]});
  }
  return stream;
}

core::region::MappingPlan plan_of(const core::region::StreamGeometry& stream, std::uint64_t epoch) {
  core::region::MappingPlan plan;
  const std::string directory =
      "shm:file?path=/sim/" + std::to_string(stream.stream_id) + "/" + std::to_string(epoch) + "/";
  for (const core::region::ExpectedRegion& region : core::region::regions_of(stream, epoch)) {
    if (region.type == layout::RegionType::kHeaderRing) {
      plan.header_ring = {.expected = region, .uri = directory + "header.ring"};
    } else {
      plan.pools.push_back(
          {.expected = region, .uri = directory + std::to_string(region.pool_id) + ".pool"});
    }
  }
  return plan;
}

}  // namespace tensorpool::inline v0::sim
