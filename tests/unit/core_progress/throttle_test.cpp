#include "core/progress/throttle.hpp"

#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <deque>
#include <limits>

#include "base/random.hpp"
#include "support/requirement.hpp"
#include "support/seed.hpp"

namespace tensorpool::core::progress {
namespace {

using std::chrono::microseconds;
using std::chrono::seconds;

TEST(Throttle, without_hints_the_defaults_hold) {
  TP_REQ("W350", "W438");
  const std::array<Hints, 2> silent{};
  const Effective expected{.interval = microseconds(250), .bytes_delta = 65'536};
  EXPECT_EQ(combine(silent, {}), expected);
  EXPECT_EQ(combine({}, {}), expected);
}

TEST(Throttle, of_each_hint_the_smallest_counts) {
  TP_REQ("W349");
  const std::array<Hints, 3> live{
      Hints{.interval_us = 900, .bytes_delta = 8'192, .major_delta_units = 9},
      Hints{.interval_us = 400, .bytes_delta = 100'000}, Hints{.major_delta_units = 4}};
  EXPECT_EQ(
      combine(live, {}),
      (Effective{.interval = microseconds(400), .bytes_delta = 8'192, .major_delta_units = 4}));
}

TEST(Throttle, hints_are_raised_to_the_floors) {
  TP_REQ("W349");
  const std::array<Hints, 1> greedy{
      Hints{.interval_us = 0, .bytes_delta = 0, .major_delta_units = 2}};
  EXPECT_EQ(
      combine(greedy, {.major_delta_units_floor = 3}),
      (Effective{.interval = microseconds(200), .bytes_delta = 4'096, .major_delta_units = 3}));
}

TEST(Throttle, a_hint_of_0_rows_counts_as_none) {
  TP_REQ("W349");
  const std::array<Hints, 2> live{Hints{.major_delta_units = 0}, Hints{.major_delta_units = 7}};
  EXPECT_EQ(combine(live, {}).major_delta_units, 7U);
  EXPECT_EQ(combine(std::span(live).first(1), {}).major_delta_units, 0U);
  EXPECT_EQ(combine(std::span(live).first(1), {.major_delta_units = 5}).major_delta_units, 5U);
}

TEST(Throttle, the_threshold_is_in_bytes_or_in_rows_whichever_is_less) {
  TP_REQ("W348");
  const Effective bytes{.bytes_delta = 10'000};
  const Effective rows{.bytes_delta = 10'000, .major_delta_units = 4};
  EXPECT_EQ(threshold_bytes(bytes, ProgressUnit::kRows, 1'000), 10'000U);
  EXPECT_EQ(threshold_bytes(rows, ProgressUnit::kRows, 1'000), 4'000U);
  EXPECT_EQ(threshold_bytes(rows, ProgressUnit::kColumns, 1'000), 4'000U);
  EXPECT_EQ(threshold_bytes(rows, ProgressUnit::kNone, 1'000), 10'000U);
  EXPECT_EQ(threshold_bytes(rows, ProgressUnit::kRows, 3'000), 10'000U);
  EXPECT_EQ(threshold_bytes({.bytes_delta = ~0ULL, .major_delta_units = 0xFFFF'FFFFU},
                            ProgressUnit::kRows, 0xFFFF'FFFFU),
            0xFFFF'FFFE'0000'0001ULL);
}

TEST(Throttle, settings_that_cannot_be_kept_are_refused) {
  EXPECT_TRUE(check_settings({}));
  EXPECT_FALSE(check_settings({.max_rate_hz = 0}));
  EXPECT_FALSE(check_settings({.interval = Nanos{-1}}));
  EXPECT_FALSE(check_settings({.interval_floor = Nanos{-1}}));
}

TEST(RateCap, allows_so_many_at_once_and_the_next_a_second_after_the_first) {
  TP_REQ("W352");
  constexpr Nanos kStart = seconds(1000);
  RateCap sut(3);
  for (int k = 0; k < 3; ++k) {
    EXPECT_LE(sut.allowed_at(), kStart + microseconds(k));
    sut.on_event(kStart + microseconds(k));
  }
  EXPECT_EQ(sut.allowed_at(), kStart + seconds(1));
  sut.on_event(kStart + seconds(1));
  EXPECT_EQ(sut.allowed_at(), kStart + seconds(1) + microseconds(1));
}

TEST(RateCap, holds_in_any_second_of_a_random_run) {
  TP_REQ("W352");
  base::Random random(test::announced_seed());
  RateCap sut(20);
  std::deque<Nanos> last_second;
  Nanos now = seconds(5);
  for (int k = 0; k < 5'000; ++k) {
    now += microseconds(random.below(random.chance(1, 50) ? 2'000'000 : 20'000));
    if (now < sut.allowed_at()) {
      continue;
    }
    sut.on_event(now);
    last_second.push_back(now);
    while (now - last_second.front() >= seconds(1)) {
      last_second.pop_front();
    }
    ASSERT_LE(last_second.size(), 20U);
  }
}

}  // namespace
}  // namespace tensorpool::core::progress
