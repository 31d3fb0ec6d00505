// The first 64 bytes of every region file, bare (no message header). Spec: §1.3.1 (W10..W23).
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "base/endian.hpp"
#include "layout/limits.hpp"

namespace tensorpool::inline v0::layout {

/// File bytes 31 4D 48 53 4C 50 4F 54 (W10).
inline constexpr std::uint64_t kSuperblockMagic = 0x544F'504C'5348'4D31ULL;

enum class RegionType : std::int16_t { kHeaderRing = 1, kPayloadPool = 2 };

/// As it lies in the file. `magic` and `activity_timestamp_ns` are 8-byte aligned and accessed as
/// atomic words (W15..W17); all else is copied bytewise (W18).
struct Superblock {
  base::Le<std::uint64_t> magic;
  base::Le<std::uint32_t> layout_version;
  base::Le<std::uint64_t> epoch;
  base::Le<std::uint32_t> stream_id;
  base::Le<std::int16_t> region_type;
  base::Le<std::uint16_t> pool_id;
  base::Le<std::uint32_t> nslots;
  base::Le<std::uint32_t> slot_bytes;
  base::Le<std::uint32_t> stride_bytes;
  base::Le<std::uint64_t> pid;
  base::Le<std::uint64_t> start_timestamp_ns;
  base::Le<std::uint64_t> activity_timestamp_ns;
};

static_assert(std::is_trivially_copyable_v<Superblock> && std::is_standard_layout_v<Superblock>);
static_assert(sizeof(Superblock) == kSuperblockBytes && alignof(Superblock) == 1);
static_assert(offsetof(Superblock, magic) == 0);
static_assert(offsetof(Superblock, layout_version) == 8);
static_assert(offsetof(Superblock, epoch) == 12);
static_assert(offsetof(Superblock, stream_id) == 20);
static_assert(offsetof(Superblock, region_type) == 24);
static_assert(offsetof(Superblock, pool_id) == 26);
static_assert(offsetof(Superblock, nslots) == 28);
static_assert(offsetof(Superblock, slot_bytes) == 32);
static_assert(offsetof(Superblock, stride_bytes) == 36);
static_assert(offsetof(Superblock, pid) == 40);
static_assert(offsetof(Superblock, start_timestamp_ns) == 48);
static_assert(offsetof(Superblock, activity_timestamp_ns) == 56);

/// Index of the 8-byte words that are accessed atomically.
inline constexpr std::size_t kSuperblockMagicWord = 0;
inline constexpr std::size_t kSuperblockActivityWord = 7;
inline constexpr std::size_t kSuperblockWords = kSuperblockBytes / 8;

}  // namespace tensorpool::inline v0::layout
