#include "apps/geometry.hpp"

#include <gtest/gtest.h>

#include "support/requirement.hpp"

namespace tensorpool::apps {
namespace {

TEST(Geometry, holds_the_slack_that_was_asked_for) {
  TP_REQ("W276");
  const auto sut = choose_geometry(
      {.frame_bytes = 5000, .rate_hz = 1000, .slack = std::chrono::milliseconds(100)});
  ASSERT_TRUE(sut);
  EXPECT_GE(sut->options.nslots, 200U);  // rate x latency x a safety factor of 2
  ASSERT_EQ(sut->options.pools.size(), 1U);
  EXPECT_EQ(sut->options.pools[0].stride_bytes, 8192U);
  EXPECT_NE(sut->why.find("100 ms"), std::string::npos);
}

TEST(Geometry, takes_the_slots_that_were_asked_for) {
  const auto sut = choose_geometry({.frame_bytes = 5000, .rate_hz = 1e6, .slots = 8});
  ASSERT_TRUE(sut);
  EXPECT_EQ(sut->options.nslots, 8U);
}

TEST(Geometry, has_no_fewer_slots_than_are_needed) {
  const auto sut = choose_geometry({.frame_bytes = 5000, .rate_hz = 10, .slots_min = 64});
  ASSERT_TRUE(sut);
  EXPECT_EQ(sut->options.nslots, 64U);
  EXPECT_EQ(choose_geometry({.frame_bytes = 5000, .slots = 8, .slots_min = 64})->options.nslots,
            8U);
}

TEST(Geometry, has_room_for_a_whole_stream_that_is_small) {
  const auto small = choose_geometry({.frame_bytes = 5000, .rate_hz = 10, .frames = 300});
  ASSERT_TRUE(small);
  EXPECT_EQ(small->options.nslots, 512U);
  const auto large = choose_geometry({.frame_bytes = 5000, .rate_hz = 10, .frames = 1'000'000});
  ASSERT_TRUE(large);
  EXPECT_LT(large->options.nslots, 512U);
}

TEST(Geometry, refuses_what_would_fill_the_memory) {
  const auto sut = choose_geometry({.frame_bytes = 1UL << 30U, .slots = 1U << 20U});
  ASSERT_FALSE(sut);
  EXPECT_EQ(sut.error().code, Errc::kNoSpace);
  EXPECT_GT(sut.error().value, sut.error().limit);
}

}  // namespace
}  // namespace tensorpool::apps
