#include "core/region/superblock.hpp"

namespace tensorpool::inline v0::core::region {
namespace {

constexpr std::uint32_t kSlotBytesNull = 0xFFFF'FFFF;

[[nodiscard, gnu::cold]] Error differs(Field field, std::uint64_t found,
                                       std::uint64_t expected) noexcept {
  return make_error(Errc::kSuperblockMismatch, {}, found, expected).of_field(field);
}

[[nodiscard]] bool slot_bytes_fit(std::uint32_t slot_bytes, const ExpectedRegion& region) noexcept {
  if (region.type == layout::RegionType::kHeaderRing) {
    return slot_bytes == layout::kHeaderSlotBytes;  // W23
  }
  return slot_bytes == region.stride_bytes || slot_bytes == 0 || slot_bytes == kSlotBytesNull;
}

[[nodiscard]] Status compare(const layout::Superblock& found, const ExpectedRegion& expected) {
  if (found.magic != layout::kSuperblockMagic) {
    return fail(differs(Field::kMagic, found.magic, layout::kSuperblockMagic));
  }
  if (found.layout_version != layout::kLayoutVersion) {
    return fail(
        make_error(Errc::kLayoutUnsupported, {}, found.layout_version, layout::kLayoutVersion)
            .of_field(Field::kLayoutVersion));
  }
  const bool ring = expected.type == layout::RegionType::kHeaderRing;
  const std::uint64_t slot_bytes = ring ? layout::kHeaderSlotBytes : expected.stride_bytes;
  const struct {
    bool same;
    Field field;
    std::uint64_t found;
    std::uint64_t expected;
  } comparisons[] = {
      {found.epoch == expected.epoch, Field::kEpoch, found.epoch, expected.epoch},
      {found.stream_id == expected.stream_id, Field::kStreamId, found.stream_id,
       expected.stream_id},
      {found.region_type == static_cast<std::int16_t>(expected.type), Field::kRegionType,
       static_cast<std::uint16_t>(found.region_type.get()),
       static_cast<std::uint16_t>(expected.type)},
      {found.pool_id == expected.pool_id, Field::kPoolId, found.pool_id, expected.pool_id},
      {found.nslots == expected.nslots, Field::kNslots, found.nslots, expected.nslots},
      {slot_bytes_fit(found.slot_bytes, expected), Field::kSlotBytes, found.slot_bytes, slot_bytes},
      {ring || found.stride_bytes == expected.stride_bytes, Field::kStrideBytes, found.stride_bytes,
       expected.stride_bytes},
  };
  for (const auto& comparison : comparisons) {
    if (!comparison.same) {
      return fail(differs(comparison.field, comparison.found, comparison.expected));
    }
  }
  return {};
}

}  // namespace

Error locate(Error error, const ExpectedRegion& region) noexcept {
  return error.in_stream(region.stream_id)
      .in_epoch(region.epoch)
      .in_region(region.type == layout::RegionType::kHeaderRing
                     ? kErrorRegionHeaderRing
                     : error_region_pool(region.pool_id));
}

Status check_shape(const ExpectedRegion& region) noexcept {
  if (!layout::is_power_of_two(region.nslots)) {
    return fail(locate(make_error(Errc::kAnnounceInvalid, "slot count is no power of two",
                                  region.nslots, 0x8000'0000)
                           .of_field(Field::kNslots),
                       region));
  }
  const bool pool = region.type == layout::RegionType::kPayloadPool;
  if (pool && (region.stride_bytes == 0 || region.stride_bytes % layout::kStrideGranularity != 0)) {
    return fail(
        locate(make_error(Errc::kStrideInvalid, {}, region.stride_bytes, layout::kStrideGranularity)
                   .of_field(Field::kStrideBytes),
               region));
  }
  return {};
}

Status check_region_bytes(const ExpectedRegion& region, std::uint64_t max_region_bytes) noexcept {
  if (region.bytes() > max_region_bytes) {
    return fail(locate(
        make_error(Errc::kRegionTooLarge, "max_region_bytes", region.bytes(), max_region_bytes),
        region));
  }
  return {};
}

Status check_superblock(const layout::Superblock& found, const ExpectedRegion& expected) noexcept {
  Status same = compare(found, expected);
  return same ? same : Status(fail(locate(same.error(), expected)));
}

layout::Superblock make_superblock(const ExpectedRegion& region, Creation creation) noexcept {
  const bool ring = region.type == layout::RegionType::kHeaderRing;
  return {
      .magic = layout::kSuperblockMagic,
      .layout_version = layout::kLayoutVersion,
      .epoch = region.epoch,
      .stream_id = region.stream_id,
      .region_type = static_cast<std::int16_t>(region.type),
      .pool_id = region.pool_id,
      .nslots = region.nslots,
      .slot_bytes =
          ring ? static_cast<std::uint32_t>(layout::kHeaderSlotBytes) : region.stride_bytes,
      .stride_bytes = ring ? 0 : region.stride_bytes,
      .pid = creation.pid,
      .start_timestamp_ns = creation.now_ns,
      .activity_timestamp_ns = creation.now_ns,
  };
}

}  // namespace tensorpool::inline v0::core::region
