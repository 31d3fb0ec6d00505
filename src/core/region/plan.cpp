#include "core/region/plan.hpp"

#include <bitset>

#include "base/reason.hpp"
#include "core/region/uri.hpp"

namespace tensorpool::inline v0::core::region {
namespace {

using PoolIds = std::bitset<std::size_t{layout::kPoolIdInvalid} + 1>;

[[nodiscard, gnu::cold]] Error refuse(Field field, std::string_view reason, std::uint64_t value,
                                      std::uint64_t limit) noexcept {
  return make_error(Errc::kAnnounceInvalid, reason, value, limit).of_field(field);
}

[[nodiscard]] ExpectedRegion header_ring_of(std::uint32_t stream_id, std::uint64_t epoch,
                                            std::uint32_t nslots) noexcept {
  return {.stream_id = stream_id,
          .epoch = epoch,
          .type = layout::RegionType::kHeaderRing,
          .pool_id = 0,
          .nslots = nslots,
          .stride_bytes = 0};
}

[[nodiscard]] ExpectedRegion pool_of(const ExpectedRegion& ring, std::uint16_t pool_id,
                                     std::uint32_t stride_bytes) noexcept {
  ExpectedRegion pool = ring;
  pool.type = layout::RegionType::kPayloadPool;
  pool.pool_id = pool_id;
  pool.stride_bytes = stride_bytes;
  return pool;
}

/// W223..W226.
[[nodiscard]] Status check_stream(const AnnouncedStream& announced,
                                  std::size_t pools_max) noexcept {
  if (announced.layout_version != layout::kLayoutVersion) {
    return fail(
        make_error(Errc::kLayoutUnsupported, {}, announced.layout_version, layout::kLayoutVersion)
            .of_field(Field::kLayoutVersion));
  }
  if (announced.header_slot_bytes != layout::kHeaderSlotBytes) {
    return fail(refuse(Field::kHeaderSlotBytes, "only one slot size exists",
                       announced.header_slot_bytes, layout::kHeaderSlotBytes));
  }
  if (!layout::is_power_of_two(announced.header_nslots)) {
    return fail(refuse(Field::kHeaderNslots, "slot count is no power of two",
                       announced.header_nslots, 0x8000'0000));
  }
  if (announced.pools.empty() || announced.pools.size() > pools_max) {
    return fail(refuse(Field::kPayloadPools, "number of pools", announced.pools.size(), pools_max));
  }
  return {};
}

/// W227, W228.
[[nodiscard]] Status check_pools(const AnnouncedStream& announced) noexcept {
  for (const layout::PayloadPool& pool : announced.pools) {
    if (pool.pool_nslots != announced.header_nslots) {
      return fail(refuse(Field::kPoolNslots, "slot count differs from the header ring's",
                         pool.pool_nslots, announced.header_nslots)
                      .in_region(error_region_pool(pool.pool_id)));
    }
  }
  return check_pool_ids(announced.pools);
}

/// W229.
[[nodiscard]] Status check_uris_present(const AnnouncedStream& announced) noexcept {
  Error error = refuse(Field::kRegionUri, "empty", 0, 0);
  if (announced.header_region_uri.empty()) {
    return fail(error.in_region(kErrorRegionHeaderRing));
  }
  for (const layout::PayloadPool& pool : announced.pools) {
    if (pool.region_uri.empty()) {
      return fail(error.in_region(error_region_pool(pool.pool_id)));
    }
  }
  return {};
}

[[nodiscard]] Result<PlannedRegion> plan_region(const ExpectedRegion& expected,
                                                std::string_view uri,
                                                std::uint64_t max_region_bytes) {
  if (Status shape = check_shape(expected); !shape) {
    return fail(shape.error());
  }
  if (Status size = check_region_bytes(expected, max_region_bytes); !size) {
    return fail(size.error());
  }
  if (const auto parsed = parse_region_uri(uri); !parsed) {  // W91, W92
    return fail(locate(parsed.error(), expected));
  }
  return PlannedRegion{.expected = expected, .uri = std::string(uri)};
}

}  // namespace

AnnouncedStream geometry_of(const layout::ShmPoolAnnounce& announce) noexcept {
  return {.stream_id = announce.stream_id,
          .epoch = announce.epoch,
          .layout_version = announce.layout_version,
          .header_nslots = announce.header_nslots,
          .header_slot_bytes = announce.header_slot_bytes,
          .header_region_uri = announce.header_region_uri,
          .pools = announce.payload_pools};
}

Result<MappingPlan> make_mapping_plan(const AnnouncedStream& announced, const PlanLimits& limits) {
  Status passed = check_stream(announced, limits.pools_max);
  for (const auto check : {check_pools, check_uris_present}) {
    if (passed) {
      passed = check(announced);
    }
  }
  if (!passed) {
    return fail(passed.error().in_stream(announced.stream_id).in_epoch(announced.epoch));
  }
  const ExpectedRegion ring =
      header_ring_of(announced.stream_id, announced.epoch, announced.header_nslots);
  auto header_ring = plan_region(ring, announced.header_region_uri, limits.region_bytes_max);
  if (!header_ring) {
    return fail(header_ring.error());
  }
  MappingPlan plan{.header_ring = *std::move(header_ring), .pools = {}};
  plan.pools.reserve(announced.pools.size());
  for (const layout::PayloadPool& pool : announced.pools) {
    auto planned = plan_region(pool_of(ring, pool.pool_id, pool.stride_bytes), pool.region_uri,
                               limits.region_bytes_max);
    if (!planned) {
      return fail(planned.error());
    }
    plan.pools.push_back(*std::move(planned));
  }
  return plan;
}

Status check_pool_ids(std::span<const layout::PayloadPool> pools) noexcept {
  PoolIds seen;
  for (const layout::PayloadPool& pool : pools) {
    if (pool.pool_id == layout::kPoolIdInvalid || seen[pool.pool_id]) {
      return fail(refuse(Field::kPoolId, "reserved or repeated", pool.pool_id,
                         layout::kPoolIdInvalid - 1U));
    }
    seen.set(pool.pool_id);
  }
  return {};
}

std::vector<layout::PayloadPool> announced_pools(const MappingPlan& plan) {
  std::vector<layout::PayloadPool> pools;
  pools.reserve(plan.pools.size());
  for (const auto& [expected, uri] : plan.pools) {
    pools.push_back({.pool_id = expected.pool_id,
                     .pool_nslots = expected.nslots,
                     .stride_bytes = expected.stride_bytes,
                     .region_uri = uri});
  }
  return pools;
}

Status check_geometry(const StreamGeometry& geometry) noexcept {
  const auto refuse_field = [&](Field field, std::string_view reason, std::uint64_t value,
                                std::uint64_t limit) {
    return fail(make_error(Errc::kInvalidArgument, reason, value, limit)
                    .of_field(field)
                    .in_stream(geometry.stream_id));
  };
  if (!layout::valid_stream_id(geometry.stream_id)) {
    return refuse_field(Field::kStreamId, "reserved", geometry.stream_id, layout::kStreamIdMax);
  }
  if (!layout::is_power_of_two(geometry.nslots)) {
    return refuse_field(Field::kNslots, "slot count is no power of two", geometry.nslots,
                        0x8000'0000);
  }
  if (geometry.pools.empty() || geometry.pools.size() > layout::kPoolsMax) {
    return refuse_field(Field::kPayloadPools, "number of pools", geometry.pools.size(),
                        layout::kPoolsMax);
  }
  PoolIds seen;
  for (const PoolGeometry& pool : geometry.pools) {
    if (pool.pool_id == layout::kPoolIdInvalid || seen[pool.pool_id]) {
      return refuse_field(Field::kPoolId, "reserved or repeated", pool.pool_id,
                          layout::kPoolIdInvalid - 1U);
    }
    seen.set(pool.pool_id);
    if (!layout::is_power_of_two(pool.stride_bytes) ||
        pool.stride_bytes < layout::kStrideGranularity) {
      return fail(make_error(Errc::kStrideInvalid, "an owner creates powers of two only",
                             pool.stride_bytes, layout::kStrideGranularity)
                      .of_field(Field::kStrideBytes)
                      .in_stream(geometry.stream_id)
                      .in_region(error_region_pool(pool.pool_id)));
    }
  }
  return {};
}

std::vector<ExpectedRegion> regions_of(const StreamGeometry& geometry, std::uint64_t epoch) {
  std::vector<ExpectedRegion> regions = {
      header_ring_of(geometry.stream_id, epoch, geometry.nslots)};
  regions.reserve(1 + geometry.pools.size());
  for (const PoolGeometry& pool : geometry.pools) {
    regions.push_back(pool_of(regions.front(), pool.pool_id, pool.stride_bytes));
  }
  return regions;
}

}  // namespace tensorpool::inline v0::core::region
