// One thread tells, the other one asks in the middle of that, and the other way round. That the
// processor keeps the order of the code is the matter of the sync() edges, and not shown here.
#include "agents/told_sequence.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <utility>

#include "support/requirement.hpp"

namespace tensorpool::agents {
namespace {

constexpr std::uint64_t kBefore = 7;  // epochs
constexpr std::uint64_t kAfter = 8;
constexpr std::uint64_t kSeqBefore = 900;
constexpr std::uint64_t kSeqAfter = 5;

/// Lets the other thread in before the access whose turn it is, once.
class Interruption {
 public:
  static void arm(int at, std::function<void()> other) {
    countdown = at;
    interrupt = std::move(other);
  }
  static void disarm() { countdown = kNever; }
  static bool has_happened() { return countdown == kNever; }
  static void step() {
    if (countdown != kNever && countdown-- == 0) {
      interrupt();
    }
  }

 private:
  static constexpr int kNever = -1;
  static inline int countdown = kNever;
  static inline std::function<void()> interrupt;
};

struct Word {
  std::uint64_t value;
  std::uint64_t load(std::memory_order) const {
    Interruption::step();
    return value;
  }
  void store(std::uint64_t to, std::memory_order) {
    Interruption::step();
    value = to;
  }
};

TEST(ToldSequence, is_that_of_the_epoch_that_is_asked_for) {
  TP_REQ("W398");
  ToldSequence<> sut;
  EXPECT_FALSE(sut.of(kBefore).has_value());
  sut.tell(kBefore, kSeqBefore);
  sut.tell(kBefore, kSeqBefore + 1);
  EXPECT_EQ(sut.of(kBefore), kSeqBefore + 1);
  EXPECT_FALSE(sut.of(kAfter).has_value());
  sut.tell(kAfter, kSeqAfter);
  EXPECT_EQ(sut.of(kAfter), kSeqAfter);
  EXPECT_FALSE(sut.of(kBefore).has_value());
  sut.tell(0, 0);
  EXPECT_FALSE(sut.of(kAfter).has_value());
}

/// Calls `run(sut, at)` with each place `at` where it can be interrupted, and once more without.
template <class Run>
void at_every_access(Run&& run) {
  bool interrupted = true;
  for (int at = 0; interrupted; ++at) {
    ToldSequence<Word> sut;
    sut.tell(kBefore, kSeqBefore);
    run(sut, at);
    interrupted = Interruption::has_happened();
    Interruption::disarm();
  }
}

[[nodiscard]] bool is_of(std::uint64_t epoch, std::optional<std::uint64_t> seq) {
  return !seq || *seq == (epoch == kBefore ? kSeqBefore : kSeqAfter);
}

TEST(ToldSequence, is_of_no_other_epoch_when_one_begins_while_it_is_asked_for) {
  TP_REQ("W398");
  for (const std::uint64_t epoch : {kBefore, kAfter}) {
    at_every_access([epoch](ToldSequence<Word>& sut, int at) {
      Interruption::arm(at, [&sut] { sut.tell(kAfter, kSeqAfter); });
      EXPECT_TRUE(is_of(epoch, sut.of(epoch))) << "epoch " << epoch << ", access " << at;
    });
  }
}

TEST(ToldSequence, is_of_no_other_epoch_when_it_is_asked_for_while_one_begins) {
  TP_REQ("W398");
  for (const std::uint64_t epoch : {kBefore, kAfter}) {
    at_every_access([epoch](ToldSequence<Word>& sut, int at) {
      std::optional<std::uint64_t> seen;
      Interruption::arm(at, [&] { seen = sut.of(epoch); });
      sut.tell(kAfter, kSeqAfter);
      EXPECT_TRUE(is_of(epoch, seen)) << "epoch " << epoch << ", access " << at;
    });
  }
}

}  // namespace
}  // namespace tensorpool::agents
