#include "core/registration/rate.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <vector>

#include "base/random.hpp"
#include "support/requirement.hpp"
#include "support/seed.hpp"

namespace tensorpool::core::registration {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

TEST(RateCap, sends_the_first_at_once_and_then_keeps_its_distance) {
  TP_REQ("W336");
  RateCap sut;
  const Nanos interval = interval_of(3);
  EXPECT_EQ(interval, Nanos{333'333'333});
  const Nanos start = seconds(7);
  ASSERT_TRUE(sut.is_due(start, interval));
  sut.sent(start);
  EXPECT_FALSE(sut.is_due(start + interval - Nanos{1}, interval));
  EXPECT_TRUE(sut.is_due(start + interval, interval));
}

TEST(RateCap, makes_10_of_1000_a_second) {
  TP_REQ("W336");
  base::Random random(test::announced_seed());
  for (const std::uint32_t hz : {1U, 7U, 10U, 333U, 1000U}) {
    RateCap sut;
    Nanos now = seconds(1);
    Nanos last{};
    int sent = 0;
    for (int frame = 0; frame < 10'000; ++frame) {
      now += Nanos{static_cast<Nanos::rep>(random.between(900'000, 1'100'000))};
      if (sut.is_due(now, interval_of(hz))) {
        EXPECT_TRUE(sent == 0 || now - last >= interval_of(hz));
        last = now;
        sut.sent(now);
        ++sent;
      }
    }
    EXPECT_LE(sent, static_cast<int>(hz) * 10 + 1);
    if (hz <= 10) {
      EXPECT_NEAR(sent, hz * 10, hz);
    }
  }
}

TEST(RateCap, takes_another_rate_with_the_next_frame) {
  TP_REQ("W337");
  RateCap sut;
  const Nanos start = seconds(1);
  sut.sent(start);
  EXPECT_FALSE(sut.is_due(start + milliseconds(10), interval_of(10)));
  EXPECT_TRUE(sut.is_due(start + milliseconds(10), interval_of(100)));
  EXPECT_TRUE(sut.is_due(start, interval_of(0)));  // no cap
}

TEST(RateGate, accepts_at_a_distance_from_the_last_accepted_one) {
  TP_REQ("W338");
  RateGate sut;
  EXPECT_FALSE(sut.is_active());
  sut.set_interval(interval_of(10));
  ASSERT_TRUE(sut.is_active());
  const std::uint64_t start = 5'000'000'000;
  const auto accepts = [&](std::uint64_t ns) { return sut.accepts(FrameTime::of_descriptor(ns)); };
  EXPECT_TRUE(accepts(start));
  EXPECT_FALSE(accepts(start + 99'999'999));
  EXPECT_TRUE(accepts(start + 100'000'000));
  EXPECT_FALSE(accepts(start + 100'000'000));
  EXPECT_TRUE(accepts(start));  // lower than the last
  EXPECT_FALSE(accepts(start + 1));
}

TEST(RateGate, begins_anew_where_times_come_from_elsewhere) {
  TP_REQ("W339");
  RateGate sut;
  sut.set_interval(interval_of(10));
  const Nanos now = seconds(9);
  const std::uint64_t ns = 9'000'000'000;
  EXPECT_TRUE(sut.accepts(FrameTime::of_descriptor(ns)));
  EXPECT_FALSE(sut.accepts(FrameTime::of_descriptor(ns + 1)));
  EXPECT_TRUE(sut.accepts(FrameTime::of_slot(ns + 1, now)));
  EXPECT_FALSE(sut.accepts(FrameTime::of_slot(ns + 2, now)));
  for (const std::uint64_t absent : {std::uint64_t{0}, ~std::uint64_t{0}}) {
    EXPECT_EQ(FrameTime::of_slot(absent, now).source, FrameTime::Source::kArrival);
    EXPECT_EQ(FrameTime::of_slot(absent, now).ns, ns);
  }
  EXPECT_TRUE(sut.accepts(FrameTime::of_slot(0, now)));
  EXPECT_FALSE(sut.accepts(FrameTime::of_slot(0, now + milliseconds(99))));
  EXPECT_TRUE(sut.accepts(FrameTime::of_slot(0, now + milliseconds(100))));
}

}  // namespace
}  // namespace tensorpool::core::registration
