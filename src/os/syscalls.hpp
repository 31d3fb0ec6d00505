// The system calls behind regions and files, as an interface.
//
// For os/ itself and its tests, which make the n-th call fail and take openat2 away. Every function
// is the call of the same name: its result, and errno, unless it says otherwise. Releasing (close,
// munmap) cannot fail usefully and is not part of it.
//
// Thread contract: any thread.
#pragma once

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace tensorpool::inline v0::os {

class Syscalls {
 public:
  Syscalls() = default;
  Syscalls(const Syscalls&) = delete;
  Syscalls& operator=(const Syscalls&) = delete;
  virtual ~Syscalls() = default;

  /// The canonical form of `path` in `canonical`; -1 on failure.
  virtual int realpath(const char* path, std::string& canonical) = 0;
  virtual int openat(int directory, const char* path, int flags, mode_t mode) = 0;
  virtual int openat2(int directory, const char* path, const open_how& how) = 0;
  virtual int fstat(int fd, struct stat& out) = 0;
  /// fstatat with AT_SYMLINK_NOFOLLOW.
  virtual int lstatat(int directory, const char* path, struct stat& out) = 0;
  virtual int fstatfs(int fd, struct statfs& out) = 0;
  virtual int fstatvfs(int fd, struct statvfs& out) = 0;
  virtual int mkdirat(int directory, const char* name, mode_t mode) = 0;
  virtual int fchmod(int fd, mode_t mode) = 0;
  virtual int fchown(int fd, uid_t user, gid_t group) = 0;
  /// posix_fallocate, but -1 and errno on failure.
  virtual int fallocate(int fd, off_t offset, off_t bytes) = 0;
  virtual int ftruncate(int fd, off_t bytes) = 0;
  virtual int flock(int fd, int operation) = 0;
  virtual int unlinkat(int directory, const char* name, int flags) = 0;
  /// All names in the directory but `.` and `..`; -1 on failure.
  virtual int list_directory(int directory, std::vector<std::string>& names) = 0;
  /// A shared mapping from offset 0; MAP_FAILED on failure.
  virtual void* mmap(std::size_t bytes, int protection, int flags, int fd) = 0;
  virtual int madvise(void* address, std::size_t bytes, int advice) = 0;
  virtual int msync(void* address, std::size_t bytes, int flags) = 0;
  virtual int mlock(const void* address, std::size_t bytes) = 0;
  /// mbind with MPOL_BIND to one node.
  virtual int bind_to_node(void* address, std::size_t bytes, std::uint32_t node) = 0;
  /// That of memory_limit.hpp; cannot fail.
  virtual std::uint64_t memory_headroom() = 0;
  virtual int kill(pid_t pid, int signal) = 0;
};

/// The real ones. Lives as long as the process.
[[nodiscard]] Syscalls& system_calls() noexcept;

}  // namespace tensorpool::inline v0::os
