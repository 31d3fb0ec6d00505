// Another process of a test: starts a program and talks to it over its standard streams.
#pragma once

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

extern char** environ;

namespace tensorpool::test {

/// The process is asked to end by closing its standard input. Killed by the destructor.
class ChildProcess {
 public:
  ChildProcess(std::string program, std::vector<std::string> arguments) {
    int input[2];
    int output[2];
    if (::pipe2(input, O_CLOEXEC) != 0 || ::pipe2(output, O_CLOEXEC) != 0) {
      return;
    }
    std::vector<char*> argv{program.data()};
    for (std::string& text : arguments) {
      argv.push_back(text.data());
    }
    argv.push_back(nullptr);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, input[0], STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&actions, output[1], STDOUT_FILENO);
    ::posix_spawn(&pid_, program.c_str(), &actions, nullptr, argv.data(), environ);
    posix_spawn_file_actions_destroy(&actions);
    ::close(input[0]);
    ::close(output[1]);
    to_child_ = input[1];
    from_child_ = ::fdopen(output[0], "r");
  }
  ChildProcess(ChildProcess&& other) noexcept
      : pid_(std::exchange(other.pid_, 0)),
        to_child_(std::exchange(other.to_child_, -1)),
        from_child_(std::exchange(other.from_child_, nullptr)) {}
  ChildProcess& operator=(ChildProcess&&) = delete;
  ~ChildProcess() {
    kill();
    if (from_child_ != nullptr) {
      std::fclose(from_child_);
    }
  }

  [[nodiscard]] pid_t pid() const noexcept { return pid_; }
  void signal(int number) const noexcept { ::kill(pid_, number); }

  /// The next line that the child says; empty at its end.
  [[nodiscard]] std::string read_line() {
    char line[256];
    if (std::fgets(line, sizeof(line), from_child_) == nullptr) {
      return {};
    }
    std::string text(line);
    if (text.ends_with('\n')) {
      text.pop_back();
    }
    return text;
  }

  /// The bytes of one T that the child writes; zeros when it has ended.
  template <class T>
  [[nodiscard]] T read() {
    static_assert(std::is_trivially_copyable_v<T>);
    T answer{};
    return std::fread(&answer, sizeof(answer), 1, from_child_) == 1 ? answer : T{};
  }

  /// Sends a line break and reads the answer.
  template <class T>
  [[nodiscard]] T ask() {
    return ::write(to_child_, "\n", 1) == 1 ? read<T>() : T{};
  }

  /// Asks it to end and waits. Returns its exit code, or -1.
  int finish() {
    close_input();
    return reap();
  }

  void kill() {
    if (pid_ > 0) {
      ::kill(pid_, SIGKILL);
      reap();
    }
    close_input();
  }

 private:
  void close_input() {
    if (to_child_ >= 0) {
      ::close(std::exchange(to_child_, -1));
    }
  }
  int reap() {
    int status = 0;
    const pid_t pid = std::exchange(pid_, 0);
    return pid > 0 && ::waitpid(pid, &status, 0) == pid && WIFEXITED(status) ? WEXITSTATUS(status)
                                                                             : -1;
  }

  pid_t pid_ = 0;
  int to_child_ = -1;
  std::FILE* from_child_ = nullptr;
};

}  // namespace tensorpool::test
