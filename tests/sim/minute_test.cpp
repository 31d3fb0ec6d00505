// A minute of simulation, a third of it in each world, by the program that a person would run to
// replay what it finds.
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <cstdlib>

#include "support/requirement.hpp"

namespace {

TEST(Simulator, finds_nothing_in_a_minute_and_reaches_every_marked_path) {
  TP_REQ(
      // never a mixed frame: writer and reader protocol, the check after use
      "W154", "W156", "W157", "W164", "W165", "W167", "W173",
      // claims
      "W180", "W181", "W182", "W184", "W185",
      // announces, and the mapping state machine
      "W213", "W214", "W215", "W216", "W217", "W218", "W220", "W221", "W222", "W235", "W237",
      "W238", "W245", "W247", "W251", "W253",
      // receiving, and the accounting identity
      "W254", "W255", "W256", "W257", "W258", "W259", "W260", "W261", "W262", "W263", "W264",
      "W265", "W266", "W274", "W278", "W279", "W280",
      // leases, epochs and node ids under a driver, over its deaths
      "D35", "D101", "D131", "D139", "D142", "D145", "D150", "D151", "D152", "D175", "D178", "D182",
      "D183", "D186", "D191", "D225", "D275", "D313", "D314",
      // consumers and how they are served, metadata, progress
      "W297", "W306", "W311", "W317", "W319", "W336", "W338", "W376", "W385", "W388", "W389",
      "W359", "W364");
  const int status = std::system(TP_SIM " --seconds 60 --seeds 1000 --demand-marks");
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 0) << "the command that replays it is in the output above";
}

}  // namespace
