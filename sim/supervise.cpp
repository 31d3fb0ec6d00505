#include "supervise.hpp"

#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <new>
#include <string>

namespace tensorpool::inline v0::sim {
namespace {

std::string read_all(int fd) {
  std::string text;
  std::array<char, 4096> chunk;
  for (ssize_t got = 0; (got = ::read(fd, chunk.data(), chunk.size())) > 0;) {
    text.append(chunk.data(), static_cast<std::size_t>(got));
  }
  return text;
}

}  // namespace

int supervise(const std::function<int(Watched&)>& work,
              const std::function<void(std::uint64_t seed)>& report_crash) {
  void* const shared =
      ::mmap(nullptr, sizeof(Watched), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  std::array<int, 2> errors{};
  if (shared == MAP_FAILED || ::pipe(errors.data()) != 0) {
    std::perror("tp-sim");
    return kCrash;
  }
  auto* const watched = new (shared) Watched{};
  const pid_t child = ::fork();
  if (child < 0) {
    std::perror("tp-sim: fork");
    return kCrash;
  }
  if (child == 0) {
    ::dup2(errors[1], STDERR_FILENO);
    ::close(errors[0]);
    ::close(errors[1]);
    const int code = work(*watched);
    std::fflush(stdout);
    ::_exit(code);
  }
  ::close(errors[1]);
  const std::string said = read_all(errors[0]);
  ::close(errors[0]);
  int status = 0;
  ::waitpid(child, &status, 0);
  const bool ended = WIFEXITED(status);
  // Sanitizers end a process with an exit code of their own.
  const int code = ended ? WEXITSTATUS(status) : kCrash;
  const bool crashed = code != kFine && (code < kSafetyBroken || code > kPromiseBroken);
  if (crashed) {
    report_crash(watched->seed.load());
  }
  std::fputs(said.c_str(), stderr);
  ::munmap(shared, sizeof(Watched));
  return crashed ? kCrash : code;
}

}  // namespace tensorpool::inline v0::sim
