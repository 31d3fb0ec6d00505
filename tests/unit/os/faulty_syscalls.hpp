// System calls of which one can be made to fail, and a kernel without openat2.
#pragma once

#include <sys/mman.h>

#include <cerrno>
#include <functional>
#include <string>
#include <vector>

#include "os/syscalls.hpp"

namespace tensorpool::os::test {

/// Passes every call on. Before each of them it asks `before`, with the name of the call: an errno
/// other than 0 is the answer then, and nothing is done.
class FaultySyscalls : public Syscalls {
 public:
  std::function<int(const char* call)> before = [](const char*) { return 0; };

  int realpath(const char* path, std::string& canonical) override {
    return refused("realpath") ? -1 : real_.realpath(path, canonical);
  }
  int openat(int directory, const char* path, int flags, mode_t mode) override {
    return refused("openat") ? -1 : real_.openat(directory, path, flags, mode);
  }
  int openat2(int directory, const char* path, const open_how& how) override {
    return refused("openat2") ? -1 : real_.openat2(directory, path, how);
  }
  int fstat(int fd, struct stat& out) override {
    return refused("fstat") ? -1 : real_.fstat(fd, out);
  }
  int lstatat(int directory, const char* path, struct stat& out) override {
    return refused("lstatat") ? -1 : real_.lstatat(directory, path, out);
  }
  int fstatfs(int fd, struct statfs& out) override {
    return refused("fstatfs") ? -1 : real_.fstatfs(fd, out);
  }
  int fstatvfs(int fd, struct statvfs& out) override {
    return refused("fstatvfs") ? -1 : real_.fstatvfs(fd, out);
  }
  int mkdirat(int directory, const char* name, mode_t mode) override {
    return refused("mkdirat") ? -1 : real_.mkdirat(directory, name, mode);
  }
  int fchmod(int fd, mode_t mode) override {
    return refused("fchmod") ? -1 : real_.fchmod(fd, mode);
  }
  int fchown(int fd, uid_t user, gid_t group) override {
    return refused("fchown") ? -1 : real_.fchown(fd, user, group);
  }
  int fallocate(int fd, off_t offset, off_t bytes) override {
    return refused("fallocate") ? -1 : real_.fallocate(fd, offset, bytes);
  }
  int ftruncate(int fd, off_t bytes) override {
    return refused("ftruncate") ? -1 : real_.ftruncate(fd, bytes);
  }
  int flock(int fd, int operation) override {
    return refused("flock") ? -1 : real_.flock(fd, operation);
  }
  int unlinkat(int directory, const char* name, int flags) override {
    return refused("unlinkat") ? -1 : real_.unlinkat(directory, name, flags);
  }
  int list_directory(int directory, std::vector<std::string>& names) override {
    return refused("list_directory") ? -1 : real_.list_directory(directory, names);
  }
  void* mmap(std::size_t bytes, int protection, int flags, int fd) override {
    return refused("mmap") ? MAP_FAILED : real_.mmap(bytes, protection, flags, fd);
  }
  int madvise(void* address, std::size_t bytes, int advice) override {
    return refused("madvise") ? -1 : real_.madvise(address, bytes, advice);
  }
  int msync(void* address, std::size_t bytes, int flags) override {
    return refused("msync") ? -1 : real_.msync(address, bytes, flags);
  }
  int mlock(const void* address, std::size_t bytes) override {
    return refused("mlock") ? -1 : real_.mlock(address, bytes);
  }
  int bind_to_node(void* address, std::size_t bytes, std::uint32_t node) override {
    return refused("mbind") ? -1 : real_.bind_to_node(address, bytes, node);
  }
  std::uint64_t memory_headroom() override { return real_.memory_headroom(); }
  int kill(pid_t pid, int signal) override {
    return refused("kill") ? -1 : real_.kill(pid, signal);
  }

 private:
  [[nodiscard]] bool refused(const char* call) {
    const int answer = before(call);
    if (answer != 0) {
      errno = answer;
    }
    return answer != 0;
  }

  Syscalls& real_ = system_calls();
};

/// Fails call number `nth` (from 0) and remembers whether it came to that.
class NthFailure {
 public:
  NthFailure(FaultySyscalls& calls, int nth, int os_errno) : left_(nth), errno_(os_errno) {
    calls.before = [this](const char* call) {
      if (left_-- != 0) {
        return 0;
      }
      failed_ = call;
      return errno_;
    };
  }
  NthFailure(const NthFailure&) = delete;
  NthFailure& operator=(const NthFailure&) = delete;

  /// The call that was made to fail, or "" when there were fewer.
  [[nodiscard]] const std::string& failed() const noexcept { return failed_; }

 private:
  int left_;
  int errno_;
  std::string failed_;
};

}  // namespace tensorpool::os::test
