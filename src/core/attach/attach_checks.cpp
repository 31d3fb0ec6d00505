#include "core/attach/attach_checks.hpp"

namespace tensorpool::inline v0::core::attach {
namespace {

[[nodiscard, gnu::cold]] tl::unexpected<Error> refuse(Errc code, Field field, std::string_view name,
                                                      std::uint64_t value,
                                                      std::uint64_t limit = 0) noexcept {
  return fail(make_error(code, name, value, limit).of_field(field));
}

/// D110..D112.
[[nodiscard]] Status check_identity(const layout::ShmAttachResponse& response,
                                    std::uint32_t requested_stream_id) noexcept {
  if (response.lease_id.value_or(0) == 0) {
    return refuse(Errc::kMalformedMessage, Field::kNone, "leaseId", 0);
  }
  const std::uint32_t stream_id = response.stream_id.value_or(0);
  if (stream_id == 0 || (requested_stream_id != 0 && stream_id != requested_stream_id)) {
    return refuse(Errc::kMalformedMessage, Field::kStreamId, "not the stream that was asked for",
                  stream_id, requested_stream_id);
  }
  if (response.epoch.value_or(0) == 0) {
    return refuse(Errc::kMalformedMessage, Field::kEpoch, {}, 0);
  }
  return {};
}

/// D113..D115.
[[nodiscard]] Status check_ring(const region::AnnouncedStream& stream,
                                std::uint32_t expected_layout_version) noexcept {
  if (stream.layout_version != layout::kLayoutVersion ||
      (expected_layout_version != 0 && stream.layout_version != expected_layout_version)) {
    return refuse(Errc::kLayoutUnsupported, Field::kLayoutVersion, {}, stream.layout_version,
                  expected_layout_version != 0 ? expected_layout_version : layout::kLayoutVersion);
  }
  if (!layout::is_power_of_two(stream.header_nslots)) {
    return refuse(Errc::kAnnounceInvalid, Field::kHeaderNslots, "slot count is no power of two",
                  stream.header_nslots, 0x8000'0000);
  }
  if (stream.header_slot_bytes != layout::kHeaderSlotBytes) {
    return refuse(Errc::kAnnounceInvalid, Field::kHeaderSlotBytes, "only one slot size exists",
                  stream.header_slot_bytes, layout::kHeaderSlotBytes);
  }
  return {};
}

/// D116..D118, as far as the order of an announce differs (W227, W228); the plan does the rest.
[[nodiscard]] Status check_pools(const region::AnnouncedStream& stream,
                                 std::size_t pools_max) noexcept {
  if (stream.pools.empty() || stream.pools.size() > pools_max) {
    return refuse(Errc::kAnnounceInvalid, Field::kPayloadPools, "number of pools",
                  stream.pools.size(), pools_max);
  }
  if (Status ids = region::check_pool_ids(stream.pools); !ids) {
    return ids;
  }
  for (const layout::PayloadPool& pool : stream.pools) {
    if (pool.pool_nslots != stream.header_nslots) {
      return refuse(Errc::kAnnounceInvalid, Field::kPoolNslots,
                    "slot count differs from the header ring's", pool.pool_nslots,
                    stream.header_nslots);
    }
  }
  for (const layout::PayloadPool& pool : stream.pools) {
    if (Status shape = region::check_shape({.stream_id = stream.stream_id,
                                            .epoch = stream.epoch,
                                            .type = layout::RegionType::kPayloadPool,
                                            .pool_id = pool.pool_id,
                                            .nslots = pool.pool_nslots,
                                            .stride_bytes = pool.stride_bytes});
        !shape) {
      return shape;
    }
  }
  return {};
}

}  // namespace

Result<AttachGrant> check_attach_response(const layout::ShmAttachResponse& response,
                                          const layout::ShmAttachRequest& request,
                                          const region::PlanLimits& limits) {
  const region::AnnouncedStream stream{.stream_id = response.stream_id.value_or(0),
                                       .epoch = response.epoch.value_or(0),
                                       .layout_version = response.layout_version.value_or(0),
                                       .header_nslots = response.header_nslots.value_or(0),
                                       .header_slot_bytes = response.header_slot_bytes.value_or(0),
                                       .header_region_uri = response.header_region_uri,
                                       .pools = response.payload_pools};
  Status passed = check_identity(response, request.stream_id);
  if (passed) {
    passed = check_ring(stream, request.expected_layout_version);
  }
  if (passed) {
    passed = check_pools(stream, limits.pools_max);
  }
  if (!passed) {
    return fail(passed.error().in_stream(stream.stream_id).in_epoch(stream.epoch));
  }
  Result<region::MappingPlan> plan = region::make_mapping_plan(stream, limits);  // D119
  if (!plan) {
    return fail(plan.error());
  }
  return AttachGrant{.lease_id = *response.lease_id,
                     .node_id = response.node_id.value_or(0),
                     .expiry_timestamp_ns = response.lease_expiry_timestamp_ns,
                     .plan = *std::move(plan)};
}

}  // namespace tensorpool::inline v0::core::attach
