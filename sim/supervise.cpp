#include "supervise.hpp"

#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <utility>
#include <vector>

namespace tensorpool::inline v0::sim {
namespace {

[[noreturn]] void give_up(const char* what) {
  std::perror(what);
  std::exit(kCrash);  // workers that run already end with their parent
}

using Clock = std::chrono::steady_clock;
constexpr auto kSeedMax = std::chrono::seconds(60);

/// A worker's process, and the end of a pipe where its stderr comes out.
struct Child {
  pid_t pid = -1;
  int errors = -1;
  std::string said;
  std::uint64_t seeds = 0;  ///< that it had run, when that was looked at last
  Clock::time_point since = Clock::now();
};

Child start(Worker& worker, std::uint32_t index,
            const std::function<int(Worker&, std::uint32_t)>& work) {
  std::array<int, 2> ends{};
  if (::pipe(ends.data()) != 0) {
    give_up("tp-sim: pipe");
  }
  std::fflush(stdout);
  const pid_t pid = ::fork();
  if (pid < 0) {
    give_up("tp-sim: fork");
  }
  if (pid == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    ::dup2(ends[1], STDERR_FILENO);
    ::close(ends[0]);
    ::close(ends[1]);
    const int code = work(worker, index);
    std::fflush(stdout);
    ::_exit(code);
  }
  ::close(ends[1]);
  return {.pid = pid, .errors = ends[0], .said = {}};
}

/// Takes what the child says. False when it says no more.
bool listen(Child& child) {
  std::array<char, 4096> chunk{};
  const ssize_t got = ::read(child.errors, chunk.data(), chunk.size());
  if (got > 0) {
    child.said.append(chunk.data(), static_cast<std::size_t>(got));
  }
  return got > 0;
}

int exit_code_of(Child& child) {
  ::close(child.errors);
  child.errors = -1;
  int status = 0;
  if (::waitpid(child.pid, &status, 0) != child.pid || !WIFEXITED(status)) {
    return kCrash;
  }
  const int code = WEXITSTATUS(status);
  // Sanitizers end a process with an exit code of their own.
  return code == kFine || (code >= kSafetyBroken && code <= kPromiseBroken) ? code : kCrash;
}

/// Waits for something to hear; about a second.
void wait_for(const std::vector<Child>& children) {
  std::vector<pollfd> fds;
  fds.reserve(children.size());
  for (const Child& child : children) {
    fds.push_back({.fd = child.errors, .events = POLLIN, .revents = 0});
  }
  static_cast<void>(::poll(fds.data(), fds.size(), 1000));
}

/// True when the child has been at one seed for too long: it runs in circles.
bool hangs(Child& child, const Worker& worker) {
  const std::uint64_t seeds = worker.seeds.load();
  if (std::exchange(child.seeds, seeds) != seeds) {
    child.since = Clock::now();
  }
  return Clock::now() - child.since > kSeedMax;
}

bool has_something_to_say(const Child& child) {
  pollfd fd{.fd = child.errors, .events = POLLIN, .revents = 0};
  return ::poll(&fd, 1, 0) > 0;
}

}  // namespace

Outcome supervise(std::uint32_t jobs, const std::function<int(Worker&, std::uint32_t)>& work,
                  const std::function<void(std::span<const Worker>, bool)>& report) {
  const std::size_t bytes = jobs * sizeof(Worker);
  void* const shared =
      ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (shared == MAP_FAILED) {
    give_up("tp-sim: mmap");
  }
  const std::span workers(static_cast<Worker*>(shared), jobs);
  std::uninitialized_value_construct(workers.begin(), workers.end());
  std::vector<Child> children;
  for (std::uint32_t k = 0; k < jobs; ++k) {
    children.push_back(start(workers[k], k, work));
  }
  Outcome first_failure;
  std::size_t running = jobs;
  while (running != 0 && first_failure.code == kFine) {
    wait_for(children);
    for (std::uint32_t k = 0; k < jobs && first_failure.code == kFine; ++k) {
      Child& child = children[k];
      if (child.errors >= 0 && has_something_to_say(child) && !listen(child)) {
        --running;
        first_failure = {.code = exit_code_of(child),
                         .world = workers[k].world.load(),
                         .seed = workers[k].seed.load(),
                         .said = child.said};
      } else if (child.errors >= 0 && hangs(child, workers[k])) {
        first_failure = {.code = kCrash,
                         .world = workers[k].world.load(),
                         .seed = workers[k].seed.load(),
                         .said = "it does not end\n"};
      }
    }
    report(workers, running == 0 && first_failure.code == kFine);
  }
  for (Child& child : children) {
    if (child.errors >= 0) {
      ::kill(child.pid, SIGKILL);
      static_cast<void>(exit_code_of(child));
    }
  }
  ::munmap(shared, bytes);
  return first_failure;
}

}  // namespace tensorpool::inline v0::sim
