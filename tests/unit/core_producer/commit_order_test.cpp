// Buffers that a device returns in any order are committed in the order in which they were handed
// out, and none waits for longer than it may.
#include "core/producer/commit_order.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <map>
#include <optional>
#include <ostream>
#include <vector>

#include "base/random.hpp"
#include "support/requirement.hpp"
#include "support/seed.hpp"

namespace tensorpool::core::producer {
namespace {

using Content = CommitOrder::Content;
using Verdict = CommitOrder::Verdict;
using std::chrono::milliseconds;

constexpr Nanos kReorder = milliseconds(5);

[[nodiscard]] CommitOrder order_of(std::uint32_t buffers_max, Nanos reorder = kReorder) {
  Result<CommitOrder> made = CommitOrder::create({.buffers_max = buffers_max, .reorder = reorder});
  EXPECT_TRUE(made);
  return std::move(*made);
}

/// An order with `buffers` of them handed out.
[[nodiscard]] CommitOrder all_out(std::uint32_t buffers, Nanos reorder = kReorder) {
  CommitOrder order = order_of(buffers, reorder);
  for (std::uint32_t k = 0; k < buffers; ++k) {
    EXPECT_EQ(order.on_handed_out(), k);
  }
  return order;
}

void expect_step(CommitOrder& sut, Nanos now, Verdict verdict, std::uint64_t number) {
  const CommitOrder::Step step = sut.step(now);
  EXPECT_EQ(step.verdict, verdict);
  EXPECT_EQ(step.number, number);
}

TEST(CommitOrder, refuses_no_buffers_and_negative_times) {
  EXPECT_EQ(CommitOrder::create({.buffers_max = 0}).error().code, Errc::kInvalidArgument);
  EXPECT_EQ(CommitOrder::create({.buffers_max = 1, .reorder = Nanos{-1}}).error().code,
            Errc::kInvalidArgument);
}

TEST(CommitOrder, commits_the_oldest_as_soon_as_it_is_filled) {
  CommitOrder sut = all_out(2);
  EXPECT_EQ(sut.step(milliseconds(100)).verdict, Verdict::kNothing);
  ASSERT_TRUE(sut.on_returned(0, Content::kFrame, milliseconds(100)));
  expect_step(sut, milliseconds(100), Verdict::kCommit, 0);
  EXPECT_EQ(sut.step(milliseconds(100)).verdict, Verdict::kNothing);
}

TEST(CommitOrder, holds_what_came_early_until_those_before_it_are_there) {
  TP_REQ("W181");
  CommitOrder sut = all_out(3);
  ASSERT_TRUE(sut.on_returned(2, Content::kFrame, milliseconds(0)));
  ASSERT_TRUE(sut.on_returned(1, Content::kFrame, milliseconds(1)));
  EXPECT_EQ(sut.step(milliseconds(1)).verdict, Verdict::kNothing);
  ASSERT_TRUE(sut.on_returned(0, Content::kFrame, milliseconds(2)));
  for (std::uint64_t number = 0; number < 3; ++number) {
    expect_step(sut, milliseconds(2), Verdict::kCommit, number);
  }
}

TEST(CommitOrder, gives_up_one_that_is_late_exactly_when_another_has_waited_long_enough) {
  TP_REQ("W181", "W182");
  CommitOrder sut = all_out(3);
  ASSERT_TRUE(sut.on_returned(1, Content::kFrame, milliseconds(10)));
  EXPECT_EQ(sut.next_deadline(), milliseconds(15));
  EXPECT_EQ(sut.step(milliseconds(15) - Nanos{1}).verdict, Verdict::kNothing);
  expect_step(sut, milliseconds(15), Verdict::kTooLate, 0);
  expect_step(sut, milliseconds(15), Verdict::kCommit, 1);
  EXPECT_EQ(sut.step(milliseconds(1000)).verdict, Verdict::kNothing);  // nothing waits for 2
  EXPECT_EQ(sut.next_deadline(), Nanos::max());
}

TEST(CommitOrder, gives_up_all_that_are_late_before_one_that_has_waited) {
  CommitOrder sut = all_out(4);
  ASSERT_TRUE(sut.on_returned(3, Content::kFrame, milliseconds(0)));
  ASSERT_TRUE(sut.on_returned(1, Content::kFrame, milliseconds(4)));
  expect_step(sut, milliseconds(5), Verdict::kTooLate, 0);
  expect_step(sut, milliseconds(5), Verdict::kCommit, 1);
  expect_step(sut, milliseconds(5), Verdict::kTooLate, 2);
  expect_step(sut, milliseconds(5), Verdict::kCommit, 3);
  EXPECT_EQ(sut.size(), 0U);
}

TEST(CommitOrder, passes_over_those_that_came_back_without_a_frame) {
  CommitOrder sut = all_out(2);
  ASSERT_TRUE(sut.on_returned(0, Content::kNothing, milliseconds(0)));
  ASSERT_TRUE(sut.on_returned(1, Content::kFrame, milliseconds(0)));
  expect_step(sut, milliseconds(0), Verdict::kGiveUp, 0);
  expect_step(sut, milliseconds(0), Verdict::kCommit, 1);
}

TEST(CommitOrder, waits_for_nobody_with_a_reorder_of_zero) {
  CommitOrder sut = all_out(2, Nanos{0});
  EXPECT_EQ(sut.step(milliseconds(9)).verdict, Verdict::kNothing);
  ASSERT_TRUE(sut.on_returned(1, Content::kFrame, milliseconds(9)));
  expect_step(sut, milliseconds(9), Verdict::kTooLate, 0);
  expect_step(sut, milliseconds(9), Verdict::kCommit, 1);
}

TEST(CommitOrder, knows_what_is_not_out) {
  CommitOrder sut = all_out(2, Nanos{0});
  EXPECT_FALSE(sut.on_returned(2, Content::kFrame, Nanos{0}));
  ASSERT_TRUE(sut.on_returned(1, Content::kFrame, Nanos{0}));
  EXPECT_FALSE(sut.on_returned(1, Content::kFrame, Nanos{0}));
  expect_step(sut, Nanos{0}, Verdict::kTooLate, 0);
  EXPECT_FALSE(sut.on_returned(0, Content::kFrame, Nanos{0}));
  EXPECT_EQ(sut.size(), 1U);
}

TEST(CommitOrder, has_room_again_when_the_oldest_is_ended) {
  CommitOrder sut = all_out(2);
  EXPECT_TRUE(sut.is_full());
  ASSERT_TRUE(sut.on_returned(0, Content::kFrame, Nanos{0}));
  EXPECT_TRUE(sut.is_full());
  expect_step(sut, Nanos{0}, Verdict::kCommit, 0);
  EXPECT_FALSE(sut.is_full());
  EXPECT_EQ(sut.on_handed_out(), 2U);
}

/// A second account of the same rules: keeps everything, and looks through all of it each time.
class Reckoning {
 public:
  explicit Reckoning(Nanos reorder) : reorder_(reorder) {}

