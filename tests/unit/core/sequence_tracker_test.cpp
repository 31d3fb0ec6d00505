#include "core/consumer/sequence_tracker.hpp"

#include <gtest/gtest.h>

#include "support/requirement.hpp"

namespace tensorpool::core::consumer {
namespace {

using Verdict = SequenceTracker::Verdict;

/// A tracker that has heard descriptors up to `seq`, beginning with 10.
SequenceTracker heard_up_to(std::uint64_t seq) {
  SequenceTracker sut;
  for (std::uint64_t k = 10; k <= seq; ++k) {
    sut.heard_descriptor(k);
    sut.advance(k);
  }
  return sut;
}

TEST(SequenceTracker, takes_any_first_number_and_counts_from_there) {
  TP_REQ("W258");
  SequenceTracker sut;
  EXPECT_FALSE(sut.started());
  EXPECT_EQ(sut.last(), 0U);
  EXPECT_EQ(sut.judge(1'000'000), Verdict::kFirst);
  sut.advance(1'000'000);
  EXPECT_EQ(sut.last(), 1'000'000U);
  EXPECT_EQ(sut.accounted(), 1U);
}

TEST(SequenceTracker, judges_each_number_by_its_distance_to_the_last) {
  TP_REQ("W259", "W260", "W261", "W262");
  const SequenceTracker sut = heard_up_to(20);
  EXPECT_EQ(sut.judge(21), Verdict::kNext);
  EXPECT_EQ(sut.judge(22), Verdict::kGap);
  EXPECT_EQ(sut.judge(20), Verdict::kDuplicate);
  EXPECT_EQ(sut.judge(19), Verdict::kRegression);
  EXPECT_EQ(sut.judge(0), Verdict::kRegression);
}

TEST(SequenceTracker, ignores_descriptors_of_frames_that_were_read_from_the_ring) {
  SequenceTracker sut = heard_up_to(20);
  sut.advance(21);
  sut.advance(22);
  EXPECT_EQ(sut.judge(21), Verdict::kBehind);
  EXPECT_EQ(sut.judge(22), Verdict::kBehind);
  EXPECT_EQ(sut.judge(20), Verdict::kDuplicate);
  EXPECT_EQ(sut.judge(19), Verdict::kRegression);
  sut.heard_descriptor(21);
  EXPECT_EQ(sut.judge(21), Verdict::kDuplicate);
  EXPECT_EQ(sut.judge(22), Verdict::kBehind);
}

TEST(SequenceTracker, takes_old_numbers_for_duplicates_after_a_resubscription) {
  TP_REQ("W263");
  SequenceTracker sut = heard_up_to(20);
  sut.subscription_changed();
  for (const std::uint64_t seq : {5U, 20U, 19U}) {
    EXPECT_EQ(sut.judge(seq), Verdict::kDuplicate);
    sut.heard_descriptor(seq);
  }
  EXPECT_EQ(sut.judge(21), Verdict::kNext);
  sut.heard_descriptor(21);
  sut.advance(21);
  EXPECT_EQ(sut.judge(20), Verdict::kRegression);
}

TEST(SequenceTracker, stays_tolerant_until_a_number_above_the_last_tracked_one_is_heard) {
  TP_REQ("W263");
  SequenceTracker sut = heard_up_to(20);
  for (std::uint64_t seq = 21; seq <= 30; ++seq) {
    sut.advance(seq);  // read from the ring
  }
  sut.subscription_changed();
  EXPECT_EQ(sut.judge(25), Verdict::kBehind);
  sut.heard_descriptor(25);
  EXPECT_EQ(sut.judge(24), Verdict::kDuplicate);
  sut.heard_descriptor(24);
  sut.heard_descriptor(31);
  sut.advance(31);
  EXPECT_EQ(sut.judge(24), Verdict::kRegression);
}

}  // namespace
}  // namespace tensorpool::core::consumer
