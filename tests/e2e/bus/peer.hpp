// Starts bus_peer and talks to it. TP_BUS_PEER is its path.
#pragma once

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <initializer_list>
#include <string>
#include <utility>
#include <vector>

extern char** environ;

namespace tensorpool::bus::testing {

class Peer {
 public:
  explicit Peer(std::initializer_list<std::string> arguments) {
    int input[2];
    int output[2];
    if (::pipe2(input, O_CLOEXEC) != 0 || ::pipe2(output, O_CLOEXEC) != 0) {
      return;
    }
    std::vector<std::string> texts{TP_BUS_PEER};
    texts.insert(texts.end(), arguments);
    std::vector<char*> argv;
    for (std::string& text : texts) {
      argv.push_back(text.data());
    }
    argv.push_back(nullptr);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, input[0], STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&actions, output[1], STDOUT_FILENO);
    ::posix_spawn(&pid_, TP_BUS_PEER, &actions, nullptr, argv.data(), environ);
    posix_spawn_file_actions_destroy(&actions);
    ::close(input[0]);
    ::close(output[1]);
    to_peer_ = input[1];
    from_peer_ = ::fdopen(output[0], "r");
  }
  Peer(Peer&& other) noexcept
      : pid_(std::exchange(other.pid_, 0)),
        to_peer_(std::exchange(other.to_peer_, -1)),
        from_peer_(std::exchange(other.from_peer_, nullptr)) {}
  Peer& operator=(Peer&&) = delete;
  ~Peer() {
    kill();
    if (from_peer_ != nullptr) {
      std::fclose(from_peer_);
    }
  }

  /// The next line that the peer says; empty at its end.
  std::string read_line() {
    char line[256];
    if (std::fgets(line, sizeof(line), from_peer_) == nullptr) {
      return {};
    }
    std::string text(line);
    if (text.ends_with('\n')) {
      text.pop_back();
    }
    return text;
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
    if (to_peer_ >= 0) {
      ::close(std::exchange(to_peer_, -1));
    }
  }
  int reap() {
    int status = 0;
    const pid_t pid = std::exchange(pid_, 0);
    return pid > 0 && ::waitpid(pid, &status, 0) == pid && WIFEXITED(status) ? WEXITSTATUS(status)
                                                                             : -1;
  }

  pid_t pid_ = 0;
  int to_peer_ = -1;
  std::FILE* from_peer_ = nullptr;
};

}  // namespace tensorpool::bus::testing
