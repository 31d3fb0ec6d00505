#include "os/epoch_files.hpp"

#include <linux/magic.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <iterator>
#include <limits>
#include <utility>

#include "base/assert.hpp"
#include "base/atomics.hpp"
#include "base/reason.hpp"
#include "core/region/directories.hpp"
#include "core/region/uri.hpp"
#include "os/process.hpp"
#include "os/region_policy.hpp"

namespace tensorpool::inline v0::os {
namespace {

using base::DefaultAtom;
using core::region::ExpectedRegion;
using core::region::MappingPlan;
using core::region::PlannedRegion;

constexpr int kPopulateWrite = 23;  // MADV_POPULATE_WRITE, which older headers do not have

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

[[nodiscard]] Result<PlannedRegion> plan_region(const ExpectedRegion& region,
                                                const std::string& directory,
                                                bool require_hugepages) {
  const std::string path = directory + "/" + region_file_name(region);
  PlannedRegion planned{.expected = region,
                        .uri = core::region::format_region_uri(
                            {.path = path, .require_hugepages = require_hugepages})};
  if (const auto parsed = core::region::parse_region_uri(planned.uri); !parsed) {
    return fail(locate(parsed.error(), region));
  }
  return planned;
}

}  // namespace

Result<std::uint64_t> free_bytes(Syscalls& calls, const Directory& directory) {
  struct statvfs system {};
  if (calls.fstatvfs(directory.fd.get(), system) != 0) {
    return fail(file_error("statvfs", directory.path, errno));
  }
  const bool bounded = system.f_blocks != 0;  // tmpfs and hugetlbfs without a size count nothing
  return bounded ? std::uint64_t{system.f_bavail} * system.f_frsize
                 : std::numeric_limits<std::uint64_t>::max();
}

Result<std::uint64_t> free_memory_bytes(Syscalls& calls, const Directory& directory) {
  struct statfs system {};
  if (calls.fstatfs(directory.fd.get(), system) != 0) {
    return fail(file_error("statfs", directory.path, errno));
  }
  return static_cast<std::uint64_t>(system.f_type) == TMPFS_MAGIC
             ? calls.memory_headroom()
             : std::numeric_limits<std::uint64_t>::max();
}

std::uint64_t sum_of_bytes(const std::vector<ExpectedRegion>& regions,
                           std::uint64_t unit) noexcept {
  std::uint64_t sum = 0;
  for (const ExpectedRegion& region : regions) {
    const std::uint64_t room = std::numeric_limits<std::uint64_t>::max() - sum;
    sum += std::min(round_up(region.bytes(), unit), room);
  }
  return sum;
}

Result<MappingPlan> plan_epoch(const std::vector<ExpectedRegion>& regions,
                               const std::string& directory, bool require_hugepages) {
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

Result<EpochFiles> EpochFiles::create(Syscalls& calls, const Directory& stream_directory,
                                      std::uint64_t epoch, const DirectoryAccess& access) {
  auto directory = create_directory(calls, stream_directory, std::to_string(epoch), access);
  if (!directory) {
    return fail(directory.error());
  }
  return EpochFiles(calls, *std::move(directory), epoch);
}

EpochFiles::EpochFiles(Syscalls& calls, Directory directory, std::uint64_t epoch) noexcept
    : calls_(&calls),
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
  const std::string itself = "../" + std::to_string(epoch_);  // wherever its parent is by now
  static_cast<void>(calls_->unlinkat(directory_.fd.get(), itself.c_str(), AT_REMOVEDIR));
}

Result<UniqueFd> EpochFiles::create_file(const std::string& name) {
  constexpr int kFlags = O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
  names_.reserve(names_.size() + 1);
  UniqueFd fd(calls_->openat(directory_.fd.get(), name.c_str(), kFlags, 0600));
  if (!fd) {
    return fail(file_error("creating", directory_ / name, errno));
  }
  names_.push_back(name);
  return fd;
}

NewRegion::NewRegion(Syscalls& calls, UniqueFd fd, const ExpectedRegion& region,
                     std::uint64_t page_bytes, std::string path) noexcept
    : calls_(&calls),
      fd_(std::move(fd)),
      region_(region),
      page_bytes_(page_bytes),
      bytes_(round_up(region.bytes(), page_bytes)),
      path_(std::move(path)) {}

Error NewRegion::error_of(std::string_view call, int os_errno) const noexcept {
  return locate(file_error(call, path_, os_errno), region_);
}

Result<NewRegion> NewRegion::create(Syscalls& calls, EpochFiles& files,
                                    const ExpectedRegion& region, std::uint64_t page_bytes) {
  const std::string name = region_file_name(region);
  auto fd = files.create_file(name);
  if (!fd) {
    return fail(locate(fd.error(), region));
  }
  return NewRegion(calls, *std::move(fd), region, page_bytes, files.directory() / name);
}

Status NewRegion::allocate(Slice slice) const {
  while (calls_->fallocate(fd_.get(), static_cast<off_t>(slice.offset),
                           static_cast<off_t>(slice.bytes)) != 0) {
    if (errno != EINTR) {
      Error error = error_of("fallocate", errno);
      error.value = bytes_;
      error.limit = slice.offset;
      return fail(error);
    }
  }
  return {};
}

Status NewRegion::make_sparse() const {
  const std::uint64_t superblock = round_up(layout::kSuperblockBytes, page_bytes_);
  return allocate({.offset = 0, .bytes = superblock}).and_then([this]() -> Status {
    if (calls_->ftruncate(fd_.get(), static_cast<off_t>(bytes_)) != 0) {
      return fail(error_of("ftruncate", errno));
    }
    return {};
  });
}

Status NewRegion::bind_to_node(std::uint32_t node) const {
  // The policy belongs to the file, so a mapping for the moment is enough; nothing is touched, and
  // no hugepage set aside.
  const std::size_t bytes = round_up(bytes_, kSmallestBlock);
  void* const view = calls_->mmap(bytes, PROT_READ, MAP_SHARED | MAP_NORESERVE, fd_.get());
  if (view == MAP_FAILED) {
    return fail(error_of("mmap", errno));
  }
  const bool bound = calls_->bind_to_node(view, bytes, node) == 0;
  const int os_errno = errno;
  ::munmap(view, bytes);
  return bound ? Status() : Status(fail(error_of("mbind", os_errno)));
}

Status NewRegion::give_access(const FileAccess& access) const {
  constexpr auto kSame = static_cast<uid_t>(-1);
  if ((access.owner || access.group) &&
      calls_->fchown(fd_.get(), access.owner.value_or(kSame), access.group.value_or(kSame)) != 0) {
    return fail(error_of("fchown", errno));
  }
  if (calls_->fchmod(fd_.get(), access.mode) != 0) {
    return fail(error_of("fchmod", errno));
  }
  return {};
}

Status NewRegion::map(bool populate) {
  auto mapping = Mapping::create(*calls_, fd_.get(),
                                 {.bytes = region_.bytes(),
                                  .page_bytes = page_bytes_,
                                  .access = Access::kReadWrite,
                                  .populate = populate});
  if (!mapping) {
    return fail(locate(mapping.error(), region_));
  }
  mapping_ = *std::move(mapping);
  return {};
}

Status NewRegion::touch(Slice slice) const {
  std::byte* const begin = mapping_.data() + slice.offset;
  for (const int advice : {kPopulateWrite, MADV_DONTNEED}) {
    if (calls_->madvise(begin, slice.bytes, advice) == 0) {
      continue;
    }
    if (errno != EINVAL) {
      return fail(error_of("touching", errno));
    }
    // A kernel before 5.14, or before 5.18 on hugetlbfs. The blocks exist, so a store finds its
    // page.
    for (std::uint64_t at = 0; advice == kPopulateWrite && at < slice.bytes; at += kSmallestBlock) {
      static_cast<volatile std::byte*>(begin)[at] = std::byte{};
    }
  }
  return {};
}

Status NewRegion::lock(Slice slice) const {
  const Status locked = mapping_.lock(*calls_, slice.offset, slice.bytes);
  return locked ? Status() : Status(fail(locate(locked.error(), region_)));
}

Result<MappedRegion> NewRegion::finish(Nanos now_mono) && {
  const core::region::Creation creation{.pid = static_cast<std::uint64_t>(::getpid()),
                                        .now_ns = static_cast<std::uint64_t>(now_mono.count())};
  core::region::store_superblock<DefaultAtom>(
      core::region::SuperblockWords<DefaultAtom>(
          reinterpret_cast<DefaultAtom::Word*>(mapping_.data()), layout::kSuperblockWords),
      core::region::make_superblock(region_, creation));
  if (calls_->msync(mapping_.data(), mapping_.bytes(), MS_SYNC) != 0) {
    return fail(locate(make_os_error(Errc::kOsFailure, "msync", errno), region_));
  }
  return MappedRegion::create(std::move(fd_), std::move(mapping_), region_);
}

MappedStream assemble(std::vector<MappedRegion> regions) {
  TP_ASSERT(!regions.empty());
  MappedStream stream{.header_ring = std::move(regions.front()), .pools = {}};
  stream.pools.assign(std::make_move_iterator(regions.begin() + 1),
                      std::make_move_iterator(regions.end()));
  return stream;
}

}  // namespace tensorpool::inline v0::os