  void hand_out(std::uint64_t number) { buffers_[number] = {}; }
  void give_back(std::uint64_t number, Content content, Nanos now) {
    buffers_[number].returned = now;
    buffers_[number].content = content;
  }
  [[nodiscard]] bool is_out(std::uint64_t number) const {
    const auto found = buffers_.find(number);
    return found != buffers_.end() && !found->second.returned;
  }
  /// All verdicts at `now`, in order.
  [[nodiscard]] std::vector<CommitOrder::Step> due(Nanos now) {
    std::uint64_t end = 0;  // everything before it is decided
    for (const auto& [number, buffer] : buffers_) {
      end = buffer.returned && *buffer.returned + reorder_ <= now ? number + 1 : end;
    }
    std::vector<CommitOrder::Step> steps;
    for (auto it = buffers_.begin();
         it != buffers_.end() && (it->first < end || it->second.returned);) {
      steps.push_back({.verdict = !it->second.returned                    ? Verdict::kTooLate
                                  : it->second.content == Content::kFrame ? Verdict::kCommit
                                                                          : Verdict::kGiveUp,
                       .number = it->first});
      it = buffers_.erase(it);
    }
    return steps;
  }

 private:
  struct Buffer {
    std::optional<Nanos> returned = {};
    Content content = Content::kNothing;
  };
  Nanos reorder_;
  std::map<std::uint64_t, Buffer> buffers_;
};

TEST(CommitOrderAgainstReckoning, decides_the_same_whatever_the_device_does) {
  TP_REQ("W181");
  base::Random random(test::announced_seed());
  for (int run = 0; run < 300 && !HasFailure(); ++run) {
    const auto buffers = static_cast<std::uint32_t>(random.between(1, 12));
    const Nanos reorder{static_cast<Nanos::rep>(random.below(30))};
    CommitOrder sut = order_of(buffers, reorder);
    Reckoning reckoning(reorder);
    Nanos now{0};
    std::uint64_t next = 0;
    std::uint64_t ended = 0;
    for (int event = 0; event < 400 && !HasFailure(); ++event) {
      now += Nanos{static_cast<Nanos::rep>(random.below(6))};
      if (random.chance(1, 2) && !sut.is_full()) {
        EXPECT_EQ(sut.on_handed_out(), next);
        reckoning.hand_out(next++);
      } else {
        // Any number: of one that is out, one that was given up, one that never was.
        const std::uint64_t number = ended + random.below(buffers + 3) - random.below(2);
        const Content content = random.chance(1, 5) ? Content::kNothing : Content::kFrame;
        const bool out = reckoning.is_out(number);
        EXPECT_EQ(sut.on_returned(number, content, now), out);
        if (out) {
          reckoning.give_back(number, content, now);
        }
      }
      if (random.chance(1, 3)) {
        for (const CommitOrder::Step& expected : reckoning.due(now)) {
          expect_step(sut, now, expected.verdict, expected.number);
          EXPECT_EQ(expected.number, ended++);
        }
        EXPECT_EQ(sut.step(now).verdict, Verdict::kNothing);
        EXPECT_GT(sut.next_deadline(), now);
      }
      EXPECT_EQ(sut.size(), next - ended);
    }
  }
}

}  // namespace
}  // namespace tensorpool::core::producer
