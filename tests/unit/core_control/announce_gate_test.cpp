#include "core/consumer/announce_gate.hpp"

#include <gtest/gtest.h>

#include <chrono>

#include "support/requirement.hpp"

namespace tensorpool::core::consumer {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using Verdict = AnnounceGate::Verdict;

constexpr std::uint32_t kStream = 10000;
constexpr base::Now kNow{.mono = seconds(1000), .real = seconds(1'800'000'000)};

[[nodiscard]] std::uint64_t ns(Nanos instant) {
  return static_cast<std::uint64_t>(instant.count());
}

class Gate : public ::testing::Test {
 protected:
  [[nodiscard]] static AnnounceGate::Stamp fresh(std::uint64_t epoch = 5) {
    return {.stream_id = kStream, .epoch = epoch, .timestamp_ns = ns(kNow.mono)};
  }
  AnnounceGate sut_{{.stream_id = kStream}};
};

TEST_F(Gate, passes_a_fresh_announce_of_its_stream) {
  EXPECT_EQ(sut_.judge(fresh(), kNow), Verdict::kPassed);
}

TEST_F(Gate, ignores_other_streams) {
  TP_REQ("W213");
  auto stamp = fresh();
  stamp.stream_id = kStream + 1;
  EXPECT_EQ(sut_.judge(stamp, kNow), Verdict::kOtherStream);
}

TEST_F(Gate, ignores_impossible_epochs_and_a_missing_time) {
  TP_REQ("W214", "W409");
  for (const std::uint64_t epoch : {std::uint64_t{0}, ~std::uint64_t{0}}) {
    EXPECT_EQ(sut_.judge(fresh(epoch), kNow), Verdict::kNoEpochOrTime);
  }
  auto stamp = fresh();
  stamp.timestamp_ns = 0;
  EXPECT_EQ(sut_.judge(stamp, kNow), Verdict::kNoEpochOrTime);
}

TEST_F(Gate, measures_freshness_at_receipt_on_the_clock_that_is_declared) {
  TP_REQ("W215", "W216", "W428");
  struct Row {
    Nanos age;
    Verdict expected;
  };
  for (const bool realtime : {false, true}) {
    const Nanos clock = realtime ? kNow.real : kNow.mono;
    for (const Row& row :
         {Row{seconds(3), Verdict::kPassed}, Row{seconds(3) + Nanos(1), Verdict::kTooOld},
          Row{-seconds(3), Verdict::kPassed}, Row{-seconds(3) - Nanos(1), Verdict::kTooNew}}) {
      AnnounceGate sut({.stream_id = kStream});
      auto stamp = fresh();
      stamp.realtime = realtime;
      stamp.timestamp_ns = ns(clock - row.age);
      EXPECT_EQ(sut.judge(stamp, kNow), row.expected)
          << row.age.count() << " realtime " << realtime;
    }
  }
}

TEST_F(Gate, ignores_what_was_announced_before_the_image_was_joined) {
  TP_REQ("W217", "W218", "W219");
  auto stamp = fresh();
  stamp.image_joined_at = kNow.mono;
  stamp.timestamp_ns = ns(kNow.mono) - 1;
  EXPECT_EQ(sut_.judge(stamp, kNow), Verdict::kBeforeJoin);
  stamp.realtime = true;
  stamp.timestamp_ns = ns(kNow.real) - 1;
  EXPECT_EQ(sut_.judge(stamp, kNow), Verdict::kPassed);
}

TEST_F(Gate, ignores_lower_epochs_until_the_higher_one_has_been_silent) {
  TP_REQ("W220", "W221", "W222");
  ASSERT_EQ(sut_.judge(fresh(9), kNow), Verdict::kPassed);
  EXPECT_EQ(sut_.judge(fresh(8), kNow), Verdict::kLowerEpoch);
  EXPECT_EQ(sut_.highest_epoch(kNow.mono), 9U);

  base::Now later = kNow;
  later.mono += seconds(5);
  auto stamp = fresh(8);
  stamp.timestamp_ns = ns(later.mono);
  EXPECT_EQ(sut_.judge(stamp, later), Verdict::kLowerEpoch);
  later.mono += Nanos(1);
  stamp.timestamp_ns = ns(later.mono);
  EXPECT_EQ(sut_.judge(stamp, later), Verdict::kPassed);
}

TEST(Timing, refuses_periods_that_contradict_each_other) {
  TP_REQ("W440", "W438");
  EXPECT_TRUE(check_timing({}));
  EXPECT_TRUE(check_timing(Timing::around(milliseconds(50))));
  EXPECT_FALSE(check_timing({.announce_period = Nanos(0)}));
  EXPECT_FALSE(check_timing({.hello_interval = Nanos(0)}));
  const Timing given = Timing::of(milliseconds(100), milliseconds(700), milliseconds(900));
  EXPECT_EQ(given.freshness_window, milliseconds(700));
  EXPECT_EQ(given.liveness_timeout, milliseconds(900));
  EXPECT_FALSE(check_timing({.metadata_period = Nanos(0)}));
  EXPECT_FALSE(check_timing({.qos_interval = Nanos(0)}));
  EXPECT_FALSE(check_timing({.announce_period = -seconds(1)}));
  EXPECT_FALSE(check_timing({.freshness_window = milliseconds(999)}));
  EXPECT_FALSE(check_timing({.liveness_timeout = milliseconds(2999)}));
  EXPECT_FALSE(check_timing({.hello_interval = Nanos(0)}));
}

}  // namespace
}  // namespace tensorpool::core::consumer
