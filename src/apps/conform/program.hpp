// The program under test: a command of a shell, in a process group of its own.
//
// Thread contract: one thread.
#pragma once

#include <sys/types.h>

#include <map>
#include <string>
#include <string_view>

#include "tensorpool/types/error.hpp"
#include "tensorpool/types/time.hpp"

namespace tensorpool::inline v0::apps::conform {

/// `{name}` replaced by the value of `name`, wherever it stands. Errc::kInvalidArgument for a name
/// that is not there; `{{` is a brace. Pure.
[[nodiscard]] Result<std::string> fill_in(std::string_view command,
                                          const std::map<std::string, std::string>& values);

class Program {
 public:
  /// Runs `command` by /bin/sh with `environment` besides our own, without standard input; its
  /// output goes to our standard error, or nowhere where it is not `shown`.
  [[nodiscard]] static Result<Program> start(const std::string& command,
                                             const std::map<std::string, std::string>& environment,
                                             bool shown);

  Program(Program&& other) noexcept;
  Program& operator=(Program&&) = delete;
  /// Kills what still runs of the group.
  ~Program();

  [[nodiscard]] bool is_running() noexcept;
  /// SIGTERM; it has `patience` until SIGKILL. `meanwhile` is called until it has ended.
  template <class Meanwhile>
  void stop(Nanos patience, Meanwhile&& meanwhile) {
    terminate(patience);
    while (!has_ended()) {
      meanwhile();
    }
  }

 private:
  Program() = default;
  void terminate(Nanos patience) noexcept;
  [[nodiscard]] bool has_ended() noexcept;
  void kill_group(int signal) const noexcept;

  pid_t group_ = -1;
  bool leader_ended_ = false;
  Nanos kill_at_{};
};

}  // namespace tensorpool::inline v0::apps::conform
