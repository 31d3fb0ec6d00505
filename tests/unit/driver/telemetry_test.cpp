// The histograms of a driver, and when they are exported.
#include "driver/telemetry.hpp"

#include <gtest/gtest.h>

#include "support/allocations.hpp"
#include "support/requirement.hpp"

namespace tensorpool::driver {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr Nanos kStart = seconds(1000);

[[nodiscard]] Telemetry make(bool enabled) {
  return std::move(*Telemetry::create({.enabled = enabled, .interval = milliseconds(100)}, kStart));
}

/// Duty cycles at `now` until one exports; nothing when none does.
[[nodiscard]] std::optional<Telemetry::Summaries> export_at(Telemetry& sut, Nanos now) {
  for (std::size_t cycle = 0; cycle < 2 * kMeasureNames.size(); ++cycle) {
    if (const auto summaries = sut.do_work(now)) {
      return summaries;
    }
  }
  return std::nullopt;
}

TEST(Telemetry, records_nothing_unless_it_is_enabled) {
  TP_REQ("D339");
  Telemetry sut = make(false);
  sut.record(Measure::kAttachLatency, Nanos{5});
  EXPECT_FALSE(sut.enabled());
  EXPECT_FALSE(export_at(sut, kStart + seconds(10)));
}

TEST(Telemetry, exports_each_histogram_when_an_interval_is_over) {
  TP_REQ("D341");
  Telemetry sut = make(true);
  for (std::size_t k = 0; k < kMeasureNames.size(); ++k) {
    sut.record(static_cast<Measure>(k), Nanos{100} * (k + 1));
  }
  EXPECT_FALSE(export_at(sut, kStart + milliseconds(100) - Nanos{1}));
  const auto summaries = export_at(sut, kStart + milliseconds(100));
  ASSERT_TRUE(summaries);
  for (std::size_t k = 0; k < kMeasureNames.size(); ++k) {
    EXPECT_EQ((*summaries)[k].count, 1U) << kMeasureNames[k];
    EXPECT_EQ((*summaries)[k].max, Nanos{100} * (k + 1)) << kMeasureNames[k];
  }
  EXPECT_EQ(sut.last(), *summaries);
}

TEST(Telemetry, begins_each_interval_anew) {
  TP_REQ("D341");
  Telemetry sut = make(true);
  sut.record(Measure::kDriverPoll, Nanos{7});
  ASSERT_TRUE(export_at(sut, kStart + milliseconds(100)));
  const auto second = export_at(sut, kStart + milliseconds(200));
  ASSERT_TRUE(second);
  EXPECT_EQ(*second, Telemetry::Summaries{});
}

TEST(Telemetry, looks_at_one_histogram_a_cycle) {
  TP_REQ("D341");
  Telemetry sut = make(true);
  int cycles = 1;
  while (!sut.do_work(kStart + milliseconds(100))) {
    ++cycles;
    ASSERT_LE(cycles, 100);
  }
  EXPECT_GT(cycles, static_cast<int>(kMeasureNames.size()));
}

TEST(Telemetry, records_more_than_a_minute_as_a_minute) {
  TP_REQ("D339");
  Telemetry sut = make(true);
  sut.record(Measure::kLeaseExpireDelay, seconds(3600));
  const auto summaries = export_at(sut, kStart + milliseconds(100));
  ASSERT_TRUE(summaries);
  const Nanos most = (*summaries)[static_cast<std::size_t>(Measure::kLeaseExpireDelay)].max;
  EXPECT_GE(most, seconds(60));
  EXPECT_LT(most, seconds(61));
}

TEST(Telemetry, allocates_nothing_while_it_records) {
  TP_REQ("D340");
  Telemetry sut = make(true);
  const std::size_t before = testing::allocations();
  for (int k = 0; k < 1000; ++k) {
    sut.record(Measure::kKeepaliveDelta, milliseconds(k));
  }
  static_cast<void>(export_at(sut, kStart + milliseconds(100)));
  EXPECT_EQ(testing::allocations(), before);
}

TEST(Telemetry, says_a_summary_in_one_line) {
  EXPECT_EQ(summary_line(Measure::kAttachLatency, {.count = 12,
                                                   .p50 = Nanos{1},
                                                   .p90 = Nanos{2},
                                                   .p99 = Nanos{3},
                                                   .p999 = Nanos{4},
                                                   .max = Nanos{5}}),
            "attach_latency_ns count 12 p50 1 p90 2 p99 3 p99.9 4 max 5");
}

}  // namespace
}  // namespace tensorpool::driver
