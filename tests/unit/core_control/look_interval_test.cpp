#include "core/consumer/look_interval.hpp"

#include <gtest/gtest.h>

#include <chrono>

namespace tensorpool::core::consumer {
namespace {

/// Polls every `interval` for `polls` times; the longest time between two looks.
Nanos longest_gap(LookInterval& sut, Nanos& now, Nanos interval, int polls) {
  Nanos longest{};
  Nanos last = now;
  for (int k = 0; k < polls; ++k) {
    now += interval;
    if (sut.due()) {
      longest = std::max(longest, now - last);
      last = now;
      sut.looked(now);
    }
  }
  return longest;
}

TEST(LookInterval, the_first_poll_is_a_look) {
  LookInterval sut;
  EXPECT_TRUE(sut.due());
}

TEST(LookInterval, a_spinning_reader_looks_at_every_256th_poll) {
  LookInterval sut;
  Nanos now{1'000'000};
  longest_gap(sut, now, Nanos(10), 10'000);
  int looks = 0;
  for (int k = 0; k < 256 * 100; ++k) {
    now += Nanos(10);
    if (sut.due()) {
      ++looks;
      sut.looked(now);
    }
  }
  EXPECT_EQ(looks, 100);
}

TEST(LookInterval, polls_of_any_pace_come_to_a_look_about_every_100_us) {
  for (const Nanos interval : {Nanos(100), Nanos(1'000), Nanos(10'000), Nanos(90'000)}) {
    LookInterval sut;
    Nanos now{1'000'000};
    longest_gap(sut, now, interval, 10'000);
    EXPECT_LE(longest_gap(sut, now, interval, 10'000), LookInterval::kWanted * 2)
        << interval.count();
  }
}

TEST(LookInterval, a_reader_that_polls_seldom_looks_every_time) {
  LookInterval sut;
  Nanos now{1'000'000};
  longest_gap(sut, now, std::chrono::milliseconds(1), 10);
  EXPECT_EQ(longest_gap(sut, now, std::chrono::milliseconds(1), 100), std::chrono::milliseconds(1));
}

TEST(LookInterval, a_reader_that_slows_down_looks_at_every_poll_from_the_next_look_on) {
  LookInterval sut;
  Nanos now{1'000'000};
  longest_gap(sut, now, Nanos(10), 10'000);
  longest_gap(sut, now, std::chrono::milliseconds(1), 256);
  EXPECT_EQ(longest_gap(sut, now, std::chrono::milliseconds(1), 50), std::chrono::milliseconds(1));
}

}  // namespace
}  // namespace tensorpool::core::consumer
