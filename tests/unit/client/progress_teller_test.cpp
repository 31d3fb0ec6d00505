// Whom a producer tells, and when it need not even ask. What is told is core/progress' to test.
#include "client/progress_teller.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <utility>

#include "support/requirement.hpp"
#include "support/scratch_directory.hpp"

namespace tensorpool::detail {
namespace {

using std::chrono::milliseconds;

/// The publications of this audience are down, so that each message counts as unsent, once for each
/// of them.
class ProgressTellerTest : public ::testing::Test {
 protected:
  void audience(std::size_t streams, std::optional<std::uint32_t> interval_us = {}) {
    auto who = std::make_unique<agents::ProgressAudience>();
    who->number = ++audiences_;
    for (std::size_t k = 0; k < streams; ++k) {
      who->streams.push_back(&publication_);
    }
    who->hints = {{.interval_us = interval_us}};
    streams_.progress.offer(std::move(who));
  }
  void nobody() { streams_.progress.offer(nullptr); }
  [[nodiscard]] std::uint64_t messages() { return std::exchange(counters_.progress_unsent, 0); }
  void claimed(std::uint64_t seq) { sut_.on_claimed(seq, now_, counters_); }
  void filled(std::uint64_t seq, std::uint64_t bytes) {
    sut_.on_filled(seq, bytes, 0, now_, counters_);
  }
  void committed(std::uint64_t seq, std::uint64_t bytes) {
    sut_.on_committed(seq, bytes, now_, counters_);
  }

  test::ScratchDirectory scratch_{"/tmp"};
  bus::Client client_ = bus::Client::create({.aeron_dir = scratch_.path() + "/none"}).value();
  agents::OwnPublication publication_{
      client_, {.channel = bus::Channel::parse("aeron:ipc").value(), .stream_id = 1000}};
  agents::OwnStreams streams_;
  std::uint64_t audiences_ = 0;
  ProducerCounters counters_;
  ProgressTeller sut_{streams_, core::progress::ProgressSender::create({}).value()};
  Nanos now_ = std::chrono::seconds(1000);
};

TEST_F(ProgressTellerTest, is_quiet_while_nobody_asks) {
  TP_REQ("W343");
  EXPECT_TRUE(sut_.is_quiet());
  audience(1);
  EXPECT_FALSE(sut_.is_quiet());
  nobody();
  EXPECT_TRUE(sut_.is_quiet());
}

TEST_F(ProgressTellerTest, tells_each_stream_of_the_audience) {
  TP_REQ("W354", "W355");
  audience(1);
  claimed(0);
  EXPECT_EQ(messages(), 1U);
  audience(3);
  committed(0, 10);
  EXPECT_EQ(messages(), 3U);
}

TEST_F(ProgressTellerTest, follows_a_frame_to_its_end_when_its_audience_has_gone) {
  TP_REQ("W343", "W345");
  audience(1);
  claimed(0);
  claimed(1);
  now_ += milliseconds(1);
  filled(0, 70'000);
  EXPECT_EQ(messages(), 3U);
  nobody();
  EXPECT_FALSE(sut_.is_quiet());
  now_ += milliseconds(1);
  filled(0, 140'000);
  EXPECT_EQ(sut_.told_bytes(0), 70'000U);
  committed(0, 150'000);
  EXPECT_FALSE(sut_.is_quiet());
  sut_.on_aborted(1);
  EXPECT_TRUE(sut_.is_quiet());
  EXPECT_EQ(messages(), 0U);
}

TEST_F(ProgressTellerTest, takes_the_hints_of_another_audience) {
  TP_REQ("W351");
  audience(1, 10'000);
  claimed(0);
  static_cast<void>(messages());
  now_ += milliseconds(1);
  filled(0, 70'000);
  EXPECT_EQ(messages(), 0U);
  audience(1, 500);
  filled(0, 70'000);
  EXPECT_EQ(messages(), 1U);
}

TEST_F(ProgressTellerTest, tells_what_was_held_back_with_whatever_comes_next) {
  TP_REQ("W353");
  audience(1);
  claimed(0);
  claimed(1);
  filled(0, 70'000);
  EXPECT_EQ(messages(), 2U);
  now_ += milliseconds(1);
  filled(1, 1);
  EXPECT_EQ(messages(), 1U);
  EXPECT_EQ(sut_.told_bytes(0), 70'000U);
}

TEST_F(ProgressTellerTest, says_nothing_of_an_epoch_that_has_ended) {
  TP_REQ("W357");
  audience(1);
  claimed(5);
  nobody();
  sut_.begin_epoch(10'000, 78);
  EXPECT_TRUE(sut_.is_quiet());
  EXPECT_EQ(sut_.told_bytes(5), 0U);
}

}  // namespace
}  // namespace tensorpool::detail
