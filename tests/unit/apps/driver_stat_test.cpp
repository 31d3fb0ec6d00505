// What tp stat makes of counters.
#include "apps/driver_stat.hpp"

#include <gmock/gmock.h>

#include "support/requirement.hpp"

namespace tensorpool::apps {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

TEST(DriverStat, finds_the_counters_of_each_driver_by_its_instance) {
  TP_REQ("D336");
  const auto stats = driver_stats({{.type_id = 54003, .key = "b", .value = 5},
                                   {.type_id = 54001, .key = "a", .value = 7},
                                   {.type_id = 54024, .key = "b", .value = 2}});
  ASSERT_THAT(stats, SizeIs(2));
  EXPECT_EQ(stats[0]["instance"], "a");
  EXPECT_EQ(stats[0]["counters"]["TotalDutyCycles"], 7);
  EXPECT_EQ(stats[1]["counters"]["AttachResponses"], 5);
  EXPECT_EQ(stats[1]["counters"]["ProvisionedStreams"], 2);
}

TEST(DriverStat, takes_the_younger_of_two_counters) {
  const auto stats = driver_stats(
      {{.type_id = 54003, .key = "a", .value = 9}, {.type_id = 54003, .key = "a", .value = 1}});
  ASSERT_THAT(stats, SizeIs(1));
  EXPECT_EQ(stats[0]["counters"]["AttachResponses"], 1);
}

TEST(DriverStat, leaves_out_what_is_no_counter_of_a_driver) {
  EXPECT_THAT(driver_stats({{.type_id = 54000, .key = "a"},
                            {.type_id = 54025, .key = "a"},
                            {.type_id = -1, .key = "a"},
                            {.type_id = 54001, .key = ""},
                            {.type_id = 54001, .key = "\x1b[2J"}}),
              IsEmpty());
}

TEST(DriverStat, shows_counters_and_histograms) {
  const DriverStat stat = {{"instance", "driver-01"},
                           {"counters", {{"Keepalives", 12345}}},
                           {"histograms", {{"driver_poll_ns", {{"count", 3}, {"p99_9", 1250}}}}}};
  EXPECT_THAT(stat_text(stat), HasSubstr("12,345"));
  EXPECT_THAT(stat_text(stat), HasSubstr("driver_poll_ns"));
  EXPECT_THAT(stat_text(stat), HasSubstr("1,250"));
}

TEST(DriverStat, shows_what_has_changed_and_how_fast) {
  const DriverStat before = {
      {"instance", "a"}, {"counters", {{"Keepalives", 10}, {"Announces", 4}, {"ActiveLeases", 3}}}};
  const DriverStat now = {
      {"instance", "a"}, {"counters", {{"Keepalives", 40}, {"Announces", 4}, {"ActiveLeases", 1}}}};
  const std::string text = change_text(before, now, std::chrono::seconds(2));
  EXPECT_THAT(text, HasSubstr("15.0"));
  EXPECT_THAT(text, HasSubstr("-1.0"));
  EXPECT_THAT(text, Not(HasSubstr("Announces")));
}

}  // namespace
}  // namespace tensorpool::apps
