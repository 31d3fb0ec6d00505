#include "apps/stop.hpp"

#include <csignal>

namespace tensorpool::inline v0::apps {
namespace {

std::atomic<bool> stop_asked{false};
static_assert(std::atomic<bool>::is_always_lock_free, "it is stored by a signal handler");

void on_signal(int) noexcept {
  stop_asked.store(true, std::memory_order_relaxed);
}

}  // namespace

const std::atomic<bool>& catch_stop_signals() noexcept {
  struct sigaction action {};
  action.sa_handler = on_signal;
  action.sa_flags = static_cast<int>(SA_RESETHAND);
  sigemptyset(&action.sa_mask);
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
  struct sigaction before {};
  if (sigaction(SIGHUP, nullptr, &before) == 0 && before.sa_handler != SIG_IGN) {  // nohup
    sigaction(SIGHUP, &action, nullptr);
  }
  return stop_asked;
}

}  // namespace tensorpool::inline v0::apps
