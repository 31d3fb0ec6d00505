// Forks, signals and clocks.
#include "os/process.hpp"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <csignal>
#include <functional>
#include <thread>

#include "os/clock.hpp"
#include "os/signals.hpp"
#include "support/requirement.hpp"
#include "unit/os/fixture.hpp"

namespace tensorpool::os {
namespace {

namespace fs = std::filesystem;

/// Runs `body` in a forked child; true when it answers true there.
[[nodiscard]] bool in_child(const std::function<bool()>& body) {
  const pid_t child = ::fork();
  if (child == 0) {
    ::_exit(body() ? 0 : 1);
  }
  int status = -1;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

TEST(ForkGeneration, counts_the_forks_on_the_way_here) {
  const std::uint32_t here = fork_generation();
  EXPECT_TRUE(in_child([&] {
    return fork_generation() == here + 1 && in_child([&] { return fork_generation() == here + 2; });
  }));
  EXPECT_EQ(fork_generation(), here);
}

TEST(ForkGeneration, is_not_disturbed_by_exec_from_vfork) {
  const std::uint32_t here = fork_generation();
  const pid_t child = ::vfork();
  if (child == 0) {
    ::execl("/bin/true", "true", static_cast<char*>(nullptr));
    ::_exit(127);
  }
  int status = -1;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(WEXITSTATUS(status), 0);
  EXPECT_EQ(fork_generation(), here);
}

using ForkedOwner = test::RegionTest;

TEST_F(ForkedOwner, a_child_neither_inherits_the_mappings_nor_removes_the_files) {
  auto owned = std::make_unique<OwnedStream>(create(test::small_geometry()));
  const fs::path base = base_.path();
  const test::Footprint before = footprint();
  ASSERT_EQ(before.mappings.size(), 3U);
  EXPECT_TRUE(in_child([&] {
    const bool none = test::Footprint::take(base).mappings.empty();
    // Somebody else's memory may lie there by now, and has to survive the destructor.
    void* wanted = const_cast<std::byte*>(owned->regions().header_ring.bytes().data());
    void* other = ::mmap(wanted, 4096, PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
    owned.reset();
    *static_cast<volatile char*>(other) = 'x';
    return none && other == wanted;
  }));
  EXPECT_EQ(footprint(), before);
}

TEST_F(ForkedOwner, a_child_keeps_read_only_mappings_and_may_drop_them) {
  const OwnedStream owned = create(test::small_geometry());
  auto mapped = open_stream(system_calls(), policy(allow_base()), owned.plan(), Access::kReadOnly);
  ASSERT_TRUE(mapped.has_value());
  EXPECT_TRUE(in_child([&] {
    const bool readable = mapped->recheck(system_calls(), owned.plan()).has_value();
    mapped = fail(Errc::kForked);
    return readable && test::Footprint::take(base_.path()).mappings.empty();
  }));
}

TEST(OwnerAlive, is_doubtful_about_everybody_but_itself_and_the_dead) {
  TP_REQ("W419");
  pid_t dead = 0;
  EXPECT_TRUE(in_child([] { return true; }));
  dead = ::fork();
  if (dead == 0) {
    ::_exit(0);
  }
  ASSERT_EQ(::waitpid(dead, nullptr, 0), dead);
  EXPECT_FALSE(owner_alive(system_calls(), static_cast<std::uint64_t>(dead)));
  EXPECT_FALSE(owner_alive(system_calls(), static_cast<std::uint64_t>(::getpid())));
  EXPECT_TRUE(owner_alive(system_calls(), static_cast<std::uint64_t>(::getppid())));
  for (const std::uint64_t odd : {std::uint64_t{0}, std::uint64_t{1} << 31U, ~std::uint64_t{0}}) {
    EXPECT_TRUE(owner_alive(system_calls(), odd)) << odd;
  }
}

TEST(BlockedSignals, are_inherited_by_new_threads_and_restored_here) {
  sigset_t before;
  sigset_t after;
  ASSERT_EQ(::pthread_sigmask(SIG_SETMASK, nullptr, &before), 0);
  bool blocked = true;
  {
    const BlockedSignals guard;
    std::thread([&] {
      sigset_t mask;
      ::pthread_sigmask(SIG_SETMASK, nullptr, &mask);
      for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGUSR1, SIGPIPE, SIGALRM}) {
        blocked = blocked && ::sigismember(&mask, signal) == 1;
      }
    }).join();
  }
  EXPECT_TRUE(blocked);
  ASSERT_EQ(::pthread_sigmask(SIG_SETMASK, nullptr, &after), 0);
  for (const int signal : {SIGINT, SIGTERM, SIGUSR1}) {
    EXPECT_EQ(::sigismember(&before, signal), ::sigismember(&after, signal));
  }
}

TEST(OpenFiles, are_as_many_as_this_process_may_have) {
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  const rlimit low{.rlim_cur = before.rlim_max / 2, .rlim_max = before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &low), 0);
  allow_many_open_files();
  rlimit after{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &after), 0);
  EXPECT_EQ(after.rlim_cur, before.rlim_max);
  ::setrlimit(RLIMIT_NOFILE, &before);
}

TEST(SystemClock, reads_the_two_clocks_of_the_machine) {
  TP_REQ("W424");
  const SystemClock sut;
  const auto read = [](clockid_t clock) {
    timespec at{};
    ::clock_gettime(clock, &at);
    return std::chrono::seconds{at.tv_sec} + Nanos{at.tv_nsec};
  };
  const Nanos low = read(CLOCK_MONOTONIC);
  const base::Now now = sut.now();
  const Nanos high = read(CLOCK_MONOTONIC);
  EXPECT_LE(low, now.mono);
  EXPECT_LE(now.mono, high);
  EXPECT_LT(std::chrono::abs(read(CLOCK_REALTIME) - now.real), std::chrono::hours{1});
}

}  // namespace
}  // namespace tensorpool::os
