#include "agents/histogram.hpp"

#include <gtest/gtest.h>

namespace tensorpool::agents {
namespace {

using std::chrono::microseconds;
using std::chrono::seconds;

[[nodiscard]] Histogram make(Nanos highest) {
  return std::move(*Histogram::create(highest));
}

TEST(Histogram, sums_up_what_it_was_given) {
  Histogram sut = make(seconds(60));
  for (int k = 1; k <= 1000; ++k) {
    sut.record(microseconds(k));
  }
  const Histogram::Summary summary = sut.summary();
  EXPECT_EQ(summary.count, 1000U);
  // Three significant digits.
  const auto is_about = [](Nanos value, Nanos expected) {
    return value >= expected && value - expected <= expected / 500;
  };
  EXPECT_TRUE(is_about(summary.p50, microseconds(500))) << summary.p50.count();
  EXPECT_TRUE(is_about(summary.p90, microseconds(900))) << summary.p90.count();
  EXPECT_TRUE(is_about(summary.p99, microseconds(990))) << summary.p99.count();
  EXPECT_TRUE(is_about(summary.p999, microseconds(999))) << summary.p999.count();
  EXPECT_TRUE(is_about(summary.max, microseconds(1000))) << summary.max.count();
}

TEST(Histogram, counts_what_is_outside_its_range_at_the_end_of_it) {
  Histogram sut = make(seconds(60));
  sut.record(Nanos{-5});
  EXPECT_EQ(sut.max(), Nanos{1});
  sut.record(seconds(3600));
  EXPECT_GE(sut.max(), seconds(60));
  EXPECT_LT(sut.max(), seconds(61));
}

TEST(Histogram, is_empty_again_after_a_reset) {
  Histogram sut = make(seconds(1));
  sut.record(Nanos{77});
  sut.reset();
  EXPECT_EQ(sut.summary(), Histogram::Summary{});
}

}  // namespace
}  // namespace tensorpool::agents
