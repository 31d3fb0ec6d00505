// From an announce or an attach response to the list of regions to map; from a configuration to
// the list of regions to create.
//
// Pure: what can be refused without touching a file is refused here, in the order of the spec.
// Spec: §1.11.1 (W223..W229), §1.3.3 (W35..W44), W91, W92, W136.
// Thread contract: plain values and free functions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/region/superblock.hpp"
#include "layout/messages_900.hpp"
#include "tensorpool/types/error.hpp"

namespace tensorpool::inline v0::core::region {

/// The geometry of a stream as a message names it, before anything about it is believed.
/// Precondition of use: stream id and epoch have passed W213 and W214.
struct AnnouncedStream {
  std::uint32_t stream_id = 0;
  std::uint64_t epoch = 0;
  std::uint32_t layout_version = 0;
  std::uint32_t header_nslots = 0;
  std::uint32_t header_slot_bytes = 0;
  std::string_view header_region_uri = {};
  std::span<const layout::PayloadPool> pools = {};
};

/// The geometry in an announce. Views into the message.
[[nodiscard]] AnnouncedStream geometry_of(const layout::ShmPoolAnnounce& announce) noexcept;

/// A region and where it lies.
struct PlannedRegion {
  ExpectedRegion expected;
  std::string uri;
};

/// Everything that one epoch of one stream consists of. Mapped completely or not at all (W134).
struct MappingPlan {
  PlannedRegion header_ring;
  std::vector<PlannedRegion> pools;  ///< in the order of the announce (W45)

  [[nodiscard]] std::uint32_t stream_id() const noexcept { return header_ring.expected.stream_id; }
  [[nodiscard]] std::uint64_t epoch() const noexcept { return header_ring.expected.epoch; }
  [[nodiscard]] std::uint32_t nslots() const noexcept { return header_ring.expected.nslots; }
};

/// What a consumer is willing to map. The defaults are those of §1.24.
struct PlanLimits {
  std::uint64_t region_bytes_max = kMaxRegionBytesDefault;
  std::size_t pools_max = layout::kPoolsMax;
};

/// Checks an announced stream and copies what is needed to map it.
/// Allocates: the plan, in proportion to the message.
[[nodiscard]] Result<MappingPlan> make_mapping_plan(const AnnouncedStream& announced,
                                                    const PlanLimits& limits = {});

/// Refuses reserved and repeated pool ids (W228).
[[nodiscard]] Status check_pool_ids(std::span<const layout::PayloadPool> pools) noexcept;

/// The pools as an owner announces them (W206). Views into the plan.
[[nodiscard]] std::vector<layout::PayloadPool> announced_pools(const MappingPlan& plan);

/// One pool of a stream that is to be created.
struct PoolGeometry {
  std::uint16_t pool_id = 1;
  std::uint32_t stride_bytes = 1U << 20U;

  friend bool operator==(const PoolGeometry&, const PoolGeometry&) = default;
};

/// The shape of a stream that is to be created; the defaults are those of §1.24.
struct StreamGeometry {
  std::uint32_t stream_id = 0;
  std::uint32_t nslots = 1024;
  std::vector<PoolGeometry> pools = {PoolGeometry{}};
};

/// Refuses a geometry that an owner must not create (W7, W35, W38, W42, W206, W226, W228):
/// `invalid_argument` or `stride_invalid`, with the field.
[[nodiscard]] Status check_geometry(const StreamGeometry& geometry) noexcept;

/// The regions of `geometry` in one epoch: the header ring, then the pools in their order.
[[nodiscard]] std::vector<ExpectedRegion> regions_of(const StreamGeometry& geometry,
                                                     std::uint64_t epoch);

}  // namespace tensorpool::inline v0::core::region
