#include "core/driver/unknown_leases.hpp"

#include <gtest/gtest.h>

#include "support/requirement.hpp"

namespace tensorpool::core::driver {
namespace {

using std::chrono::seconds;

constexpr Nanos kStart = seconds(1000);

TEST(UnknownLeases, a_lease_id_is_told_once) {
  TP_REQ("D158");
  UnknownLeases sut;
  EXPECT_TRUE(sut.admit(5, kStart));
  EXPECT_FALSE(sut.admit(5, kStart));
  EXPECT_FALSE(sut.admit(5, kStart + seconds(100)));
  EXPECT_TRUE(sut.admit(0, kStart)) << "0 is an id like any other here";
}

TEST(UnknownLeases, the_last_1024_are_remembered) {
  TP_REQ("D158");
  UnknownLeases sut;
  Nanos now = kStart;
  for (std::uint64_t id = 1; id <= 1024; ++id, now += seconds(1)) {
    ASSERT_TRUE(sut.admit(id, now));
  }
  for (std::uint64_t id = 1; id <= 1024; ++id) {
    ASSERT_FALSE(sut.admit(id, now));
  }
  EXPECT_TRUE(sut.admit(2000, now));
  EXPECT_TRUE(sut.admit(1, now)) << "the oldest has made room";
}

TEST(UnknownLeases, one_whose_notice_came_to_nobody_is_told_again) {
  TP_REQ("D158");
  UnknownLeases sut;
  EXPECT_TRUE(sut.admit(5, kStart));
  EXPECT_TRUE(sut.admit(6, kStart));
  sut.forget(5);
  sut.forget(7);
  EXPECT_TRUE(sut.admit(5, kStart));
  EXPECT_FALSE(sut.admit(5, kStart));
  EXPECT_FALSE(sut.admit(6, kStart));
}

TEST(UnknownLeases, inventing_ids_does_not_flood_the_control_stream) {
  UnknownLeases sut;
  std::uint64_t told = 0;
  for (std::uint64_t id = 1; id <= 100'000; ++id) {
    told += sut.admit(id, kStart) ? 1 : 0;
  }
  EXPECT_EQ(told, UnknownLeases::kPerSecond);
  EXPECT_TRUE(sut.admit(99'999, kStart + seconds(1))) << "who was not told is told later";
}

}  // namespace
}  // namespace tensorpool::core::driver
