// Ctrl-C as a flag, and the second one.
#include "apps/stop.hpp"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>

namespace tensorpool::inline v0::apps {
namespace {

constexpr char kGivenBack = '!';
int told = -1;

void give_back() {
  static_cast<void>(::write(told, &kGivenBack, 1));
}

/// In a process of its own: is told to stop, and once more when that cannot be an echo any more.
[[noreturn]] void be_stopped_twice() {
  const std::atomic<bool>& stop = catch_stop_signals();
  set_last_act(give_back);
  std::raise(SIGTERM);
  if (!stop) {
    ::_exit(1);
  }
  const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(600);
  while (std::chrono::steady_clock::now() < end) {
    std::raise(SIGTERM);  // an echo, till it is none
  }
  ::_exit(2);
}

TEST(Stop, the_second_signal_ends_the_process_after_its_last_act) {
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  told = ends[1];
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    be_stopped_twice();
  }
  ::close(ends[1]);
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFSIGNALED(status)) << WEXITSTATUS(status);
  EXPECT_EQ(WTERMSIG(status), SIGTERM);
  char said = 0;
  EXPECT_EQ(::read(ends[0], &said, 1), 1);
  EXPECT_EQ(said, kGivenBack);
  EXPECT_EQ(::read(ends[0], &said, 1), 0) << "once";
  ::close(ends[0]);
}

}  // namespace
}  // namespace tensorpool::inline v0::apps
