#include "apps/child_process.hpp"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <utility>

#include "apps/pacer.hpp"
#include "os/clock.hpp"

namespace tensorpool::inline v0::apps {
namespace {

constexpr Nanos kLookAgain = std::chrono::milliseconds(2);

struct Pipe {
  os::UniqueFd read;
  os::UniqueFd write;
};

[[nodiscard]] Result<Pipe> make_pipe() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) {
    return fail(make_os_error(Errc::kOsFailure, "pipe2", errno));
  }
  return Pipe{.read = os::UniqueFd(ends[0]), .write = os::UniqueFd(ends[1])};
}

/// The attributes and file actions of one posix_spawn.
class SpawnSetup {
 public:
  SpawnSetup(int input, int output) {
    ::posix_spawn_file_actions_init(&actions_);
    ::posix_spawn_file_actions_adddup2(&actions_, input, STDIN_FILENO);
    ::posix_spawn_file_actions_adddup2(&actions_, output, STDOUT_FILENO);
    ::posix_spawnattr_init(&attributes_);
    ::posix_spawnattr_setflags(&attributes_, POSIX_SPAWN_SETPGROUP);
    ::posix_spawnattr_setpgroup(&attributes_, 0);
  }
  SpawnSetup(const SpawnSetup&) = delete;
  SpawnSetup& operator=(const SpawnSetup&) = delete;
  ~SpawnSetup() {
    ::posix_spawn_file_actions_destroy(&actions_);
    ::posix_spawnattr_destroy(&attributes_);
  }

  int spawn(pid_t& pid, char* const* arguments) {
    return ::posix_spawn(&pid, "/proc/self/exe", &actions_, &attributes_, arguments, environ);
  }

 private:
  posix_spawn_file_actions_t actions_{};
  posix_spawnattr_t attributes_{};
};

}  // namespace

Result<ChildProcess> ChildProcess::start(const std::vector<std::string>& arguments) {
  Result<Pipe> input = make_pipe();
  Result<Pipe> output = make_pipe();
  if (!input || !output) {
    return fail(input ? output.error() : input.error());
  }
  std::vector<std::string> texts = {"tp"};
  texts.insert(texts.end(), arguments.begin(), arguments.end());
  std::vector<char*> pointers;
  for (std::string& text : texts) {
    pointers.push_back(text.data());
  }
  pointers.push_back(nullptr);

  ChildProcess child;
  SpawnSetup setup(input->read.get(), output->write.get());
  if (const int status = setup.spawn(child.pid_, pointers.data()); status != 0) {
    child.pid_ = -1;
    return fail(make_os_error(Errc::kOsFailure, "posix_spawn", status));
  }
  child.input_ = std::move(input->write);
  child.output_ = std::move(output->read);
  return child;
}

ChildProcess::ChildProcess(ChildProcess&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)),
      status_(other.status_),
      input_(std::move(other.input_)),
      output_(std::move(other.output_)),
      unread_(std::move(other.unread_)) {}

ChildProcess::~ChildProcess() {
  if (is_running()) {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
}

bool ChildProcess::is_running() noexcept {
  if (pid_ > 0 && ::waitpid(pid_, &status_, WNOHANG) == pid_) {
    pid_ = -1;
  }
  return pid_ > 0;
}

void ChildProcess::terminate() noexcept {
  if (is_running()) {
    ::kill(pid_, SIGTERM);
  }
}

void ChildProcess::put_line(std::string line) noexcept {
  line += '\n';
  while (::write(input_.get(), line.data(), line.size()) < 0 && errno == EINTR) {
  }
}

std::optional<std::string> ChildProcess::read_line(Nanos timeout) {
  const os::SystemClock clock;
  const Nanos deadline = clock.mono() + timeout;
  for (;;) {
    if (const std::size_t end = unread_.find('\n'); end != std::string::npos) {
      std::string line = unread_.substr(0, end);
      unread_.erase(0, end + 1);
      return line;
    }
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - clock.mono());
    pollfd ready{.fd = output_.get(), .events = POLLIN, .revents = 0};
    if (left.count() <= 0 || ::poll(&ready, 1, static_cast<int>(left.count())) == 0) {
      return std::nullopt;
    }
    std::array<char, 4096> buffer{};
    const ssize_t got = ::read(output_.get(), buffer.data(), buffer.size());
    if (got == 0 || (got < 0 && errno != EINTR)) {
      return std::nullopt;
    }
    unread_.append(buffer.data(), got > 0 ? static_cast<std::size_t>(got) : 0);
  }
}

bool ChildProcess::wait(Nanos timeout) noexcept {
  const os::SystemClock clock;
  const Nanos deadline = clock.mono() + timeout;
  while (is_running() && clock.mono() < deadline) {
    sleep_for(kLookAgain);
  }
  return pid_ < 0 && WIFEXITED(status_) && WEXITSTATUS(status_) == 0;
}

}  // namespace tensorpool::inline v0::apps
