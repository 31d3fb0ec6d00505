#include "os/process.hpp"

#include <pthread.h>
#include <pwd.h>
#include <sys/resource.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <limits>
#include <vector>

namespace tensorpool::inline v0::os {
namespace {

std::atomic<std::uint32_t> generation{0};
static_assert(std::atomic<std::uint32_t>::is_always_lock_free);

void count_fork() noexcept {
  generation.fetch_add(1, std::memory_order_relaxed);
}

/// kill() would take the others for process groups.
[[nodiscard]] bool probeable(std::uint64_t pid) noexcept {
  return pid != 0 && pid <= static_cast<std::uint64_t>(std::numeric_limits<pid_t>::max());
}

}  // namespace

std::uint32_t fork_generation() noexcept {
  // Registered at the first question, so that a program that never asks pays nothing. Failure
  // (ENOMEM) leaves the generation at 0, which is what a library without this check would see.
  [[maybe_unused]] static const int registered = ::pthread_atfork(nullptr, nullptr, count_fork);
  return generation.load(std::memory_order_relaxed);
}

bool process_exists(Syscalls& calls, std::uint64_t pid) noexcept {
  return probeable(pid) && (calls.kill(static_cast<pid_t>(pid), 0) == 0 || errno != ESRCH);
}

bool owner_alive(Syscalls& calls, std::uint64_t pid) noexcept {
  return pid != static_cast<std::uint64_t>(::getpid()) &&
         (!probeable(pid) || process_exists(calls, pid));
}

std::string effective_user_name() {
  std::vector<char> buffer(1024);
  passwd entry{};
  passwd* found = nullptr;
  while (::getpwuid_r(::geteuid(), &entry, buffer.data(), buffer.size(), &found) == ERANGE) {
    buffer.resize(buffer.size() * 2);
  }
  return found == nullptr ? std::string() : std::string(found->pw_name);
}

void allow_many_open_files() noexcept {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) == 0) {
    limit.rlim_cur = limit.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &limit);
  }
}

}  // namespace tensorpool::inline v0::os
