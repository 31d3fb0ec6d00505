// This program once more, in a process of its own, with pipes to its standard input and output.
//
// The child is in its own process group, so Ctrl-C at the terminal is the parent's alone. Its
// standard input ends when this object does, however its process ends. Thread contract: one thread.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "os/unique_fd.hpp"
#include "tensorpool/types/error.hpp"
#include "tensorpool/types/time.hpp"

namespace tensorpool::inline v0::apps {

class ChildProcess {
 public:
  /// Runs /proc/self/exe with `arguments`.
  [[nodiscard]] static Result<ChildProcess> start(const std::vector<std::string>& arguments);

  ChildProcess(ChildProcess&& other) noexcept;
  ChildProcess& operator=(ChildProcess&&) = delete;
  /// Kills a child that still runs, and waits for its end.
  ~ChildProcess();

  [[nodiscard]] pid_t pid() const noexcept { return pid_; }
  [[nodiscard]] bool is_running() noexcept;
  void terminate() noexcept;
  /// Writes a line to its standard input. A child that has gone reads nothing: no error.
  void put_line(std::string line) noexcept;

  /// The next line of its output; nothing at its end or when none comes within `timeout`.
  [[nodiscard]] std::optional<std::string> read_line(Nanos timeout);
  /// True when it has ended with exit code 0 within `timeout`.
  [[nodiscard]] bool wait(Nanos timeout) noexcept;

 private:
  ChildProcess() = default;

  pid_t pid_ = -1;  // -1: nobody to wait for
  int status_ = 0;
  os::UniqueFd input_;
  os::UniqueFd output_;
  std::string unread_;
};

}  // namespace tensorpool::inline v0::apps
