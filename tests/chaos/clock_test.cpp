// The wall clock steps by an hour, for everybody at once.
#include <gtest/gtest.h>

#include "chaos/fleet.hpp"
#include "support/requirement.hpp"

namespace tensorpool::chaos {
namespace {

constexpr std::int64_t kHour = 3600;

TEST(WallClock, steps_both_ways_and_nobody_loses_a_lease) {
  TP_REQ("D343");
  Fleet fleet(Pace::kQuick);
  fleet.shift_wall_clocks();
  fleet.start();
  ASSERT_TRUE(fleet.flows());
  const std::uint64_t epoch = fleet.observer().epoch();
  for (const std::int64_t ahead : {kHour, -kHour, std::int64_t{0}}) {
    fleet.set_wall_clocks(ahead);
    ASSERT_TRUE(fleet.flows()) << ahead;
  }
  EXPECT_EQ(fleet.observer().epoch(), epoch);
  const Observer::Findings findings = fleet.observer().finish();
  EXPECT_EQ(findings.torn, 0U);
  EXPECT_EQ(findings.backwards, 0U);
  EXPECT_EQ(findings.unbalanced, 0U);
  fleet.finish();
}

}  // namespace
}  // namespace tensorpool::chaos
