#include "apps/conform/program.hpp"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <utility>
#include <vector>

#include "os/clock.hpp"

namespace tensorpool::inline v0::apps::conform {
namespace {

/// What a shell needs of its own to go on after the first command.
constexpr std::string_view kJoins = ";&|\n(";

[[nodiscard]] std::vector<std::string> environment_with(
    const std::map<std::string, std::string>& more) {
  std::vector<std::string> texts;
  for (char** one = environ; *one != nullptr; ++one) {
    const std::string_view text = *one;
    if (!more.contains(std::string(text.substr(0, text.find('='))))) {
      texts.emplace_back(text);
    }
  }
  for (const auto& [name, value] : more) {
    texts.push_back(std::string(name).append("=").append(value));
  }
  return texts;
}

[[nodiscard]] std::vector<char*> pointers_to(std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  for (std::string& text : texts) {
    pointers.push_back(text.data());
  }
  pointers.push_back(nullptr);
  return pointers;
}

/// The attributes and file actions of one posix_spawn.
class Setup {
 public:
  explicit Setup(bool shown) {
    ::posix_spawn_file_actions_init(&actions_);
    ::posix_spawn_file_actions_addopen(&actions_, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    if (shown) {
      ::posix_spawn_file_actions_adddup2(&actions_, STDERR_FILENO, STDOUT_FILENO);
    } else {
      ::posix_spawn_file_actions_addopen(&actions_, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
      ::posix_spawn_file_actions_addopen(&actions_, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    }
    ::posix_spawnattr_init(&attributes_);
    ::posix_spawnattr_setflags(&attributes_, POSIX_SPAWN_SETPGROUP);
    ::posix_spawnattr_setpgroup(&attributes_, 0);
  }
  Setup(const Setup&) = delete;
  Setup& operator=(const Setup&) = delete;
  ~Setup() {
    ::posix_spawn_file_actions_destroy(&actions_);
    ::posix_spawnattr_destroy(&attributes_);
  }

  [[nodiscard]] int spawn(pid_t& pid, char* const* arguments, char* const* environment) {
    return ::posix_spawn(&pid, "/bin/sh", &actions_, &attributes_, arguments, environment);
  }

 private:
  posix_spawn_file_actions_t actions_{};
  posix_spawnattr_t attributes_{};
};

}  // namespace

Result<std::string> fill_in(std::string_view command,
                            const std::map<std::string, std::string>& values) {
  std::string filled;
  while (!command.empty()) {
    const std::size_t open = command.find('{');
    filled += command.substr(0, open);
    if (open == std::string_view::npos) {
      break;
    }
    command.remove_prefix(open + 1);
    if (command.starts_with('{')) {
      filled += '{';
      command.remove_prefix(1);
      continue;
    }
    const std::size_t close = command.find('}');
    const auto value = values.find(std::string(command.substr(0, close)));
    if (close == std::string_view::npos || value == values.end()) {
      return fail(Errc::kInvalidArgument, "{" + std::string(command));
    }
    filled += value->second;
    command.remove_prefix(close + 1);
  }
  return filled;
}

Result<Program> Program::start(const std::string& command,
                               const std::map<std::string, std::string>& environment, bool shown) {
  const bool simple = command.find_first_of(kJoins) == std::string::npos;
  std::vector<std::string> arguments = {"sh", "-c", simple ? "exec " + command : command};
  std::vector<std::string> variables = environment_with(environment);
  Program program;
  Setup setup(shown);
  if (const int status =
          setup.spawn(program.group_, pointers_to(arguments).data(), pointers_to(variables).data());
      status != 0) {
    program.group_ = -1;
    return fail(make_os_error(Errc::kOsFailure, "posix_spawn", status));
  }
  return program;
}

Program::Program(Program&& other) noexcept
    : group_(std::exchange(other.group_, -1)),
      leader_ended_(other.leader_ended_),
      kill_at_(other.kill_at_) {}

Program::~Program() {
  if (group_ > 0) {
    kill_group(SIGKILL);
    if (is_running()) {
      ::waitpid(group_, nullptr, 0);
    }
  }
}

bool Program::is_running() noexcept {
  leader_ended_ = leader_ended_ || group_ < 0 || ::waitpid(group_, nullptr, WNOHANG) == group_;
  return !leader_ended_;
}

void Program::kill_group(int signal) const noexcept {
  ::kill(-group_, signal);
}

void Program::terminate(Nanos patience) noexcept {
  kill_at_ = os::SystemClock().mono() + patience;
  kill_group(SIGTERM);
}

bool Program::has_ended() noexcept {
  const bool leads = is_running();
  const bool any = leads || ::kill(-group_, 0) == 0;
  const bool late = os::SystemClock().mono() >= kill_at_;
  if (any && late) {
    kill_group(SIGKILL);
  }
  // Beyond that only those are left that nobody waits for.
  return !any || (late && !leads);
}

}  // namespace tensorpool::inline v0::apps::conform
