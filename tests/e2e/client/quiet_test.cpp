// What the data path does not do: allocate, call the system, fault. Design §4, budget.
#include "driver_fixture.hpp"
#include "quiet_peer.hpp"
#include "support/requirement.hpp"

namespace tensorpool::test {
namespace {

class DataPath : public DriverTest, public ::testing::WithParamInterface<const char*> {};
INSTANTIATE_TEST_SUITE_P(All, DataPath, ::testing::Values("standalone", "driver", "watched"));

TEST_P(DataPath, allocates_nothing_calls_nothing_and_faults_no_page_after_the_first_lap) {
  TP_REQ("W275", "D342", "W343");
  const Driver host = start_driver();  // and the media driver
  ChildProcess peer(TP_QUIET_PEER, {options().aeron_dir, scratch_.path(), GetParam()});
  const auto report = peer.read<QuietReport>();
  EXPECT_EQ(peer.finish(), 0);
  EXPECT_GE(report.published, kQuietFrames);
  EXPECT_GE(report.by_ring, kQuietFrames / 2);
  EXPECT_GE(report.by_next, kQuietFrames / 2);
  EXPECT_GE(report.by_latest, kQuietFrames / 2);
  EXPECT_GE(report.by_descriptor, kQuietFrames / 10);  // a busy machine blocks the log, at times
  const bool watched = GetParam() == std::string_view("watched");
  EXPECT_EQ(report.told != 0, watched);
  EXPECT_GE(report.by_progress, watched ? kQuietFrames / 10 : 0);

  EXPECT_EQ(report.system_calls, 0U) << "the last was number " << report.last_system_call;
  EXPECT_EQ(report.allocations, 0U);
  EXPECT_EQ(report.page_faults, 0U);

  EXPECT_EQ(report.control_system_calls, 1U);
  EXPECT_EQ(report.control_allocations, report.allocations_counted ? 1U : 0U);
  EXPECT_EQ(report.control_page_faults, 1U);
}

}  // namespace
}  // namespace tensorpool::test
