#include "parts/sim_memory.hpp"

#include <cstring>

namespace tensorpool::inline v0::sim {
namespace {

using core::region::ExpectedRegion;
using core::region::MappingPlan;

template <class Visit>
void for_each_region(const MappingPlan& plan, Visit&& visit) {
  visit(plan.header_ring);
  for (const auto& pool : plan.pools) {
    visit(pool);
  }
}

}  // namespace

SimMapping::SimMapping(const MappingPlan& plan, std::vector<std::shared_ptr<RegionFile>> files)
    : files_(std::move(files)) {
  memory_.words = files_.front()->body();
  memory_.nslots = plan.nslots();
  for (std::size_t k = 0; k < plan.pools.size(); ++k) {
    const ExpectedRegion& pool = plan.pools[k].expected;
    memory_.pools.push_back({.pool_id = pool.pool_id,
                             .stride_bytes = pool.stride_bytes,
                             .slots = reinterpret_cast<std::byte*>(files_[k + 1]->body())});
  }
}

Result<Observation> SimMapping::compare(const MappingPlan& plan) const {
  std::size_t index = 0;
  Status status;
  Observation seen;
  for_each_region(plan, [&](const core::region::PlannedRegion& region) {
    if (!status) {
      return;
    }
    if (index == files_.size()) {
      status = fail(Errc::kSuperblockMismatch, region.uri);
      return;
    }
    const auto block = core::region::load_superblock<SimAtom>(files_[index]->superblock());
    if (index == 0) {
      seen = {.pid = block.pid, .activity_timestamp_ns = block.activity_timestamp_ns};
    }
    ++index;
    status = core::region::check_superblock(block, region.expected);
  });
  if (!status) {
    return fail(status.error());
  }
  return seen;
}

Observation SimMapping::observe() const {
  const auto block = core::region::load_superblock<SimAtom>(files_.front()->superblock());
  return {.pid = block.pid, .activity_timestamp_ns = block.activity_timestamp_ns};
}

Observation SimMapping::peek() const noexcept {
  layout::Superblock block;
  std::memcpy(&block, files_.front()->words.data(), sizeof(block));
  return {.pid = block.pid, .activity_timestamp_ns = block.activity_timestamp_ns};
}

void SimMapping::initialise(const MappingPlan& plan, core::region::Creation creation) {
  std::size_t index = 0;
  for_each_region(plan, [&](const core::region::PlannedRegion& region) {
    core::region::store_superblock<SimAtom>(
        files_[index++]->superblock(), core::region::make_superblock(region.expected, creation));
  });
}

void SimMapping::refresh_activity(Nanos now) {
  for (const auto& file : files_) {
    core::region::store_activity<SimAtom>(file->superblock(),
                                          static_cast<std::uint64_t>(now.count()));
  }
}

void SimMapping::scribble_pid(std::uint64_t pid) {
  files_.front()->words[offsetof(layout::Superblock, pid) / sizeof(std::uint64_t)] = pid;
}

std::shared_ptr<SimMapping> RegionStore::create(const MappingPlan& plan) {
  std::vector<std::shared_ptr<RegionFile>> opened;
  for_each_region(plan, [&](const core::region::PlannedRegion& region) {
    opened.push_back(std::make_shared<RegionFile>(region.expected.bytes()));
    files_[region.uri] = opened.back();
  });
  return std::make_shared<SimMapping>(plan, std::move(opened));
}

Result<std::shared_ptr<SimMapping>> RegionStore::open(const MappingPlan& plan) const {
  std::vector<std::shared_ptr<RegionFile>> opened;
  Status status;
  for_each_region(plan, [&](const core::region::PlannedRegion& region) {
    const auto found = files_.find(region.uri);
    if (found == files_.end()) {
      status = fail(Errc::kNotFound, region.uri);
    } else if (found->second->words.size() * sizeof(std::uint64_t) < region.expected.bytes()) {
      status = fail(Errc::kRegionTooSmall, region.uri);
    } else {
      opened.push_back(found->second);
    }
  });
  if (!status) {
    return fail(status.error());
  }
  auto mapping = std::make_shared<SimMapping>(plan, std::move(opened));
  if (const auto seen = mapping->compare(plan); !seen) {
    return fail(seen.error());
  }
  return mapping;
}

std::shared_ptr<RegionFile> RegionStore::find(const std::string& uri) const {
  const auto found = files_.find(uri);
  return found == files_.end() ? nullptr : found->second;
}

void RegionStore::remove(const MappingPlan& plan) {
  for_each_region(plan,
                  [&](const core::region::PlannedRegion& region) { files_.erase(region.uri); });
}

}  // namespace tensorpool::inline v0::sim
