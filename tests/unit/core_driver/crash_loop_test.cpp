#include "core/driver/crash_loop.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace tensorpool::core::driver {
namespace {

using std::chrono::seconds;

constexpr Nanos kStart = seconds(1000);

TEST(CrashLoop, one_death_costs_nothing) {
  CrashLoop sut;
  sut.on_lease_ended(seconds(0), true, kStart);
  EXPECT_FALSE(sut.holds(kStart));
  EXPECT_EQ(sut.deaths(), 1U);
}

TEST(CrashLoop, each_further_death_doubles_the_hold_up_to_its_limit) {
  CrashLoop sut;
  Nanos now = kStart;
  sut.on_lease_ended(seconds(1), true, now);
  std::vector<Nanos> holds;
  for (int death = 0; death < 8; ++death) {
    sut.on_lease_ended(seconds(9), true, now);
    holds.push_back(sut.held_until() - now);
    EXPECT_TRUE(sut.holds(sut.held_until() - Nanos{1}));
    EXPECT_FALSE(sut.holds(sut.held_until()));
    now = sut.held_until() + seconds(4);
  }
  EXPECT_EQ(holds, (std::vector<Nanos>{seconds(1), seconds(2), seconds(4), seconds(8), seconds(16),
                                       seconds(32), seconds(32), seconds(32)}));
}

TEST(CrashLoop, a_producer_that_lived_long_enough_clears_the_account) {
  CrashLoop sut;
  sut.on_lease_ended(seconds(1), true, kStart);
  sut.on_lease_ended(seconds(1), true, kStart + seconds(4));
  ASSERT_TRUE(sut.holds(kStart + seconds(4)));
  sut.on_lease_ended(CrashLoop::kLongEnough, true, kStart + seconds(20));
  EXPECT_EQ(sut.deaths(), 0U);
  sut.on_lease_ended(seconds(1), true, kStart + seconds(25));
  EXPECT_FALSE(sut.holds(kStart + seconds(25)));
}

TEST(CrashLoop, detaching_is_no_death) {
  CrashLoop sut;
  for (int i = 0; i < 100; ++i) {
    sut.on_lease_ended(seconds(0), false, kStart);
  }
  EXPECT_FALSE(sut.holds(kStart));
  sut.on_lease_ended(seconds(1), true, kStart);
  sut.on_lease_ended(seconds(0), false, kStart);
  sut.on_lease_ended(seconds(1), true, kStart);
  EXPECT_TRUE(sut.holds(kStart)) << "nor does it clear the account";
}

TEST(CrashLoop, a_minute_without_a_death_is_forgiven) {
  CrashLoop sut;
  sut.on_lease_ended(seconds(1), true, kStart);
  sut.on_lease_ended(seconds(1), true, kStart + CrashLoop::kForgottenAfter);
  EXPECT_EQ(sut.deaths(), 1U);
  EXPECT_FALSE(sut.holds(kStart + CrashLoop::kForgottenAfter));
}

}  // namespace
}  // namespace tensorpool::core::driver
