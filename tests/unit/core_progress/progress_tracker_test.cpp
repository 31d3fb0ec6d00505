// One test per row of the table in the banner of the machine.
#include "core/progress/progress_tracker.hpp"

#include <gtest/gtest.h>

#include "support/requirement.hpp"

namespace tensorpool::core::progress {
namespace {

using layout::FrameProgress;
using State = layout::FrameProgressState;
using Verdict = ProgressTracker::Verdict;

constexpr std::uint32_t kStream = 10000;
constexpr std::uint64_t kEpoch = 77;

class ProgressTrackerTest : public ::testing::Test {
 protected:
  ProgressTrackerTest() {
    sut_.attach(kEpoch, 8, 4096);
    tensor_.contiguous = true;
  }
  [[nodiscard]] static FrameProgress message(std::uint64_t seq, State state, std::uint64_t bytes) {
    return {.stream_id = kStream,
            .epoch = kEpoch,
            .seq = seq,
            .payload_bytes_filled = bytes,
            .state = state};
  }
  ProgressTracker::Outcome tell(const FrameProgress& what) {
    return sut_.on_message(what, [&](std::uint64_t seq, std::uint64_t filled) {
      EXPECT_EQ(seq, what.seq);
      EXPECT_EQ(filled, what.payload_bytes_filled);
      ++looks_;
      return slot_;
    });
  }
  Verdict tell(std::uint64_t seq, State state, std::uint64_t bytes) {
    return tell(message(seq, state, bytes)).verdict;
  }
  void slot_is(SlotStanding standing) {
    slot_ = {.standing = standing};
    if (standing == SlotStanding::kCommitted) {
      slot_.readable = true;
      slot_.tensor = &tensor_;
      slot_.values_len_bytes = 1000;
    }
  }

