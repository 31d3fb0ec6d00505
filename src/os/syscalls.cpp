#include "os/syscalls.hpp"

#include <dirent.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <memory>
#include <string_view>

#include "os/memory_limit.hpp"
#include "os/numa.hpp"
#include "os/unique_fd.hpp"

namespace tensorpool::inline v0::os {
namespace {

struct CloseDirectory {
  void operator()(DIR* directory) const noexcept { ::closedir(directory); }
};

class RealSyscalls final : public Syscalls {
 public:
  int realpath(const char* path, std::string& canonical) override {
    struct Free {
      void operator()(char* text) const noexcept { std::free(text); }
    };
    const std::unique_ptr<char, Free> resolved(::realpath(path, nullptr));
    if (!resolved) {
      return -1;
    }
    canonical = resolved.get();
    return 0;
  }
  int openat(int directory, const char* path, int flags, mode_t mode) override {
    return ::openat(directory, path, flags, mode);
  }
  int openat2(int directory, const char* path, const open_how& how) override {
    return static_cast<int>(::syscall(SYS_openat2, directory, path, &how, sizeof(how)));
  }
  int fstat(int fd, struct stat& out) override { return ::fstat(fd, &out); }
  int lstatat(int directory, const char* path, struct stat& out) override {
    return ::fstatat(directory, path, &out, AT_SYMLINK_NOFOLLOW);
  }
  int fstatfs(int fd, struct statfs& out) override { return ::fstatfs(fd, &out); }
  int fstatvfs(int fd, struct statvfs& out) override { return ::fstatvfs(fd, &out); }
  int mkdirat(int directory, const char* name, mode_t mode) override {
    return ::mkdirat(directory, name, mode);
  }
  int fchmod(int fd, mode_t mode) override { return ::fchmod(fd, mode); }
  int fchown(int fd, uid_t user, gid_t group) override { return ::fchown(fd, user, group); }
  int fallocate(int fd, off_t offset, off_t bytes) override {
    errno = ::posix_fallocate(fd, offset, bytes);
    return errno == 0 ? 0 : -1;
  }
  int ftruncate(int fd, off_t bytes) override { return ::ftruncate(fd, bytes); }
  int flock(int fd, int operation) override { return ::flock(fd, operation); }
  int unlinkat(int directory, const char* name, int flags) override {
    return ::unlinkat(directory, name, flags);
  }
  int list_directory(int directory, std::vector<std::string>& names) override {
    UniqueFd again(::openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    const std::unique_ptr<DIR, CloseDirectory> stream(again ? ::fdopendir(again.get()) : nullptr);
    if (!stream) {
      return -1;
    }
    again.release();  // the stream closes it
    errno = 0;
    while (const dirent* entry = ::readdir(stream.get())) {
      const std::string_view name(static_cast<const char*>(entry->d_name));
      if (name != "." && name != "..") {
        names.emplace_back(name);
      }
    }
    return errno == 0 ? 0 : -1;
  }
  void* mmap(std::size_t bytes, int protection, int flags, int fd) override {
    return ::mmap(nullptr, bytes, protection, flags, fd, 0);
  }
  int madvise(void* address, std::size_t bytes, int advice) override {
    return ::madvise(address, bytes, advice);
  }
  int msync(void* address, std::size_t bytes, int flags) override {
    return ::msync(address, bytes, flags);
  }
  int mlock(const void* address, std::size_t bytes) override { return ::mlock(address, bytes); }
  int bind_to_node(void* address, std::size_t bytes, std::uint32_t node) override {
    return os::bind_to_node(address, bytes, node);
  }
  std::uint64_t memory_headroom() override { return os::memory_headroom(); }
  int kill(pid_t pid, int signal) override { return ::kill(pid, signal); }
};

}  // namespace

Syscalls& system_calls() noexcept {
  static RealSyscalls calls;
  return calls;
}

}  // namespace tensorpool::inline v0::os
