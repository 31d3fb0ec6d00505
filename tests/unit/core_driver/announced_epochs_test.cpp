#include "core/driver/announced_epochs.hpp"

#include <gtest/gtest.h>

#include "support/requirement.hpp"

namespace tensorpool::core::driver {
namespace {

using std::chrono::seconds;

TEST(AnnouncedEpochs, the_newest_that_has_been_announced_for_long_enough_is_settled) {
  TP_REQ("D225");
  AnnouncedEpochs sut;
  EXPECT_EQ(sut.settled(seconds(3), seconds(100)), 0U);
  sut.announced(5, seconds(100));
  sut.announced(6, seconds(101));
  sut.announced(9, seconds(110));
  EXPECT_EQ(sut.settled(seconds(3), seconds(103) - Nanos{1}), 0U);
  EXPECT_EQ(sut.settled(seconds(3), seconds(103)), 5U);
  EXPECT_EQ(sut.settled(seconds(3), seconds(112)), 6U);
  EXPECT_EQ(sut.settled(seconds(3), seconds(113)), 9U);
}

}  // namespace
}  // namespace tensorpool::core::driver
