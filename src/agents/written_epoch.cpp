#include "agents/written_epoch.hpp"

#include <utility>

#include "core/copy.hpp"
#include "os/cache.hpp"

namespace tensorpool::inline v0::detail {
namespace {

[[nodiscard]] core::CopyKind copy_kind_for(const WrittenEpoch::Memory& memory) {
  std::uint64_t footprint = 0;
  for (const core::ring::PoolMemory& pool : memory.pools) {
    footprint += std::uint64_t{memory.nslots} * pool.stride_bytes;
  }
  return core::choose_copy_kind(footprint, os::last_level_cache_bytes());
}

}  // namespace

WrittenEpoch::WrittenEpoch(std::optional<os::MappedStream> mapped, Memory its_memory,
                           bus::PublicationLink& link, const Options& options)
    : regions(std::move(mapped)),
      memory(std::move(its_memory)),
      descriptors(link),
      writer(memory, {.stream_id = options.stream_id,
                      .epoch = options.epoch,
                      .copy_kind = copy_kind_for(memory),
                      .descriptor_timestamps = options.stamp_descriptors}) {}

}  // namespace tensorpool::inline v0::detail
