// The wake protocol between threads at full speed, with the futex of the kernel: nobody sleeps
// through a frame. A sleep is bounded by minutes here, so that one that was slept through ends the
// test by its time-out.
#include <gtest/gtest.h>

#include <cstdint>
#include <thread>
#include <vector>

#include "base/atomics.hpp"
#include "core/ring/slot_protocol.hpp"
#include "core/wake/wake_protocol.hpp"
#include "os/futex.hpp"

namespace tensorpool::stress {
namespace {

using Atom = base::DefaultAtom;
using base::Edge;

constexpr Nanos kSleepMax = std::chrono::minutes(10);
constexpr std::uint64_t kFrames = 20'000;
/// How far the producer may be ahead: of 1, everybody is asleep or about to be with each frame.
constexpr std::uint64_t kAhead = 1;

struct alignas(64) Line {
  std::uint64_t word = 0;
};

/// Producer and consumers, each frame acknowledged, so that everybody has to be woken again and
/// again.
class Crowd {
 public:
  explicit Crowd(std::size_t consumers) : had_(consumers) {}

  void run() {
    std::vector<std::thread> threads;
    for (Line& had : had_) {
      threads.emplace_back([this, &had] { consume(had); });
    }
    produce();
    for (std::thread& thread : threads) {
      thread.join();
    }
  }
  [[nodiscard]] std::uint64_t wakes() const noexcept { return wakes_; }

 private:
  [[nodiscard]] static std::uint64_t load(const Line& line) noexcept {
    return Atom::load_acquire<Edge::kFollowLoad>(line.word);
  }
  void produce() {
    for (std::uint64_t seq = 1; seq <= kFrames; ++seq) {
      for (const Line& had : had_) {
        while (load(had) + kAhead < seq) {
          std::this_thread::yield();
        }
      }
      core::ring::commit_write<Atom>(commit_.word, seq);
      if (core::wake::somebody_sleeps<Atom>(armed_.word)) {
        core::wake::take_armings<Atom>(armed_.word, ticket_.word);
        os::futex_wake_all(ticket_.word);
        ++wakes_;
      }
    }
  }
  void consume(Line& had) {
    for (std::uint64_t seen = 0; seen < kFrames;) {
      const std::uint64_t newest = core::ring::sequence_of(load(commit_));
      if (newest > seen) {
        seen = newest;
        Atom::store_release<Edge::kCommitStore>(had.word, seen);
        continue;
      }
      const core::wake::Arming arming = core::wake::arm<Atom>(
          armed_.word, ticket_.word,
          [this, seen] { return core::ring::sequence_of(load(commit_)) > seen; });
      if (arming.may_sleep) {
        os::futex_wait(ticket_.word, arming.ticket, kSleepMax);
      }
    }
  }

  Line commit_;
  Line armed_;
  Line ticket_;
  std::vector<Line> had_;
  std::uint64_t wakes_ = 0;
};

class WakeThreads : public ::testing::TestWithParam<std::size_t> {};

TEST_P(WakeThreads, sleep_through_no_frame) {
  Crowd sut(GetParam());
  sut.run();
  EXPECT_GT(sut.wakes(), 0U);
  EXPECT_LE(sut.wakes(), kFrames);
}

INSTANTIATE_TEST_SUITE_P(Consumers, WakeThreads, ::testing::Values(1, 2, 8));

}  // namespace
}  // namespace tensorpool::stress
