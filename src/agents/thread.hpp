// One thread of the library: all signals blocked, a name, perhaps a processor of its own.
//
// Thread contract: start and join by the owner. In a forked child, where the thread does not
// exist, join does nothing.
#pragma once

#include <pthread.h>
#include <sys/types.h>

#include <functional>
#include <optional>
#include <string>

#include "tensorpool/types/error.hpp"

namespace tensorpool::inline v0::agents {

class Thread {
 public:
  struct Options {
    std::string name = "tensorpool";  ///< Shown by ps and top; cut to 15 characters.
    std::optional<int> cpu = {};      ///< Processor to stay on.
  };

  /// kInvalidArgument when the processor does not exist or is not ours, kOsFailure when the system
  /// has no more threads. `body` must not throw.
  [[nodiscard]] static Result<Thread> start(const Options& options, std::function<void()> body);

  Thread() = default;
  Thread(Thread&& other) noexcept;
  Thread& operator=(Thread&& other) noexcept;
  ~Thread() { join(); }

  /// Waits for the end of the body.
  void join() noexcept;

 private:
  pthread_t handle_{};
  pid_t owner_ = 0;  ///< Process that joins; 0: no thread.
};

}  // namespace tensorpool::inline v0::agents
