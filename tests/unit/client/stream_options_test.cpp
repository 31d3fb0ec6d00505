// Geometry for frames of a size, at a rate.
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>

#include "support/requirement.hpp"
#include "tensorpool/producer.hpp"

namespace tensorpool {
namespace {

constexpr auto kSlack = std::chrono::milliseconds(100);

TEST(StreamOptions, for_frames_keep_the_slack_with_a_safety_factor_of_two_to_four) {
  TP_REQ("W276");
  for (double rate_hz = 40; rate_hz <= 5000; rate_hz *= 1.07) {
    const auto options = StreamOptions::for_frames(64, rate_hz, kSlack);
    ASSERT_TRUE(options.has_value()) << describe(options.error());
    const double frames = rate_hz * 0.1;
    EXPECT_TRUE(std::has_single_bit(options->nslots)) << rate_hz;
    EXPECT_GE(options->nslots, std::ceil(2 * frames)) << rate_hz;
    EXPECT_LT(options->nslots, std::max(8.0, 4 * frames + 1)) << rate_hz;
  }
}

TEST(StreamOptions, for_frames_stay_between_8_and_1024_slots) {
  EXPECT_EQ(StreamOptions::for_frames(64, 0.001, kSlack)->nslots, 8U);
  EXPECT_EQ(StreamOptions::for_frames(64, 1e9, kSlack)->nslots, 1024U);
}

TEST(StreamOptions, for_frames_take_the_next_power_of_two_as_stride) {
  for (const auto& [bytes, stride] :
       {std::pair{1U, 64U}, std::pair{64U, 64U}, std::pair{65U, 128U}, std::pair{4096U, 4096U},
        std::pair{4097U, 8192U}, std::pair{655360U, 1048576U}}) {
    const auto options = StreamOptions::for_frames(bytes, 10, kSlack);
    ASSERT_TRUE(options.has_value()) << describe(options.error());
    ASSERT_EQ(options->pools.size(), 1U);
    EXPECT_EQ(options->pools[0].stride_bytes, stride) << bytes;
    EXPECT_EQ(options->pools[0].pool_id, 1U);
  }
}

TEST(StreamOptions, for_frames_refuse_what_makes_no_sense_or_does_not_fit) {
  EXPECT_EQ(StreamOptions::for_frames(0, 10).error().code, Errc::kInvalidArgument);
  EXPECT_EQ(StreamOptions::for_frames((1ULL << 31U) + 1, 10).error().code, Errc::kInvalidArgument);
  for (const double rate : {0.0, -1.0, std::numeric_limits<double>::quiet_NaN()}) {
    EXPECT_EQ(StreamOptions::for_frames(64, rate).error().code, Errc::kInvalidArgument);
  }
  EXPECT_EQ(StreamOptions::for_frames(64, 10, Nanos{0}).error().code, Errc::kInvalidArgument);
  const auto too_much = StreamOptions::for_frames(1ULL << 31U, 1e6);
  ASSERT_FALSE(too_much.has_value());  // 2 TiB
  EXPECT_EQ(too_much.error().code, Errc::kNoSpace);
  EXPECT_GT(too_much.error().value, too_much.error().limit);
}

}  // namespace
}  // namespace tensorpool
