#include "os/epoch_store.hpp"

#include <linux/magic.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <span>
#include <utility>

#include "base/reason.hpp"
#include "layout/limits.hpp"
#include "os/process.hpp"

namespace tensorpool::inline v0::os {
namespace {

/// Both are open; false also when one cannot be examined.
[[nodiscard]] bool same_directory(Syscalls& calls, const Directory& a, const Directory& b) {
  struct stat first {};
  struct stat second {};
  return calls.fstat(a.fd.get(), first) == 0 && calls.fstat(b.fd.get(), second) == 0 &&
         first.st_dev == second.st_dev && first.st_ino == second.st_ino;
}

[[nodiscard]] Result<core::driver::PageFacts> pages_at(
    Syscalls& calls, const std::string& base, std::optional<std::uint32_t> page_size_bytes) {
  const UniqueFd fd(calls.openat(AT_FDCWD, base.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC, 0));
  if (!fd) {
    return fail(open_error(base, errno));
  }
  struct statfs system {};
  if (calls.fstatfs(fd.get(), system) != 0) {
    return fail(make_os_error(Errc::kOsFailure, "statfs of shm.base_dir", errno));
  }
  const auto block = static_cast<std::uint64_t>(system.f_bsize);
  const bool huge = static_cast<std::uint64_t>(system.f_type) == HUGETLBFS_MAGIC;
  return core::driver::PageFacts{
      .base_on_hugetlbfs = huge,
      .hugepages_available = huge && block != 0 && block == page_size_bytes.value_or(block)};
}

/// Nothing is locked for the question.
[[nodiscard]] bool knows_mlock(Syscalls& calls) {
  alignas(64) static const std::byte kAnywhere{};
  return calls.mlock(&kAnywhere, 0) == 0 || errno != ENOSYS;
}

/// Of the levels that all streams share. Whoever may open the files of some stream has to get
/// through; nobody more may look around.
[[nodiscard]] DirectoryAccess shared_access(mode_t file_mode, const StoreAccess& access) {
  const bool others =
      std::any_of(access.streams.begin(), access.streams.end(), [&](const auto& stream) {
        return stream.second.owner || stream.second.group != access.group;
      });
  const mode_t mode = core::region::directory_mode(file_mode);
  return {.mode = others ? mode | S_IXOTH : mode,
          .group = access.group,
          .existing = others || access.group ? DirectoryAccess::Existing::kWiden
                                             : DirectoryAccess::Existing::kLeave};
}

}  // namespace

Status ManagedStream::open(Absent absent) {
  Syscalls& calls = store_.calls();
  auto found = store_.open_stream_directory(stream_id_, absent == Absent::kCreate);
  if (!found) {
    return fail(found.error());
  }
  if (is_open() && same_directory(calls, directory_, *found)) {
    return {};
  }
  if (calls.flock(found->fd.get(), LOCK_EX | LOCK_NB) != 0) {
    Error error = errno == EWOULDBLOCK ? base::make_reason(Errc::kAlreadyExists,
                                                           "locked by another driver", found->path)
                                             .of_field(Field::kStreamId)
                                       : base::make_reason(Errc::kOsFailure, "flock", found->path);
    error.os_errno = errno;
    return fail(error.in_stream(stream_id_));
  }
  directory_ = *std::move(found);
  return {};
}

Result<std::unique_ptr<EpochStore>> EpochStore::create(Syscalls& calls,
                                                       const core::driver::ShmSettings& settings,
                                                       StoreAccess access) {
  if (Status valid = core::region::check_namespace(settings.name_space); !valid) {
    return fail(valid.error());
  }
  auto base = create_base_directory(calls, settings.base_dir,
                                    shared_access(settings.permissions_mode, access));
  if (!base) {
    return fail(base.error());
  }
  RegionPolicy::Options allowed{.allowed_base_dirs = settings.allowed_base_dirs};
  if (allowed.allowed_base_dirs.empty()) {
    allowed.allowed_base_dirs = {*base};
  }
  auto policy = RegionPolicy::create(calls, std::move(allowed));
  if (!policy) {
    return fail(policy.error());
  }
  const auto pages = pages_at(calls, *base, settings.page_size_bytes);
  if (!pages) {
    return fail(pages.error());
  }
  core::region::StreamPlace place{
      .user = core::region::sanitized_user(effective_user_name(), ::geteuid()),
      .name_space = settings.name_space};
  std::unique_ptr<EpochStore> store(new EpochStore(calls, *std::move(base), std::move(place),
                                                   *std::move(policy), settings.permissions_mode,
                                                   std::move(access)));
  store->pages_ = *pages;
  store->mlock_available_ = knows_mlock(calls);
  return store;
}

ManagedStream& EpochStore::stream(std::uint32_t stream_id) {
  return streams_.try_emplace(stream_id, *this, stream_id).first->second;
}

void EpochStore::release(std::uint32_t stream_id) noexcept {
  const auto found = streams_.find(stream_id);
  if (found == streams_.end()) {
    return;
  }
  found->second.close();
  if (found->second.provisioned().empty()) {
    streams_.erase(found);
  }
}

Result<std::vector<std::uint32_t>> EpochStore::existing_stream_ids() const {
  std::vector<std::uint32_t> ids;
  const auto levels = place_.levels();
  auto directory = open_levels(calls_, base_, std::span(levels).first(2), std::nullopt);
  if (!directory) {
    if (directory.error().code == Errc::kNotFound) {
      return ids;
    }
    return fail(directory.error());
  }
  const auto numbers = list_numbered(calls_, *directory, layout::kStreamIdMax);
  if (!numbers) {
    return fail(numbers.error());
  }
  ids.assign(numbers->begin(), numbers->end());
  return ids;
}

Result<Directory> EpochStore::open_stream_directory(std::uint32_t stream_id, bool create) const {
  core::region::StreamPlace place = place_;
  place.stream_id = stream_id;
  const auto levels = place.levels();
  auto opened =
      open_levels(calls_, base_, std::span(levels).first(2),
                  create ? std::optional(shared_access(file_mode_, access_)) : std::nullopt);
  if (opened) {
    opened = open_level(calls_, *opened, levels.back(),
                        create ? std::optional(directory_access(stream_id)) : std::nullopt);
  }
  if (!opened) {
    return fail(opened.error().in_stream(stream_id));
  }
  return opened;
}

FileAccess EpochStore::file_access(std::uint32_t stream_id) const {
  const auto found = access_.streams.find(stream_id);
  return found != access_.streams.end() ? found->second
                                        : FileAccess{.mode = file_mode_, .group = access_.group};
}

DirectoryAccess EpochStore::directory_access(std::uint32_t stream_id) const {
  const FileAccess files = file_access(stream_id);
  const mode_t mode = core::region::directory_mode(files.mode);
  return {.mode = files.owner ? mode | S_IXOTH : mode,
          .group = files.group,
          .existing = access_.streams.contains(stream_id) ? DirectoryAccess::Existing::kExact
                      : access_.group                     ? DirectoryAccess::Existing::kWiden
                                                          : DirectoryAccess::Existing::kLeave};
}

bool EpochStore::is_exposed() const {
  return lets_others_exchange(calls_, base_);
}

Status EpochStore::check_contained(const std::string& path) const {
  const auto contained = allowed_.contain(path);
  return contained ? Status() : Status(fail(contained.error()));
}

}  // namespace tensorpool::inline v0::os
