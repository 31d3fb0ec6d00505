// Runners, idle strategies and the stall meter.
#include "agents/runner.hpp"

#include <gtest/gtest.h>
#include <sched.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <stdexcept>
#include <string>
#include <vector>

namespace tensorpool::agents {
namespace {

using namespace std::chrono_literals;

/// Every reading is one microsecond after the one before.
class TickingClock final : public base::Clock {
 public:
  [[nodiscard]] Nanos mono() const noexcept override {
    return Nanos{ticks_.fetch_add(1000, std::memory_order_relaxed)};
  }
  [[nodiscard]] Nanos real() const noexcept override { return mono(); }

 private:
  mutable std::atomic<Nanos::rep> ticks_{0};
};

struct ScriptedAgent {
  std::function<int(Nanos)> work = [](Nanos) { return 0; };
  std::atomic<int> cycles{0};
  std::atomic<int> closed{0};
  std::vector<int>* close_order = nullptr;
  int id = 0;
  Nanos deadline = kNoDeadline;

  int do_work(Nanos now) {
    const int done = work(now);
    cycles.fetch_add(1, std::memory_order_release);
    return done;
  }
  Nanos next_deadline() noexcept { return deadline; }
  void on_close() noexcept {
    closed.fetch_add(1, std::memory_order_release);
    if (close_order != nullptr) {
      close_order->push_back(id);
    }
  }
  std::string_view role() noexcept { return "scripted"; }
};
static_assert(DutyCycle<ScriptedAgent>);
static_assert(DutyCycle<Composite<ScriptedAgent, ScriptedAgent>>);

void await(const std::atomic<int>& value, int at_least) {
  while (value.load(std::memory_order_acquire) < at_least) {
    std::this_thread::yield();
  }
}

using Runner = ThreadRunner<ScriptedAgent>;

TEST(ThreadRunner, runs_the_agent_with_rising_time_and_closes_it_once_on_its_thread) {
  ScriptedAgent agent;
  const TickingClock clock;
  Nanos last{-1};
  bool rising = true;
  agent.work = [&](Nanos now) {
    rising = rising && now > last;
    last = now;
    return 0;
  };
  auto runner = Runner::start(agent, clock, {});
  ASSERT_TRUE(runner.has_value());
  await(agent.cycles, 100);
  (*runner)->stop();
  (*runner)->stop();
  EXPECT_TRUE(rising);
  EXPECT_EQ(agent.closed.load(), 1);
  EXPECT_FALSE((*runner)->has_failed());
  const int cycles = agent.cycles.load();
  runner->reset();
  EXPECT_EQ(agent.cycles.load(), cycles);
  EXPECT_EQ(agent.closed.load(), 1);
}

TEST(ThreadRunner, stops_an_agent_that_throws_and_says_what) {
  struct Case {
    std::function<int(Nanos)> work;
    std::string what;
  };
  const Case cases[] = {{[](Nanos) -> int { throw std::runtime_error("boom"); }, "boom"},
                        {[](Nanos) -> int { throw 7; }, "unknown exception"}};
  for (const Case& example : cases) {
    ScriptedAgent agent;
    agent.work = example.work;
    const TickingClock clock;
    std::string role;
    std::string what;
    auto runner =
        Runner::start(agent, clock, {.on_failure = [&](std::string_view who, std::string_view why) {
                        role = who;
                        what = why;
                      }});
    ASSERT_TRUE(runner.has_value());
    await(agent.closed, 1);
    (*runner)->stop();
    EXPECT_TRUE((*runner)->has_failed());
    EXPECT_EQ(role, "scripted");
    EXPECT_EQ(what, example.what);
    EXPECT_EQ(agent.closed.load(), 1);
  }
}

TEST(ThreadRunner, gives_the_thread_its_name_its_processor_and_no_signals) {
  cpu_set_t ours;
  ASSERT_EQ(sched_getaffinity(0, sizeof(ours), &ours), 0);
  int cpu = 0;
  while (!CPU_ISSET(static_cast<std::size_t>(cpu), &ours)) {
    ++cpu;
  }
  ScriptedAgent agent;
  const TickingClock clock;
  char name[16] = {};
  cpu_set_t processors;
  bool all_blocked = false;
  agent.work = [&](Nanos) {
    pthread_getname_np(pthread_self(), name, sizeof(name));
    pthread_getaffinity_np(pthread_self(), sizeof(processors), &processors);
    sigset_t blocked;
    pthread_sigmask(SIG_SETMASK, nullptr, &blocked);
    all_blocked = sigismember(&blocked, SIGINT) == 1 && sigismember(&blocked, SIGTERM) == 1 &&
                  sigismember(&blocked, SIGCHLD) == 1;
    return 0;
  };
  auto runner =
      Runner::start(agent, clock, {.thread = {.name = "a-name-that-is-too-long", .cpu = cpu}});
  ASSERT_TRUE(runner.has_value());
  await(agent.cycles, 1);
  (*runner)->stop();
  EXPECT_STREQ(name, "a-name-that-is-");
  EXPECT_EQ(CPU_COUNT(&processors), 1);
  EXPECT_TRUE(CPU_ISSET(static_cast<std::size_t>(cpu), &processors));
  EXPECT_TRUE(all_blocked);
  sigset_t ours_now;
  pthread_sigmask(SIG_SETMASK, nullptr, &ours_now);
  EXPECT_EQ(sigismember(&ours_now, SIGINT), 0);
}

TEST(ThreadRunner, refuses_a_processor_that_does_not_exist) {
  ScriptedAgent agent;
  const TickingClock clock;
  for (const int cpu : {-1, CPU_SETSIZE - 1, CPU_SETSIZE}) {
    const auto runner = Runner::start(agent, clock, {.thread = {.cpu = cpu}});
    ASSERT_FALSE(runner.has_value());
    EXPECT_EQ(runner.error().code, Errc::kInvalidArgument);
  }
  EXPECT_EQ(agent.cycles.load(), 0);
  EXPECT_EQ(agent.closed.load(), 0);
}

TEST(ThreadRunner, is_destroyed_in_a_forked_child_without_waiting_for_a_thread_that_is_not_there) {
  ScriptedAgent agent;
  const TickingClock clock;
  auto runner = Runner::start(agent, clock, {});
  ASSERT_TRUE(runner.has_value());
  await(agent.cycles, 1);
  const pid_t child = fork();
  if (child == 0) {
    runner->reset();
    _exit(7);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(WEXITSTATUS(status), 7);
  const int cycles = agent.cycles.load();
  await(agent.cycles, cycles + 1);  // the parent's thread goes on
}

TEST(InvokedRunner, counts_calls_that_come_late_and_closes_the_agent) {
  ScriptedAgent agent;
  agent.work = [](Nanos) { return 3; };
  {
    InvokedRunner<ScriptedAgent> runner(agent, 10ms);
    for (const Nanos now : {0ms, 10ms, 21ms, 25ms, 125ms}) {
      EXPECT_EQ(runner.do_work(now), 3);
    }
    EXPECT_EQ(runner.stalls().stalls(), 2U);
    EXPECT_EQ(runner.stalls().longest(), 100ms);
  }
  EXPECT_EQ(agent.cycles.load(), 5);
  EXPECT_EQ(agent.closed.load(), 1);
}

TEST(Composite, adds_up_the_work_takes_the_first_deadline_and_closes_in_reverse) {
  std::vector<int> order;
  ScriptedAgent first;
  ScriptedAgent second;
  ScriptedAgent third;
  int id = 0;
  for (ScriptedAgent* agent : {&first, &second, &third}) {
    agent->close_order = &order;
    agent->id = id++;
    agent->work = [](Nanos) { return 2; };
  }
  second.deadline = 5s;
  third.deadline = 7s;
  Composite sut(first, second, third);
  EXPECT_EQ(sut.do_work(1s), 6);
  EXPECT_EQ(sut.next_deadline(), Nanos(5s));
  sut.on_close();
  EXPECT_EQ(order, (std::vector<int>{2, 1, 0}));
}

TEST(Idle, backs_off_from_spinning_over_yielding_to_sleeps_up_to_the_longest) {
  Idle sut({.kind = IdleKind::kBackoff, .spins = 2, .yields = 1, .park_min = 1us, .park_max = 3us});
  std::vector<Idle::Action> actions;
  std::vector<Nanos> parks;
  for (int i = 0; i < 7; ++i) {
    actions.push_back(sut.next_action());
    if (actions.back() == Idle::Action::kPark) {
      parks.push_back(sut.next_park());
    }
    sut.idle(0);
  }
  using enum Idle::Action;
  EXPECT_EQ(actions, (std::vector<Idle::Action>{kSpin, kSpin, kYield, kPark, kPark, kPark, kPark}));
  EXPECT_EQ(parks, (std::vector<Nanos>{1us, 2us, 3us, 3us}));
  sut.idle(1);
  EXPECT_EQ(sut.next_action(), kSpin);
  EXPECT_EQ(sut.next_park(), Nanos(1us));
}

TEST(Idle, spin_and_yield_never_sleep) {
  for (const auto& [kind, action] : {std::pair(IdleKind::kSpin, Idle::Action::kSpin),
                                     std::pair(IdleKind::kYield, Idle::Action::kYield)}) {
    Idle sut({.kind = kind});
    for (int i = 0; i < 1000; ++i) {
      ASSERT_EQ(sut.next_action(), action);
      sut.idle(0);
    }
  }
}

}  // namespace
}  // namespace tensorpool::agents
