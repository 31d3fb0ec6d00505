#include "core/wake/wake_budget.hpp"

#include <gtest/gtest.h>

namespace tensorpool::core::wake {
namespace {

using std::chrono::hours;
using std::chrono::microseconds;
using std::chrono::seconds;

constexpr WakeBudget::Options kFew{.burst = 3, .interval = microseconds(50)};

[[nodiscard]] int taken_at(WakeBudget& budget, Nanos now) {
  int taken = 0;
  while (taken < 1000 && budget.take(now)) {
    ++taken;
  }
  return taken;
}

TEST(WakeBudget, allows_a_burst_and_no_more) {
  WakeBudget sut(kFew);
  EXPECT_EQ(taken_at(sut, seconds(5)), 3);
}

TEST(WakeBudget, earns_one_call_in_each_interval) {
  WakeBudget sut(kFew);
  static_cast<void>(taken_at(sut, seconds(5)));
  EXPECT_FALSE(sut.take(seconds(5) + microseconds(50) - Nanos(1)));
  EXPECT_TRUE(sut.take(seconds(5) + microseconds(50)));
  EXPECT_FALSE(sut.take(seconds(5) + microseconds(50)));
  EXPECT_EQ(taken_at(sut, seconds(5) + microseconds(150)), 2);
}

TEST(WakeBudget, saves_up_no_more_than_a_burst) {
  WakeBudget sut(kFew);
  static_cast<void>(taken_at(sut, seconds(5)));
  EXPECT_EQ(taken_at(sut, hours(5)), 3);
}

TEST(WakeBudget, bounds_what_somebody_who_always_asks_gets_in_a_second) {
  WakeBudget sut({});
  int calls = 0;
  for (Nanos now = seconds(1); now < seconds(2); now += microseconds(1)) {
    calls += sut.take(now) ? 1 : 0;
  }
  EXPECT_EQ(calls, 20'000 + 255);
}

TEST(WakeBudget, works_from_the_beginning_of_time) {
  WakeBudget sut(kFew);
  EXPECT_EQ(taken_at(sut, Nanos(0)), 3);
}

}  // namespace
}  // namespace tensorpool::core::wake
