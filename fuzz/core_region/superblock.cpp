// Any 64 bytes as the superblock of a region, judged against what a second block says (the bytes
// behind it, or the same block): accepted only if an owner of that region could have written it.
#include "core/region/superblock.hpp"

#include <array>
#include <cstring>

#include "harness/fuzz.hpp"

namespace {

using namespace tensorpool;
using core::region::ExpectedRegion;
using Words = std::array<std::uint64_t, layout::kSuperblockWords>;

[[nodiscard]] layout::Superblock block_of(std::span<const std::byte> bytes) {
  Words words{};
  std::memcpy(words.data(), bytes.data(), std::min(bytes.size(), sizeof(words)));
  return core::region::load_superblock<base::FenceAtom>(words);
}

[[nodiscard]] ExpectedRegion region_of(const layout::Superblock& block) {
  const bool ring = block.region_type == 1;
  return {.stream_id = block.stream_id,
          .epoch = block.epoch,
          .type = ring ? layout::RegionType::kHeaderRing : layout::RegionType::kPayloadPool,
          .pool_id = block.pool_id,
          .nslots = block.nslots,
          .stride_bytes = ring ? 0 : block.stride_bytes.get()};
}

}  // namespace

int fuzz_superblock(std::span<const std::byte> input) {
  const layout::Superblock found = block_of(input);
  const auto behind = input.size() >= 2 * sizeof(Words) ? input.subspan(sizeof(Words)) : input;
  const ExpectedRegion expected = region_of(block_of(behind));
  const Status judged = check_superblock(found, expected);
  if (!judged) {
    TP_FUZZ_CHECK(judged.error().field != Field::kNone);
    TP_FUZZ_CHECK(judged.error().code == Errc::kSuperblockMismatch ||
                  judged.error().code == Errc::kLayoutUnsupported);
    return 0;
  }
  layout::Superblock owned =
      make_superblock(expected, {.pid = found.pid, .now_ns = found.start_timestamp_ns});
  owned.activity_timestamp_ns = found.activity_timestamp_ns;
  if (expected.type == layout::RegionType::kHeaderRing) {
    owned.stride_bytes = found.stride_bytes;  // W23
  } else {
    owned.slot_bytes = found.slot_bytes;  // W21
  }
  TP_FUZZ_CHECK(std::memcmp(&owned, &found, sizeof(owned)) == 0);
  if (check_shape(expected)) {
    TP_FUZZ_CHECK(expected.bytes() >= layout::kSuperblockBytes);
    TP_FUZZ_CHECK(expected.bytes() <= layout::kSuperblockBytes + (1ULL << 63U));
  }
  return 0;
}