  ProgressTracker sut_{{.stream_id = kStream, .wants_progress = true}};
  tensor::Layout tensor_;
  Prefix slot_ = {.standing = SlotStanding::kInProgress};
  int looks_ = 0;
};

TEST_F(ProgressTrackerTest, who_did_not_ask_ignores_it) {
  TP_REQ("W356");
  ProgressTracker deaf({.stream_id = kStream});
  deaf.attach(kEpoch, 8, 4096);
  const auto outcome = deaf.on_message(message(1, State::kProgress, 5),
                                       [](std::uint64_t, std::uint64_t) { return Prefix{}; });
  EXPECT_EQ(outcome.verdict, Verdict::kIgnored);
}

TEST_F(ProgressTrackerTest, other_streams_and_epochs_are_ignored_and_so_is_all_while_unmapped) {
  TP_REQ("W357");
  FrameProgress other = message(1, State::kProgress, 5);
  other.stream_id = kStream + 1;
  EXPECT_EQ(tell(other).verdict, Verdict::kIgnored);
  for (const std::uint64_t epoch : {kEpoch - 1, kEpoch + 1, std::uint64_t{0}}) {
    other = message(1, State::kProgress, 5);
    other.epoch = epoch;
    EXPECT_EQ(tell(other).verdict, Verdict::kIgnored);
  }
  sut_.detach();
  EXPECT_EQ(tell(1, State::kProgress, 5), Verdict::kIgnored);
  other.epoch = 0;
  EXPECT_EQ(tell(other).verdict, Verdict::kIgnored);
  EXPECT_EQ(looks_, 0);
}

TEST_F(ProgressTrackerTest, an_unknown_state_and_an_impossible_number_are_malformed) {
  TP_REQ("W358");
  EXPECT_EQ(tell(1, State::kUnknown, 5), Verdict::kMalformed);
  EXPECT_EQ(tell(1ULL << 63U, State::kProgress, 5), Verdict::kMalformed);
  EXPECT_EQ(looks_, 0);
}

TEST_F(ProgressTrackerTest, more_bytes_than_the_largest_stride_are_refused) {
  TP_REQ("W362");
  EXPECT_EQ(tell(1, State::kProgress, 4097), Verdict::kRejected);
  EXPECT_EQ(tell(1, State::kProgress, 4096), Verdict::kInformation);
}

TEST_F(ProgressTrackerTest, neither_state_nor_bytes_of_a_frame_go_back) {
  TP_REQ("W359");
  EXPECT_EQ(tell(1, State::kProgress, 100), Verdict::kInformation);
  EXPECT_EQ(tell(1, State::kStarted, 100), Verdict::kRejected);
  EXPECT_EQ(tell(1, State::kProgress, 99), Verdict::kRejected);
  EXPECT_EQ(tell(1, State::kProgress, 100), Verdict::kInformation);  // the tracking stays
  EXPECT_EQ(tell(1, State::kComplete, 100), Verdict::kInformation);
  EXPECT_EQ(tell(1, State::kProgress, 200), Verdict::kRejected);
}

TEST_F(ProgressTrackerTest, an_older_frame_of_the_slot_is_refused) {
  TP_REQ("W360");
  EXPECT_EQ(tell(17, State::kStarted, 0), Verdict::kInformation);
  EXPECT_EQ(tell(9, State::kComplete, 5), Verdict::kRejected);
  EXPECT_EQ(tell(8, State::kProgress, 5), Verdict::kInformation);  // another slot
  EXPECT_EQ(tell(25, State::kStarted, 0), Verdict::kInformation);  // the next lap
  EXPECT_EQ(tell(17, State::kProgress, 5), Verdict::kRejected);
}

TEST_F(ProgressTrackerTest, the_first_message_of_a_frame_may_have_any_state) {
  TP_REQ("W361");
  EXPECT_EQ(tell(0, State::kProgress, 7), Verdict::kInformation);
  EXPECT_EQ(tell(1, State::kComplete, 7), Verdict::kInformation);
  EXPECT_EQ(tell(2, State::kStarted, 0), Verdict::kInformation);
}

TEST_F(ProgressTrackerTest, of_a_frame_in_progress_it_is_information_only) {
  TP_REQ("W363");
  const auto outcome = tell(message(1, State::kProgress, 100));
  EXPECT_EQ(outcome.verdict, Verdict::kInformation);
  EXPECT_EQ(outcome.bytes, 0U);
  EXPECT_FALSE(outcome.prefix.readable);
}

TEST_F(ProgressTrackerTest, of_a_committed_frame_the_prefix_may_be_read) {
  TP_REQ("W364", "W366");
  slot_is(SlotStanding::kCommitted);
  const auto outcome = tell(message(1, State::kProgress, 1000));
  EXPECT_EQ(outcome.verdict, Verdict::kPrefix);
  EXPECT_EQ(outcome.bytes, 1000U);
  EXPECT_EQ(tell(2, State::kProgress, 1001), Verdict::kRejected);
  slot_is(SlotStanding::kHeaderInvalid);
  EXPECT_EQ(tell(3, State::kProgress, 5), Verdict::kRejected);
}

TEST_F(ProgressTrackerTest, of_a_slot_with_an_earlier_frame_only_the_start_is_believed) {
  TP_REQ("W365");
  slot_is(SlotStanding::kEarlier);
  EXPECT_EQ(tell(1, State::kStarted, 0), Verdict::kInformation);
  EXPECT_EQ(tell(1, State::kProgress, 5), Verdict::kRejected);
  EXPECT_EQ(tell(2, State::kComplete, 5), Verdict::kRejected);
  slot_is(SlotStanding::kLater);
  for (const State state : {State::kStarted, State::kProgress, State::kComplete}) {
    EXPECT_EQ(tell(3, state, 5), Verdict::kRejected);
  }
}

TEST_F(ProgressTrackerTest, what_the_slot_refutes_is_not_tracked) {
  TP_REQ("W359", "W365");
  slot_is(SlotStanding::kEarlier);
  EXPECT_EQ(tell(9, State::kComplete, 500), Verdict::kRejected);
  slot_is(SlotStanding::kInProgress);
  EXPECT_EQ(tell(1, State::kStarted, 0), Verdict::kInformation);
}

TEST_F(ProgressTrackerTest, a_tensor_with_holes_is_handed_out_in_whole_rows_or_not_at_all) {
  TP_REQ("W367");
  slot_is(SlotStanding::kCommitted);
  tensor_.contiguous = false;
  EXPECT_EQ(tell(message(1, State::kProgress, 999)).bytes, 0U);
  tensor_.info.progress_unit = ProgressUnit::kRows;
  tensor_.info.progress_stride_bytes = 100;
  EXPECT_EQ(tell(message(2, State::kProgress, 999)).bytes, 900U);
  tensor_.info.progress_unit = ProgressUnit::kColumns;
  EXPECT_EQ(tell(message(3, State::kProgress, 99)).bytes, 0U);
}

TEST_F(ProgressTrackerTest, another_epoch_begins_from_nothing) {
  TP_REQ("W357");
  EXPECT_EQ(tell(9, State::kComplete, 100), Verdict::kInformation);
  sut_.attach(kEpoch + 1, 8, 4096);
  FrameProgress first = message(1, State::kStarted, 0);
  EXPECT_EQ(tell(first).verdict, Verdict::kIgnored);
  first.epoch = kEpoch + 1;
  EXPECT_EQ(tell(first).verdict, Verdict::kInformation);
}

}  // namespace
}  // namespace tensorpool::core::progress
