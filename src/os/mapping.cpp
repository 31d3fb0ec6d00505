#include "os/mapping.hpp"

#include <linux/magic.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include <cerrno>

#include "base/reason.hpp"
#include "os/process.hpp"

namespace tensorpool::inline v0::os {
namespace {

[[nodiscard, gnu::cold]] Error mapping_error(std::uint64_t bytes, int os_errno) noexcept {
  const bool exhausted = os_errno == ENOMEM || os_errno == EAGAIN || os_errno == ENFILE;
  Error error = make_os_error(exhausted ? Errc::kLimitReached : Errc::kOsFailure,
                              "mmap: bytes of address space", os_errno);
  error.value = bytes;
  rlimit limit{};
  if (::getrlimit(RLIMIT_AS, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY) {
    error.limit = limit.rlim_cur;
  }
  return error;
}

}  // namespace

Result<std::uint64_t> file_page_bytes(Syscalls& calls, int fd, std::string_view path,
                                      bool require_hugepages) {
  struct statfs system {};
  if (calls.fstatfs(fd, system) != 0) {
    Error error = base::make_reason(Errc::kHugepagesRequired, "cannot be verified", path);
    error.os_errno = errno;
    return fail(error);
  }
  const auto type = static_cast<std::uint64_t>(system.f_type);
  if (type == HUGETLBFS_MAGIC) {
    return static_cast<std::uint64_t>(system.f_bsize);
  }
  if (require_hugepages) {
    return fail(base::make_reason(Errc::kHugepagesRequired, "not on hugetlbfs", path, type,
                                  HUGETLBFS_MAGIC));
  }
  return kOrdinaryPages;
}

Result<Mapping> Mapping::create(Syscalls& calls, int fd, const Options& options) {
  const bool writable = options.access == Access::kReadWrite;
  const std::uint64_t bytes = round_up(options.bytes, options.page_bytes);
  void* address = calls.mmap(bytes, writable ? PROT_READ | PROT_WRITE : PROT_READ,
                             MAP_SHARED | (options.populate ? MAP_POPULATE : 0), fd);
  if (address == MAP_FAILED) {
    return fail(mapping_error(bytes, errno));
  }
  Mapping mapping;
  mapping.data_ = static_cast<std::byte*>(address);
  mapping.bytes_ = bytes;
  mapping.generation_ = fork_generation();
  mapping.access_ = options.access;
  if (writable && calls.madvise(address, bytes, MADV_DONTFORK) != 0) {
    return fail(make_os_error(Errc::kOsFailure, "madvise(MADV_DONTFORK)", errno));
  }
  return mapping;
}

Status Mapping::lock(Syscalls& calls, std::uint64_t offset, std::uint64_t bytes) const {
  if (calls.mlock(data_ + offset, bytes) == 0) {
    return {};
  }
  Error error = make_os_error(Errc::kOsFailure, "mlock", errno);
  rlimit limit{};
  error.value = bytes_;
  if (::getrlimit(RLIMIT_MEMLOCK, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY) {
    error.limit = limit.rlim_cur;
  }
  return fail(error);
}

Mapping::~Mapping() {
  // In a child the addresses of a read-write mapping are free, or belong to somebody else.
  const bool inherited = access_ == Access::kReadOnly || generation_ == fork_generation();
  if (data_ != nullptr && inherited) {
    ::munmap(data_, bytes_);
  }
}

}  // namespace tensorpool::inline v0::os
