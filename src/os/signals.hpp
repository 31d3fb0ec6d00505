// Keeps the library's threads out of the application's signal handling.
#pragma once

#include <csignal>

namespace tensorpool::inline v0::os {

/// Blocks every signal in the calling thread while it lives. Threads that are created meanwhile
/// inherit the full mask, so no handler of the application ever runs on them. The library installs
/// no handler itself.
class BlockedSignals {
 public:
  BlockedSignals() noexcept;
  BlockedSignals(const BlockedSignals&) = delete;
  BlockedSignals& operator=(const BlockedSignals&) = delete;
  ~BlockedSignals();

 private:
  sigset_t before_{};
};

}  // namespace tensorpool::inline v0::os
