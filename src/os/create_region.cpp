#include "os/create_region.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <limits>
#include <optional>
#include <utility>

#include "base/atomics.hpp"
#include "base/reason.hpp"
#include "core/region/uri.hpp"
#include "os/process.hpp"
#include "os/region_policy.hpp"

namespace tensorpool::inline v0::os {
namespace {

using base::DefaultAtom;
using core::region::ExpectedRegion;
using core::region::MappingPlan;
using core::region::PlannedRegion;

constexpr int kEpochAttempts = 64;
/// Allocated in pieces, since a signal makes the whole of one call begin anew.
constexpr std::uint64_t kAllocationStep = 64ULL << 20U;

struct Modes {
  mode_t file;
  mode_t directory;
};
[[nodiscard]] constexpr Modes modes_of(const OwnerOptions& options) noexcept {
  return options.private_files ? Modes{.file = 0600, .directory = 0700}
                               : Modes{.file = 0660, .directory = 02770};
}

[[nodiscard, gnu::cold]] Error file_error(std::string_view call, std::string_view path,
                                          int os_errno) noexcept {
  const bool full = os_errno == ENOSPC || os_errno == EDQUOT || os_errno == EFBIG;
  const bool exhausted = os_errno == EMFILE || os_errno == ENFILE;
  if (exhausted) {
    return open_error(path, os_errno);
  }
  Error error = base::make_reason(full ? Errc::kNoSpace : Errc::kOsFailure, call, path);
  error.os_errno = os_errno;
  return error;
}

[[nodiscard]] Status allocate(Syscalls& calls, int fd, const std::string& path,
                              std::uint64_t bytes) {
  for (std::uint64_t done = 0; done < bytes;) {
    const std::uint64_t step = std::min(bytes - done, kAllocationStep);
    if (calls.fallocate(fd, static_cast<off_t>(done), static_cast<off_t>(step)) == 0) {
      done += step;
    } else if (errno != EINTR) {
      Error error = file_error("fallocate", path, errno);
      error.value = bytes;
      error.limit = done;
      return fail(error);
    }
  }
  return {};
}

[[nodiscard]] Result<std::uint64_t> highest_epoch(Syscalls& calls,
                                                  const Directory& stream_directory) {
  std::vector<std::string> names;
  if (calls.list_directory(stream_directory.fd.get(), names) != 0) {
    return fail(file_error("listing", stream_directory.path, errno));
  }
  std::uint64_t highest = 0;
  for (const std::string& name : names) {
    highest = std::max(highest, core::region::parse_decimal(name).value_or(0));
  }
  return highest;
}

/// Refuses what would not fit, with both numbers, before anything is allocated.
[[nodiscard]] Status check_free_space(Syscalls& calls, const Directory& directory,
                                      const std::vector<ExpectedRegion>& regions,
                                      std::uint64_t page_bytes) {
  struct statvfs system {};
  if (calls.fstatvfs(directory.fd.get(), system) != 0) {
    return fail(file_error("statvfs", directory.path, errno));
  }
  constexpr std::uint64_t kMost = std::numeric_limits<std::uint64_t>::max();
  const std::uint64_t block = std::max<std::uint64_t>(page_bytes, system.f_frsize);
  std::uint64_t needed = 0;
  for (const ExpectedRegion& region : regions) {
    const std::uint64_t bytes = round_up(region.bytes(), block);
    needed = bytes > kMost - needed ? kMost : needed + bytes;
  }
  const std::uint64_t free = std::uint64_t{system.f_bavail} * system.f_frsize;
  const bool bounded = system.f_blocks != 0;  // hugetlbfs without a size option counts nothing
  if (bounded && needed > free) {
    return fail(base::make_reason(Errc::kNoSpace, "more than the free bytes", directory.path,
                                  needed, free));
  }
  return {};
}

[[nodiscard]] Result<PlannedRegion> plan_region(const ExpectedRegion& region,
                                                const Directory& directory,
                                                bool require_hugepages) {
  const std::string path = directory / region_file_name(region);
  PlannedRegion planned{.expected = region,
                        .uri = core::region::format_region_uri(
                            {.path = path, .require_hugepages = require_hugepages})};
  if (const auto parsed = core::region::parse_region_uri(planned.uri); !parsed) {
    return fail(locate(parsed.error(), region));
  }
  return planned;
}

/// What is to be announced of the files in `directory`.
[[nodiscard]] Result<MappingPlan> plan_epoch(const std::vector<ExpectedRegion>& regions,
                                             const Directory& directory, bool require_hugepages) {
  MappingPlan plan;
  for (const ExpectedRegion& region : regions) {
    auto planned = plan_region(region, directory, require_hugepages);
    if (!planned) {
      return fail(planned.error());
    }
    if (region.type == layout::RegionType::kHeaderRing) {
      plan.header_ring = *std::move(planned);
    } else {
      plan.pools.push_back(*std::move(planned));
    }
  }
  return plan;
}

[[nodiscard]] Result<EpochFiles> create_epoch(Syscalls& calls, const OwnerOptions& options,
                                              std::uint32_t stream_id, Nanos now_real) {
  const auto place = place_of(options, stream_id);
  if (!place) {
    return fail(place.error());
  }
  const auto base = canonical_base_dir(calls, options.base_dir);
  if (!base) {
    return fail(base.error());
  }
  const mode_t mode = modes_of(options).directory;
  auto stream_directory = open_stream_directory(calls, *base, *place, mode);
  if (!stream_directory) {
    return fail(stream_directory.error());
  }
  return EpochFiles::create(calls, *std::move(stream_directory), now_real, mode);
}

struct NewRegion {
  UniqueFd fd;
  Mapping mapping;
};

[[nodiscard]] Result<NewRegion> create_file(Syscalls& calls, EpochFiles& files,
                                            const ExpectedRegion& region,
                                            const OwnerOptions& options, std::uint64_t page_bytes) {
  auto fd = files.create_file(region_file_name(region), modes_of(options).file,
                              round_up(region.bytes(), page_bytes));
  if (!fd) {
    return fail(fd.error());
  }
  auto mapping = Mapping::create(calls, fd->get(),
                                 {.bytes = region.bytes(),
                                  .page_bytes = page_bytes,
                                  .access = Access::kReadWrite,
                                  .populate = options.populate});
  if (!mapping) {
    return fail(mapping.error());
  }
  return NewRegion{.fd = *std::move(fd), .mapping = *std::move(mapping)};
}

/// Stores the superblock through the mapping (W146) and synchronises.
[[nodiscard]] Result<MappedRegion> finish(Syscalls& calls, NewRegion file,
                                          const ExpectedRegion& region, base::Now now) {
  const core::region::Creation creation{.pid = static_cast<std::uint64_t>(::getpid()),
                                        .now_ns = static_cast<std::uint64_t>(now.mono.count())};
  core::region::store_superblock<DefaultAtom>(
      core::region::SuperblockWords<DefaultAtom>(
          reinterpret_cast<DefaultAtom::Word*>(file.mapping.data()), layout::kSuperblockWords),
      core::region::make_superblock(region, creation));
  if (calls.msync(file.mapping.data(), file.mapping.bytes(), MS_SYNC) != 0) {
    return fail(make_os_error(Errc::kOsFailure, "msync", errno));
  }
  return MappedRegion::create(std::move(file.fd), std::move(file.mapping), region);
}

/// All files first, then all superblocks (W148).
[[nodiscard]] Result<MappedStream> create_files(Syscalls& calls, EpochFiles& files,
                                                const std::vector<ExpectedRegion>& regions,
                                                const OwnerOptions& options,
                                                std::uint64_t page_bytes, base::Now now) {
  std::vector<NewRegion> created;
  for (const ExpectedRegion& region : regions) {
    auto file = create_file(calls, files, region, options, page_bytes);
    if (!file) {
      return fail(locate(file.error(), region));
    }
    created.push_back(*std::move(file));
  }
  std::vector<MappedRegion> mapped;
  for (std::size_t i = 0; i < regions.size(); ++i) {
    auto region = finish(calls, std::move(created[i]), regions[i], now);
    if (!region) {
      return fail(locate(region.error(), regions[i]));
    }
    mapped.push_back(*std::move(region));
  }
  MappedStream stream{.header_ring = std::move(mapped.front()), .pools = {}};
  stream.pools.assign(std::make_move_iterator(mapped.begin() + 1),
                      std::make_move_iterator(mapped.end()));
  return stream;
}

}  // namespace

Result<core::region::StreamPlace> place_of(const OwnerOptions& options, std::uint32_t stream_id) {
  if (Status valid = core::region::check_namespace(options.name_space); !valid) {
    return fail(valid.error());
  }
  const std::string user = options.user.empty() ? effective_user_name() : options.user;
  return core::region::StreamPlace{.user = core::region::sanitized_user(user, ::geteuid()),
                                   .name_space = options.name_space,
                                   .stream_id = stream_id};
}

EpochFiles::EpochFiles(Syscalls& calls, Directory stream_directory, Directory directory,
                       std::uint64_t epoch) noexcept
    : calls_(&calls),
      stream_directory_(std::move(stream_directory)),
      directory_(std::move(directory)),
      epoch_(epoch),
      generation_(fork_generation()) {}

EpochFiles::~EpochFiles() {
  remove();
}

void EpochFiles::remove() noexcept {
  if (!directory_.fd || keep_ || generation_ != fork_generation()) {
    return;
  }
  keep_ = true;
  for (const std::string& name : names_) {
    static_cast<void>(calls_->unlinkat(directory_.fd.get(), name.c_str(), 0));  // W422
  }
  static_cast<void>(
      calls_->unlinkat(stream_directory_.fd.get(), std::to_string(epoch_).c_str(), AT_REMOVEDIR));
}

Result<EpochFiles> EpochFiles::create(Syscalls& calls, Directory stream_directory, Nanos now_real,
                                      mode_t mode) {
  auto highest = highest_epoch(calls, stream_directory);
  if (!highest) {
    return fail(highest.error());
  }
  for (int attempt = 0; attempt < kEpochAttempts; ++attempt) {
    const auto epoch = core::region::choose_epoch(*highest, now_real);
    if (!epoch) {
      return fail(epoch.error());
    }
    auto directory = create_directory(calls, stream_directory, std::to_string(*epoch), mode);
    if (directory) {
      return EpochFiles(calls, std::move(stream_directory), *std::move(directory), *epoch);
    }
    if (directory.error().code != Errc::kAlreadyExists) {
      return fail(directory.error());
    }
    highest = *epoch;  // somebody else took it meanwhile: W143
  }
  return fail(base::make_reason(Errc::kAlreadyExists, "others take each epoch first",
                                stream_directory.path, *highest));
}

Result<UniqueFd> EpochFiles::create_file(const std::string& name, mode_t mode,
                                         std::uint64_t bytes) {
  constexpr int kFlags = O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
  names_.reserve(names_.size() + 1);
  UniqueFd fd(calls_->openat(directory_.fd.get(), name.c_str(), kFlags, 0600));
  if (!fd) {
    return fail(file_error("creating", directory_ / name, errno));
  }
  names_.push_back(name);
  if (Status allocated = allocate(*calls_, fd.get(), directory_ / name, bytes); !allocated) {
    return fail(allocated.error());
  }
  if (calls_->fchmod(fd.get(), mode) != 0) {
    return fail(file_error("fchmod", directory_ / name, errno));
  }
  return fd;
}

Result<OwnedStream> OwnedStream::create(Syscalls& calls, const OwnerOptions& options,
                                        const core::region::StreamGeometry& geometry,
                                        base::Now now) {
  auto created = core::region::check_geometry(geometry).and_then(
      [&] { return create_all(calls, options, geometry, now); });
  if (!created) {
    return fail(created.error().in_stream(geometry.stream_id));
  }
  return created;
}

Result<OwnedStream> OwnedStream::create_all(Syscalls& calls, const OwnerOptions& options,
                                            const core::region::StreamGeometry& geometry,
                                            base::Now now) {
  auto files = create_epoch(calls, options, geometry.stream_id, now.real);
  if (!files) {
    return fail(files.error());
  }
  const Directory& directory = files->directory();
  const std::vector<ExpectedRegion> regions = regions_of(geometry, files->epoch());
  auto plan = plan_epoch(regions, directory, options.require_hugepages);
  if (!plan) {
    return fail(plan.error());
  }
  const auto page =
      file_page_bytes(calls, directory.fd.get(), directory.path, options.require_hugepages);
  if (!page) {
    return fail(page.error());
  }
  if (Status fits = check_free_space(calls, directory, regions, *page); !fits) {
    return fail(fits.error());
  }
  auto mapped = create_files(calls, *files, regions, options, *page, now);
  if (!mapped) {
    return fail(mapped.error());
  }
  if (!options.remove_on_close) {
    files->keep();
  }
  return OwnedStream(*std::move(files), *std::move(mapped), *std::move(plan));
}

}  // namespace tensorpool::inline v0::os
