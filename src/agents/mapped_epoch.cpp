#include "agents/mapped_epoch.hpp"

#include "layout/limits.hpp"

namespace tensorpool::inline v0::detail {

MappedEpoch::Memory memory_of(const os::MappedStream& regions) {
  // Consumers map read-only; StreamMemory has one type for both sides, and readers only load
  // through it.
  const auto behind_superblock = [](const os::MappedRegion& region) {
    return const_cast<std::byte*>(region.bytes().data()) + layout::kSuperblockBytes;
  };
  MappedEpoch::Memory memory;
  memory.words = reinterpret_cast<base::DefaultAtom::Word*>(behind_superblock(regions.header_ring));
  memory.nslots = regions.header_ring.expected().nslots;
  for (const os::MappedRegion& pool : regions.pools) {
    memory.pools.push_back({.pool_id = pool.expected().pool_id,
                            .stride_bytes = pool.expected().stride_bytes,
                            .slots = behind_superblock(pool)});
  }
  return memory;
}

MappedEpoch::MappedEpoch(os::MappedStream mapped, std::shared_ptr<const MetadataHistory> sets)
    : regions(std::move(mapped)), memory(memory_of(regions)), metadata(std::move(sets)) {}

}  // namespace tensorpool::inline v0::detail
