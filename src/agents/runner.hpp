// The two ways in which an agent is driven in production: by a thread of its own (which several
// agents share through Composite), and by the application.
//
// The runner owns thread, clock reading, idling, stall counting and the end. One clock reading per
// cycle is passed down to the agent.
#pragma once

#include <atomic>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <string_view>
#include <utility>

#include "agents/duty_cycle.hpp"
#include "agents/idle.hpp"
#include "agents/stall_meter.hpp"
#include "agents/thread.hpp"
#include "base/clock.hpp"

namespace tensorpool::inline v0::agents {

inline constexpr Nanos kStallThreshold = std::chrono::milliseconds(100);

/// Runs an agent on a thread of its own until stop() or destruction. Agent and clock outlive it.
///
/// Thread contract: start, stop and destruction by the owner; the readings by any thread. The agent
/// belongs to the thread from start to stop, its on_close included.
template <DutyCycle A>
class ThreadRunner {
 public:
  struct Options {
    Thread::Options thread = {};
    Idle::Options idle = {};
    Nanos stall_threshold = kStallThreshold;
    /// Called on the thread with what the agent threw, after which the agent is stopped.
    std::function<void(std::string_view role, std::string_view what)> on_failure = {};
  };

  [[nodiscard]] static Result<std::unique_ptr<ThreadRunner>> start(A& agent,
                                                                   const base::Clock& clock,
                                                                   Options options) {
    const Thread::Options thread = options.thread;
    std::unique_ptr<ThreadRunner> runner(new ThreadRunner(agent, clock, std::move(options)));
    Result<Thread> started = Thread::start(thread, [self = runner.get()] { self->run(); });
    if (!started) {
      return fail(started.error());
    }
    runner->thread_ = std::move(*started);
    return runner;
  }

  ThreadRunner(const ThreadRunner&) = delete;
  ThreadRunner& operator=(const ThreadRunner&) = delete;
  ~ThreadRunner() { stop(); }

  /// Lets the agent finish its cycle, closes it and waits for the thread. Idempotent.
  void stop() noexcept {
    // sync(runner-stop): publish.
    stopping_.store(true, std::memory_order_release);
    thread_.join();
  }

  /// True once the agent has thrown and was stopped for it.
  [[nodiscard]] bool has_failed() const noexcept { return failed_.load(std::memory_order_relaxed); }
  [[nodiscard]] const StallMeter& stalls() const noexcept { return stalls_; }

 private:
  ThreadRunner(A& agent, const base::Clock& clock, Options options)
      : agent_(agent),
        clock_(clock),
        options_(std::move(options)),
        stalls_(options_.stall_threshold) {}

  void run() noexcept {
    try {
      cycle();
    } catch (const std::exception& thrown) {
      report(thrown.what());
    } catch (...) {
      report("unknown exception");
    }
    agent_.on_close();
  }

  void cycle() {
    Idle idle(options_.idle);
    // sync(runner-stop): observe.
    while (!stopping_.load(std::memory_order_acquire)) {
      const Nanos now = clock_.mono();
      stalls_.on_cycle(now);
      idle.idle(agent_.do_work(now));
    }
  }

  void report(std::string_view what) noexcept {
    failed_.store(true, std::memory_order_relaxed);
    if (options_.on_failure) {
      options_.on_failure(agent_.role(), what);
    }
  }

  A& agent_;
  const base::Clock& clock_;
  Options options_;
  StallMeter stalls_;
  std::atomic<bool> stopping_{false};
  std::atomic<bool> failed_{false};
  Thread thread_;  // last: it uses everything above
};

/// Lets the application drive an agent; calls that come late are counted as stalls.
///
/// Thread contract: one thread. The agent outlives it and is closed by its destruction.
template <DutyCycle A>
class InvokedRunner {
 public:
  explicit InvokedRunner(A& agent, Nanos stall_threshold = kStallThreshold) noexcept
      : agent_(agent), stalls_(stall_threshold) {}
  InvokedRunner(const InvokedRunner&) = delete;
  InvokedRunner& operator=(const InvokedRunner&) = delete;
  ~InvokedRunner() { agent_.on_close(); }

  int do_work(Nanos now) {
    stalls_.on_cycle(now);
    return agent_.do_work(now);
  }
  [[nodiscard]] const StallMeter& stalls() const noexcept { return stalls_; }

 private:
  A& agent_;
  StallMeter stalls_;
};

}  // namespace tensorpool::inline v0::agents
