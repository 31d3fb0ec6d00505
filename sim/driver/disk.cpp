#include "driver/disk.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <limits>

#include "core/region/superblock.hpp"
#include "layout/superblock.hpp"

namespace tensorpool::inline v0::sim::driver {
namespace {

using core::region::MappingPlan;
using core::region::PlannedRegion;

[[nodiscard]] tl::unexpected<Error> system_error(Errc code, std::string_view call, int os_errno) {
  Error error = make_error(code, call);
  error.os_errno = os_errno;
  return tensorpool::fail(error);
}

[[nodiscard]] layout::Superblock superblock_of(const RegionFile& file) {
  layout::Superblock block;
  std::memcpy(&block, file.words.data(), sizeof(block));
  return block;
}

/// True when `whole` holds for every region of the plan.
template <class Whole>
[[nodiscard]] bool all_regions(const MappingPlan& plan, Whole&& whole) {
  return whole(plan.header_ring) && std::all_of(plan.pools.begin(), plan.pools.end(), whole);
}

}  // namespace

// ---- system calls ----

Status Disk::call(std::string_view name) {
  if (!steps->system_call()) {
    return tensorpool::fail(Errc::kClosed);
  }
  if (random_.chance(call_fails_ppm_, 1'000'000)) {
    TP_MARK("a system call of the driver fails");
    return system_error(Errc::kOsFailure, name, EIO);
  }
  return {};
}

Status Disk::make_directory(std::uint32_t stream_id, std::uint64_t epoch) {
  if (Status called = call("mkdir"); !called) {
    return called;
  }
  if (!streams_[stream_id].try_emplace(epoch, Directory{.changed = clock_->real()}).second) {
    return tensorpool::fail(Errc::kAlreadyExists);
  }
  return {};
}

Result<std::shared_ptr<RegionFile>> Disk::create_file(const PlannedRegion& region) {
  if (Status called = call("open"); !called) {
    return tensorpool::fail(called.error());
  }
  Directory* const into = directory(region.expected.stream_id, region.expected.epoch);
  if (into == nullptr || !into->files.insert(region.uri).second) {
    return system_error(Errc::kOsFailure, "open", into == nullptr ? ENOENT : EEXIST);
  }
  into->changed = clock_->real();
  std::shared_ptr<RegionFile> file(new RegionFile(0), [used = used_](RegionFile* gone) {
    *used -= gone->bytes();
    delete gone;
  });
  store_.link(region.uri, file);
  return file;
}

Status Disk::allocate(RegionFile& file, std::uint64_t bytes) {
  if (Status called = call("fallocate"); !called) {
    return called;
  }
  if (*used_ + others_ + bytes > capacity_) {
    TP_MARK("no space in the middle of a provisioning");
    return system_error(Errc::kNoSpace, "fallocate", ENOSPC);
  }
  *used_ += bytes;
  file.words.resize(file.words.size() + bytes / sizeof(file.words[0]));
  return {};
}

Status Disk::remove_file(std::uint32_t stream_id, std::uint64_t epoch, const std::string& uri) {
  if (Status called = call("unlink"); !called) {
    return called;
  }
  Directory* const from = directory(stream_id, epoch);
  if (from == nullptr || from->files.erase(uri) == 0) {
    return system_error(Errc::kOsFailure, "unlink", ENOENT);
  }
  from->changed = clock_->real();
  store_.unlink(uri);
  return {};
}

Status Disk::remove_directory(std::uint32_t stream_id, std::uint64_t epoch) {
  if (Status called = call("rmdir"); !called) {
    return called;
  }
  const Directory* const gone = directory(stream_id, epoch);
  if (gone == nullptr || !gone->files.empty()) {
    return system_error(Errc::kOsFailure, "rmdir", gone == nullptr ? ENOENT : ENOTEMPTY);
  }
  streams_[stream_id].erase(epoch);
  return {};
}

Result<std::vector<std::uint64_t>> Disk::list(std::uint32_t stream_id) {
  if (Status called = call("readdir"); !called) {
    return tensorpool::fail(called.error());
  }
  return epochs(stream_id);
}

Result<std::uint64_t> Disk::free_bytes() {
  if (Status called = call("statfs"); !called) {
    return tensorpool::fail(called.error());
  }
  return capacity_ > *used_ + others_ ? capacity_ - *used_ - others_ : 0;
}

Status Disk::check_files(const MappingPlan& plan, const SimMapping& mapping) {
  std::size_t index = 0;
  Status status;
  static_cast<void>(all_regions(plan, [&](const PlannedRegion& region) {
    status = call("stat");
    if (status && store_.find(region.uri) != mapping.files()[index]) {
      status = tensorpool::fail(Errc::kNotFound, region.uri);
    }
    ++index;
    return status.has_value();
  }));
  return status;
}

// ---- the simulation ----

Disk::Directory* Disk::directory(std::uint32_t stream_id, std::uint64_t epoch) {
  return const_cast<Directory*>(find(stream_id, epoch));
}

const Disk::Directory* Disk::find(std::uint32_t stream_id, std::uint64_t epoch) const {
  const auto stream = streams_.find(stream_id);
  if (stream == streams_.end()) {
    return nullptr;
  }
  const auto found = stream->second.find(epoch);
  return found == stream->second.end() ? nullptr : &found->second;
}

std::vector<std::uint64_t> Disk::epochs(std::uint32_t stream_id) const {
  std::vector<std::uint64_t> all;
  if (const auto stream = streams_.find(stream_id); stream != streams_.end()) {
    for (const auto& [epoch, found] : stream->second) {
      all.push_back(epoch);
    }
  }
  return all;
}

std::vector<std::uint32_t> Disk::stream_ids() const {
  std::vector<std::uint32_t> all;
  for (const auto& [id, found] : streams_) {
    all.push_back(id);
  }
  return all;
}

bool Disk::is_complete(const MappingPlan& plan) const {
  return all_regions(plan, [&](const PlannedRegion& region) {
    const auto file = store_.find(region.uri);
    return file != nullptr && file->bytes() >= region.expected.bytes() &&
           core::region::check_superblock(superblock_of(*file), region.expected).has_value();
  });
}

std::optional<layout::Superblock> Disk::superblock(std::uint32_t stream_id,
                                                   std::uint64_t epoch) const {
  const Directory* const directory = find(stream_id, epoch);
  if (directory == nullptr) {
    return std::nullopt;
  }
  for (const std::string& uri : directory->files) {
    const auto file = store_.find(uri);
    if (uri.ends_with("header.ring") && file->bytes() >= layout::kSuperblockBytes) {
      const layout::Superblock block = superblock_of(*file);
      return block.magic == layout::kSuperblockMagic ? std::optional(block) : std::nullopt;
    }
  }
  return std::nullopt;
}

std::uint64_t Disk::activity_ns(std::uint32_t stream_id, std::uint64_t epoch) const {
  const auto block = superblock(stream_id, epoch);
  return block ? std::uint64_t{block->activity_timestamp_ns} : 0;
}

std::uint64_t Disk::pid(std::uint32_t stream_id, std::uint64_t epoch) const {
  const auto block = superblock(stream_id, epoch);
  return block ? std::uint64_t{block->pid} : 0;
}

void Disk::harm(std::uint32_t stream_id, std::uint64_t epoch) {
  Directory* const harmed = directory(stream_id, epoch);
  if (harmed == nullptr || harmed->files.empty()) {
    return;
  }
  harmed->harmed = true;
  auto victim = harmed->files.begin();
  std::advance(victim, random_.below(harmed->files.size()));
  store_.unlink(*victim);
  harmed->files.erase(victim);
}

void Disk::heal() {
  capacity_ = std::numeric_limits<std::uint64_t>::max();
  others_ = 0;
  call_fails_ppm_ = 0;
}

}  // namespace tensorpool::inline v0::sim::driver
