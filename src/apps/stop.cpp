#include "apps/stop.hpp"

#include <chrono>
#include <csignal>

#include "os/clock.hpp"
#include "tensorpool/types/time.hpp"

namespace tensorpool::inline v0::apps {
namespace {

constexpr Nanos kEcho = std::chrono::milliseconds(500);

std::atomic<bool> stop_asked{false};
std::atomic<Nanos::rep> asked_at{0};  // 0: not yet
std::atomic<LastAct> last_act{nullptr};
static_assert(std::atomic<bool>::is_always_lock_free &&
                  std::atomic<Nanos::rep>::is_always_lock_free &&
                  std::atomic<LastAct>::is_always_lock_free,
              "they are stored by a signal handler");

void on_signal(int number) noexcept {
  stop_asked.store(true, std::memory_order_relaxed);
  const Nanos::rep now = os::SystemClock().mono().count();
  Nanos::rep first = 0;
  if (!asked_at.compare_exchange_strong(first, now) && now - first > kEcho.count()) {
    if (const LastAct act = last_act.load(std::memory_order_relaxed)) {
      act();
    }
    std::signal(number, SIG_DFL);
    std::raise(number);  // delivered when this handler returns
  }
}

}  // namespace

void set_last_act(LastAct act) noexcept {
  last_act.store(act, std::memory_order_relaxed);
}

const std::atomic<bool>& catch_stop_signals() noexcept {
  struct sigaction action {};
  action.sa_handler = on_signal;
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
