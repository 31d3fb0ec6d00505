#include "core/driver/passes.hpp"

#include <gtest/gtest.h>

#include <chrono>

namespace tensorpool::core::driver {
namespace {

using namespace std::chrono_literals;
using layout::Role;

constexpr Passes::Pass kPass{.client_id = 7, .stream_id = 10000, .role = Role::kProducer};

TEST(Passes, hold_for_their_client_stream_and_role_alone) {
  Passes sut;
  ASSERT_TRUE(sut.issue(kPass, 1s));
  EXPECT_TRUE(sut.holds(kPass, 1s));
  EXPECT_FALSE(sut.holds({.client_id = 8, .stream_id = 10000, .role = Role::kProducer}, 1s));
  EXPECT_FALSE(sut.holds({.client_id = 7, .stream_id = 10001, .role = Role::kProducer}, 1s));
  EXPECT_FALSE(sut.holds({.client_id = 7, .stream_id = 10000, .role = Role::kConsumer}, 1s));
}

TEST(Passes, end_with_their_use_and_with_their_time) {
  Passes sut;
  ASSERT_TRUE(sut.issue(kPass, 1s));
  EXPECT_TRUE(sut.holds(kPass, 1s + Passes::kLifetime - 1ns));
  EXPECT_FALSE(sut.holds(kPass, 1s + Passes::kLifetime));
  ASSERT_TRUE(sut.issue(kPass, 60s)) << "it can be renewed";
  sut.use(kPass);
  EXPECT_FALSE(sut.holds(kPass, 60s));
}

TEST(Passes, are_bounded_and_those_that_ran_out_make_room) {
  Passes sut;
  for (std::uint32_t client = 1; client <= Passes::kMax; ++client) {
    ASSERT_TRUE(sut.issue({.client_id = client, .stream_id = 1}, 1s));
  }
  EXPECT_FALSE(sut.issue(kPass, 1s));
  EXPECT_TRUE(sut.issue({.client_id = 1, .stream_id = 1}, 2s)) << "one that is there already";
  EXPECT_TRUE(sut.issue(kPass, 1s + Passes::kLifetime));
}

}  // namespace
}  // namespace tensorpool::core::driver
