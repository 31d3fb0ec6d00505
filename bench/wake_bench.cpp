// What waking costs the producer: with 0, 1 and 8 consumers asleep; and where to put the barrier,
// at the producer (a fence with each frame) or at the consumer (membarrier before each sleep).
#include <benchmark/benchmark.h>
#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <list>
#include <thread>
#include <vector>

#include "base/atomics.hpp"
#include "core/wake/wake_protocol.hpp"
#include "os/futex.hpp"
#include "publishing.hpp"

namespace tensorpool {
namespace {

/// Most of the time of these runs is spent on falling asleep, which is not measured.
constexpr std::int64_t kPublishes = 300;

/// A consumer that sleeps on a thread of its own.
class Sleeper {
 public:
  explicit Sleeper(Client& client)
      : consumer_(client
                      .create_consumer({.stream_id = bench::kStreamId,
                                        .mode = FollowMode::kDirect,
                                        .wait = {.kind = WaitKind::kPark},
                                        .announce_period = std::chrono::milliseconds(100)})
                      .value()),
        thread_([this] { run(); }) {}
  Sleeper(const Sleeper&) = delete;
  Sleeper& operator=(const Sleeper&) = delete;
  ~Sleeper() {
    stop_ = true;
    thread_.join();
  }

  /// True once it has had `frame` and sleeps.
  [[nodiscard]] bool sleeps_after(std::uint64_t frame) const noexcept {
    return asleep_ && had_ >= frame;
  }

 private:
  void run() {
    while (!stop_) {
      asleep_ = consumer_.counters().sleeps > 0;
      static_cast<void>(consumer_.wait(std::chrono::milliseconds(10)));
      while (const auto frame = consumer_.next()) {
        had_ = frame->seq();
      }
    }
  }

  Consumer consumer_;
  std::atomic<bool> stop_{false};
  std::atomic<bool> asleep_{false};
  std::atomic<std::uint64_t> had_{0};
  std::thread thread_;
};

/// One publish at a time, when all consumers are asleep.
void publish_to_sleepers(benchmark::State& state) {
  bench::Publishing publishing(DeploymentMode::kStandalone);
  Producer* const producer = publishing.producer();
  if (producer == nullptr) {
    state.SkipWithError("no producer");
    return;
  }
  std::list<Sleeper> sleepers;
  for (std::int64_t k = 0; k < state.range(0); ++k) {
    sleepers.emplace_back(publishing.client());
  }
  const std::array<std::byte, bench::kPayloadBytes> payload{};
  std::uint64_t seq = producer->next_seq();
  static_cast<void>(producer->publish(bench::payload_info(), payload, seq));
  for (auto _ : state) {
    for (const Sleeper& sleeper : sleepers) {
      while (!sleeper.sleeps_after(seq)) {
        std::this_thread::sleep_for(std::chrono::microseconds(50));
        // Whoever came after it begins with the next.
        seq = producer->next_seq();
        static_cast<void>(producer->publish(bench::payload_info(), payload, seq));
      }
    }
    std::this_thread::sleep_for(std::chrono::microseconds(500));
    seq = producer->next_seq();
    const auto begun = std::chrono::steady_clock::now();
    benchmark::DoNotOptimize(producer->publish(bench::payload_info(), payload, seq));
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begun;
    state.SetIterationTime(took.count());
  }
}
BENCHMARK(publish_to_sleepers)->Arg(0)->Arg(1)->Arg(8)->UseManualTime()->Iterations(kPublishes);

/// What waking costs by itself: a futex with `sleepers` threads on it.
void futex_wake(benchmark::State& state) {
  std::uint64_t word = 0;
  std::atomic<bool> stop{false};
  std::vector<std::thread> sleepers;
  for (std::int64_t k = 0; k < state.range(0); ++k) {
    sleepers.emplace_back([&] {
      while (!stop) {
        const std::uint64_t seen = __atomic_load_n(&word, __ATOMIC_ACQUIRE);
        os::futex_wait(word, seen, std::chrono::milliseconds(10));
      }
    });
  }
  for (auto _ : state) {
    std::this_thread::sleep_for(std::chrono::microseconds(500));
    const auto begun = std::chrono::steady_clock::now();
    __atomic_fetch_add(&word, 1, __ATOMIC_RELEASE);
    os::futex_wake_all(word);
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begun;
    state.SetIterationTime(took.count());
  }
  stop = true;
  for (std::thread& sleeper : sleepers) {
    sleeper.join();
  }
}
BENCHMARK(futex_wake)->Arg(0)->Arg(1)->Arg(8)->UseManualTime()->Iterations(kPublishes);

/// The store of a commit and the look for sleepers, with the fence between them that ships.
void barrier_at_producer(benchmark::State& state) {
  alignas(64) std::uint64_t commit = 0;
  alignas(64) std::uint64_t armed = 0;
  for (auto _ : state) {
    base::FenceAtom::store_release<base::Edge::kCommitStore>(commit, commit + 1);
    benchmark::DoNotOptimize(core::wake::somebody_sleeps<base::FenceAtom>(armed));
  }
}
BENCHMARK(barrier_at_producer);

/// The same where the consumer makes the barrier: only the compiler is held back here.
void no_barrier_at_producer(benchmark::State& state) {
  alignas(64) std::uint64_t commit = 0;
  alignas(64) std::uint64_t armed = 0;
  for (auto _ : state) {
    base::FenceAtom::store_release<base::Edge::kCommitStore>(commit, commit + 1);
    std::atomic_signal_fence(std::memory_order_seq_cst);
    benchmark::DoNotOptimize(base::FenceAtom::load_relaxed<base::Edge::kArmedLoad>(armed));
  }
}
BENCHMARK(no_barrier_at_producer);

/// What each sleep of a consumer costs then, while a producer is busy on another processor; and the
/// longest pause that the producer sees.
void membarrier_at_consumer(benchmark::State& state) {
  if (::syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED, 0, 0) != 0) {
    state.SkipWithError("no membarrier here");
    return;
  }
  std::atomic<bool> stop{false};
  std::thread producer([&] {
    std::uint64_t frames = 0;
    while (!stop.load(std::memory_order_relaxed)) {
      benchmark::DoNotOptimize(++frames);
    }
  });
  for (auto _ : state) {
    ::syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL_EXPEDITED, 0, 0);
  }
  stop = true;
  producer.join();
}
BENCHMARK(membarrier_at_consumer)->UseRealTime();

}  // namespace
}  // namespace tensorpool
