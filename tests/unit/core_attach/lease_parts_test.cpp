// The parts of the attach machine that have rules of their own.
#include <gtest/gtest.h>

#include <limits>

#include "core/attach/backoff.hpp"
#include "core/attach/correlation_ids.hpp"
#include "core/attach/lease_clock.hpp"
#include "core/attach/producer_role.hpp"
#include "core/attach/recent_requests.hpp"
#include "support/requirement.hpp"

namespace tensorpool::core::attach {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr auto kIdMax = std::numeric_limits<std::int64_t>::max();

TEST(CorrelationIds, increments_by_one_from_anywhere) {
  TP_REQ("D86");
  CorrelationIds sut(41);
  EXPECT_EQ(sut.next(), 42);
  EXPECT_EQ(sut.next(), 43);
}

TEST(CorrelationIds, one_follows_the_largest) {
  TP_REQ("D86");
  CorrelationIds sut(static_cast<std::uint64_t>(kIdMax) - 1);
  EXPECT_EQ(sut.next(), kIdMax);
  EXPECT_EQ(sut.next(), 1);
}

TEST(CorrelationIds, starts_with_a_valid_number_whatever_the_random_one) {
  TP_REQ("D86");
  for (const std::uint64_t random :
       {std::uint64_t{0}, std::uint64_t{1} << 63U, std::numeric_limits<std::uint64_t>::max()}) {
    EXPECT_GT(CorrelationIds(random).next(), 0);
  }
}

TEST(Backoff, doubles_up_to_a_limit_and_adds_at_most_a_fifth) {
  TP_REQ("D308", "D309");
  base::Random random(1);
  Backoff sut;
  for (const int base_ms : {100, 200, 400, 800, 1600, 3200, 3200, 3200}) {
    const Nanos delay = sut.next(random);
    EXPECT_GE(delay, milliseconds(base_ms));
    EXPECT_LE(delay, milliseconds(base_ms) * 120 / 100);
  }
  sut.reset();
  EXPECT_LE(sut.next(random), milliseconds(120));
}

TEST(Backoff, delays_of_two_clients_differ) {
  TP_REQ("D309");
  base::Random random(1);
  Backoff one;
  Backoff other;
  EXPECT_NE(one.next(random), other.next(random));
}

constexpr Nanos kNow = seconds(100);

LeaseClock granted(Nanos duration, Nanos interval = seconds(1)) {
  return {static_cast<std::uint64_t>((kNow + duration).count()), kNow, interval};
}

TEST(LeaseClock, keepalives_are_due_after_the_smaller_of_interval_and_a_third_of_the_lease) {
  TP_REQ("D140");
  EXPECT_EQ(granted(seconds(3)).keepalive_at(), kNow + seconds(1));
  EXPECT_EQ(granted(seconds(30)).keepalive_at(), kNow + seconds(1));
  EXPECT_EQ(granted(milliseconds(1500)).keepalive_at(), kNow + milliseconds(500));
  EXPECT_GT(granted(Nanos{1}).keepalive_at(), kNow);
}

TEST(LeaseClock, the_deadline_is_the_expiry_and_moves_with_each_keepalive_sent) {
  TP_REQ("D141", "D142");
  LeaseClock sut = granted(seconds(3));
  EXPECT_FALSE(sut.has_lapsed(kNow + seconds(3) - Nanos{1}));
  EXPECT_TRUE(sut.has_lapsed(kNow + seconds(3)));
  sut.sent(kNow + seconds(1));
  EXPECT_EQ(sut.deadline(), kNow + seconds(4));
  EXPECT_EQ(sut.keepalive_at(), kNow + seconds(2));
}

TEST(LeaseClock, the_deadline_never_moves_back) {
  TP_REQ("D141");
  LeaseClock sut = granted(seconds(3));
  sut.sent(kNow - seconds(1));
  EXPECT_EQ(sut.deadline(), kNow + seconds(3));
}

TEST(LeaseClock, a_lease_without_expiry_never_lapses_and_still_sends) {
  TP_REQ("D121");
  LeaseClock sut(std::nullopt, kNow, seconds(1));
  EXPECT_TRUE(sut.is_due(kNow + seconds(1)));
  sut.sent(kNow + seconds(1));
  EXPECT_FALSE(sut.has_lapsed(kNow + hours(100'000)));
  EXPECT_EQ(sut.keepalive_at(), kNow + seconds(2));
}

TEST(LeaseClock, an_expiry_beyond_the_end_of_time_is_no_overflow) {
  TP_REQ("D140", "D141");
  LeaseClock sut(std::numeric_limits<std::uint64_t>::max() - 1, kNow, seconds(1));
  sut.sent(kNow + seconds(1));
  EXPECT_FALSE(sut.has_lapsed(kNow + hours(1'000'000)));
  EXPECT_EQ(sut.keepalive_at(), kNow + seconds(2));
}

TEST(LeaseClock, a_keepalive_is_overdue_one_interval_after_it_was_due) {
  TP_REQ("D144");
  const LeaseClock sut = granted(seconds(3));
  EXPECT_FALSE(sut.is_due(kNow + seconds(1) - Nanos{1}));
  EXPECT_TRUE(sut.is_due(kNow + seconds(1)));
  EXPECT_FALSE(sut.is_overdue(kNow + seconds(2) - Nanos{1}));
  EXPECT_TRUE(sut.is_overdue(kNow + seconds(2)));
}

TEST(RecentRequests, gives_each_request_once_and_forgets_the_oldest) {
  TP_REQ("D92");
  RecentRequests<layout::ShmAttachRequest, 2> sut;
  EXPECT_FALSE(sut.take(0)) << "0 marks an empty place";
  for (const std::int64_t id : {1, 2, 3}) {
    sut.remember({.correlation_id = id, .client_id = static_cast<std::uint32_t>(70 + id)});
  }
  EXPECT_FALSE(sut.contains(1));
  EXPECT_TRUE(sut.contains(2));
  const auto found = sut.take(3);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->client_id, 73U);
  EXPECT_FALSE(sut.take(3));
}

// The rows of the producer's table.

using Kind = AttachReport::Kind;
using State = ProducerState;

ProducerRole in(State state) {
  ProducerRole role;
  if (state != State::kIdle) {
    role.on_report({.kind = Kind::kAttached}, 7);
  }
  if (state == State::kPaused) {
    role.on_report({.kind = Kind::kLost, .tries_again = true}, 0);
  }
  return role;
}

TEST(ProducerRole, follows_its_table) {
  TP_REQ("D313");
  const struct {
    State from;
    AttachReport report;
    State to;
  } rows[] = {
      {State::kIdle, {.kind = Kind::kAttached}, State::kActive},
      {State::kIdle, {.kind = Kind::kTimedOut, .tries_again = true}, State::kIdle},
      {State::kActive, {.kind = Kind::kLost, .tries_again = true}, State::kPaused},
      {State::kActive, {.kind = Kind::kLost, .tries_again = false}, State::kIdle},
      {State::kPaused, {.kind = Kind::kAttached}, State::kActive},
      {State::kPaused, {.kind = Kind::kRefused, .tries_again = true}, State::kPaused},
      {State::kPaused, {.kind = Kind::kRefused, .tries_again = false}, State::kIdle},
  };
  for (const auto& row : rows) {
    ProducerRole sut = in(row.from);
    ASSERT_EQ(sut.state(), row.from);
    sut.on_report(row.report, 8);
    EXPECT_EQ(sut.state(), row.to);
    EXPECT_EQ(sut.may_publish(), row.to == State::kActive);
  }
  for (const State from : {State::kActive, State::kPaused}) {
    ProducerRole sut = in(from);
    sut.on_close();
    EXPECT_EQ(sut.state(), State::kIdle);
  }
}

TEST(ProducerRole, what_was_claimed_before_the_loss_is_not_written_after_it) {
  TP_REQ("D314");
  ProducerRole sut = in(State::kActive);
  EXPECT_TRUE(sut.may_write(7));
  sut.on_report({.kind = Kind::kLost, .tries_again = true}, 0);
  EXPECT_FALSE(sut.may_write(7));
  sut.on_report({.kind = Kind::kAttached}, 9);
  EXPECT_FALSE(sut.may_write(7)) << "the next lease is for another epoch";
  EXPECT_TRUE(sut.may_write(9));
}

}  // namespace
}  // namespace tensorpool::core::attach
