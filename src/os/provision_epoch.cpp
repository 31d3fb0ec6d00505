#include "os/provision_epoch.hpp"

#include <algorithm>
#include <cerrno>
#include <utility>

#include "base/assert.hpp"
#include "base/kill_point.hpp"
#include "base/reason.hpp"
#include "core/region/directories.hpp"
#include "core/region/uri.hpp"
#include "os/mapping.hpp"

namespace tensorpool::inline v0::os {
namespace {

using core::region::ExpectedRegion;
using core::region::PlannedRegion;

constexpr std::uint64_t kSliceBytes = 64ULL << 20U;  // D345: what a duty cycle can bear
constexpr int kEpochAttempts = 8;                    // D199
constexpr std::uint8_t kCollections = 2;             // D204

/// Whether the file of a mapped region is still where its URI says.
[[nodiscard]] Status check_file(Syscalls& calls, const MappedRegion& region,
                                const PlannedRegion& planned) {
  const std::string path(core::region::parse_region_uri(planned.uri)->path);
  struct stat named {};
  if (calls.lstatat(AT_FDCWD, path.c_str(), named) != 0) {
    const int os_errno = errno;
    Error error = base::make_reason(os_errno == ENOENT ? Errc::kNotFound : Errc::kOsFailure,
                                    "region file", path);
    error.os_errno = os_errno;
    return fail(locate(error, planned.expected));
  }
  const auto same = region.is_file(calls, named);
  if (!same) {
    return fail(same.error());
  }
  if (!*same) {
    return fail(locate(base::make_reason(Errc::kNotFound, "another file is in its place", path),
                       planned.expected));
  }
  return region.check_not_shrunk(calls);
}

}  // namespace

Status OwnedEpoch::check_files(Syscalls& calls) const {
  Status whole = check_file(calls, regions_.header_ring, plan_.header_ring);
  for (std::size_t i = 0; whole && i < plan_.pools.size(); ++i) {
    whole = check_file(calls, regions_.pools[i], plan_.pools[i]);
  }
  return whole;
}

ProvisionJob::ProvisionJob(ManagedStream& stream, const core::driver::PolicySettings& policies,
                           core::driver::ProvisionRequest request)
    : stream_(stream),
      geometry_(std::move(request.geometry)),
      numa_node_(request.numa_node),
      prefault_(policies.prefault_shm),
      mlock_(policies.mlock_shm),
      collections_left_(policies.epoch_gc_enabled ? kCollections : 0) {
  TP_ASSERT(geometry_.stream_id == stream.stream_id());
  outcome_.stream_id = geometry_.stream_id;
  outcome_.known_epoch = request.known_epoch;
}

ProvisionJob::Step ProvisionJob::step(Nanos now_mono) {
  if (phase_ == Phase::kDone) {
    return Step::kDone;
  }
  wanted_ = Step::kMore;
  if (Status done = advance(now_mono); !done) {
    give_up(done.error());
  }
  return phase_ == Phase::kDone ? Step::kDone : wanted_;
}

Status ProvisionJob::advance(Nanos now_mono) {
  switch (phase_) {
    case Phase::kDirectories:
      return open_directories();
    case Phase::kSpace:
      return check_space();
    case Phase::kEpochDirectory:
      return create_directory(now_mono);
    case Phase::kFiles:
      return create_file();
    case Phase::kBlocks:
      return allocate_blocks();
    case Phase::kMappings:
      return map_file();
    case Phase::kTouch:
      return each_slice(&NewRegion::touch, mlock_ ? Phase::kLock : Phase::kSuperblocks);
    case Phase::kLock:
      return each_slice(&NewRegion::lock, Phase::kSuperblocks);
    case Phase::kSuperblocks:
      return store_superblock(now_mono);
    case Phase::kDone:
      break;
  }
  return {};
}

Status ProvisionJob::open_directories() {
  if (Status open = stream_.open(ManagedStream::Absent::kCreate); !open) {
    return open;
  }
  Syscalls& calls = stream_.store().calls();
  const Directory& directory = stream_.directory();
  if (outcome_.known_epoch == 0) {
    const auto existing = list_numbered(calls, directory, core::region::kDriverEpochMax);
    if (!existing) {
      return fail(existing.error());
    }
    outcome_.known_epoch = existing->empty() ? 0 : existing->back();
  }
  const auto page = file_page_bytes(calls, directory.fd.get(), directory.path, false);
  if (!page) {
    return fail(page.error());
  }
  TP_KILLPOINT("driver.provision.directories");
  page_bytes_ = *page;
  phase_ = Phase::kSpace;
  return {};
}

Result<std::uint64_t> ProvisionJob::free_space() const {
  Syscalls& calls = stream_.store().calls();
  const auto free = free_bytes(calls, stream_.directory());
  if (!free || !(prefault_ || mlock_)) {
    return free;
  }
  const auto memory = free_memory_bytes(calls, stream_.directory());
  return memory ? std::min(*free, *memory) : memory;
}

Status ProvisionJob::check_space() {
  phase_ = Phase::kEpochDirectory;
  if (page_bytes_ != 1) {  // hugetlbfs
    return {};
  }
  const auto free = free_space();
  if (!free) {
    return fail(free.error());
  }
  const std::vector<ExpectedRegion> regions = regions_of(geometry_, /*epoch=*/0);
  std::uint64_t needed = sum_of_bytes(regions, 1);
  if (needed <= *free) {
    needed = sum_of_bytes(regions, kSmallestBlock);  // what the files will take
  }
  if (needed <= *free) {
    return {};
  }
  if (collections_left_ == 0) {
    return fail(Errc::kNoSpace, stream_.directory().path, needed, *free);
  }
  wanted_ = collections_left_ == kCollections ? Step::kCollectStream : Step::kCollectAll;
  --collections_left_;
  phase_ = Phase::kSpace;
  return {};
}

Status ProvisionJob::create_directory(Nanos now_mono) {
  const EpochStore& store = stream_.store();
  for (int attempt = 0; attempt < kEpochAttempts; ++attempt) {
    const auto epoch =
        core::region::choose_epoch(outcome_.known_epoch, now_mono, core::region::kDriverEpochMax);
    if (!epoch) {
      return fail(epoch.error());
    }
    outcome_.known_epoch = *epoch;
    const std::string path = stream_.directory() / std::to_string(*epoch);
    if (Status contained = store.check_contained(path); !contained) {
      return contained;
    }
    auto files = EpochFiles::create(store.calls(), stream_.directory(), *epoch,
                                    store.directory_access(stream_.stream_id()));
    if (files) {
      files_.emplace(*std::move(files));
      TP_KILLPOINT("driver.provision.epoch_directory");
      return plan_regions();
    }
    if (files.error().code != Errc::kAlreadyExists) {
      return fail(files.error());
    }
  }
  return fail(base::make_reason(Errc::kAlreadyExists, "others take each epoch first",
                                stream_.directory().path, outcome_.known_epoch)
                  .of_field(Field::kEpoch));
}

Status ProvisionJob::plan_regions() {
  regions_ = regions_of(geometry_, files_->epoch());
  auto plan = plan_epoch(regions_, files_->directory().path, page_bytes_ != 1);  // D77
  if (!plan) {
    return fail(plan.error());
  }
  outcome_.regions = *std::move(plan);
  new_regions_.reserve(regions_.size());
  mapped_.reserve(regions_.size());
  phase_ = Phase::kFiles;
  return {};
}

Status ProvisionJob::create_file() {
  auto created =
      NewRegion::create(stream_.store().calls(), *files_, regions_[region_], page_bytes_);
  if (!created) {
    return fail(created.error());
  }
  if (numa_node_) {
    if (Status bound = created->bind_to_node(*numa_node_); !bound) {
      return bound;
    }
  }
  new_regions_.push_back(*std::move(created));
  TP_KILLPOINT("driver.provision.file");
  next_region(Phase::kBlocks);
  return {};
}

Status ProvisionJob::allocate_blocks() {
  if (prefault_) {
    return each_slice(&NewRegion::allocate, Phase::kMappings);
  }
  Status sized = new_regions_[region_].make_sparse();
  TP_KILLPOINT("driver.provision.sparse");
  next_region(Phase::kMappings);
  return sized;
}

Status ProvisionJob::map_file() {
  NewRegion& region = new_regions_[region_];
  Status mapped =
      region.give_access(stream_.store().file_access(stream_.stream_id())).and_then([&] {
        return region.map(/*populate=*/false);
      });
  TP_KILLPOINT("driver.provision.mapped");
  next_region(prefault_ ? Phase::kTouch : mlock_ ? Phase::kLock : Phase::kSuperblocks);
  return mapped;
}

Status ProvisionJob::store_superblock(Nanos now_mono) {
  auto region = std::move(new_regions_[region_]).finish(now_mono);
  if (!region) {
    return fail(region.error());
  }
  mapped_.push_back(*std::move(region));
  TP_KILLPOINT("driver.provision.superblock");
  next_region(Phase::kDone);
  if (phase_ == Phase::kDone) {
    finish();
  }
  return {};
}

Status ProvisionJob::each_slice(Status (NewRegion::*work)(NewRegion::Slice) const, Phase next) {
  const NewRegion& region = new_regions_[region_];
  const std::uint64_t bytes =
      std::min(region.bytes() - offset_, std::max(kSliceBytes, page_bytes_));
  Status done = (region.*work)({.offset = offset_, .bytes = bytes});
  TP_KILLPOINT("driver.provision.slice");
  offset_ += bytes;
  if (offset_ == region.bytes()) {
    next_region(next);
  }
  return done;
}

void ProvisionJob::next_region(Phase next) noexcept {
  offset_ = 0;
  if (++region_ == regions_.size()) {
    region_ = 0;
    phase_ = next;
  }
}

void ProvisionJob::finish() {
  stream_.remember(files_->epoch());
  files_->keep();
  TP_KILLPOINT("driver.provision.kept");
  files_.reset();
  new_regions_.clear();
  epoch_.emplace(OwnedEpoch(assemble(std::move(mapped_)), *outcome_.regions));
}

void ProvisionJob::give_up(const Error& error) {
  mapped_.clear();
  new_regions_.clear();
  files_.reset();
  Error placed = error;
  outcome_.regions = fail(placed.in_stream(geometry_.stream_id));
  phase_ = Phase::kDone;
}

}  // namespace tensorpool::inline v0::os
