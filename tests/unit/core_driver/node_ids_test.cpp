#include "core/driver/node_ids.hpp"

#include <gtest/gtest.h>

#include <set>

#include "support/requirement.hpp"

namespace tensorpool::core::driver {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr Nanos kStart = seconds(1000);
constexpr Nanos kCooldown = seconds(1);

TEST(NodeIds, null_and_zero_are_no_preference) {
  TP_REQ("D94");
  EXPECT_EQ(NodeIds::preference(std::nullopt), std::nullopt);
  EXPECT_EQ(NodeIds::preference(0), std::nullopt);
  EXPECT_EQ(NodeIds::preference(0xFFFF'FFFF), std::nullopt);
  EXPECT_EQ(NodeIds::preference(0xFFFF'FFFE), 0xFFFF'FFFEU);
}

TEST(NodeIds, requested_ids_are_given_also_above_1023) {
  TP_REQ("D96");
  NodeIds sut(kCooldown);
  for (const std::uint32_t id : {1U, 1023U, 1024U, 0xFFFF'FFFEU}) {
    ASSERT_TRUE(sut.available(id, 7, kStart));
    sut.reserve(id);
    EXPECT_EQ(sut.assign(id, 7, kStart), id);
    EXPECT_TRUE(sut.held(id));
  }
}

TEST(NodeIds, held_and_reserved_ids_are_not_available) {
  TP_REQ("D97", "D101");
  NodeIds sut(kCooldown);
  for (const std::uint32_t id : {5U, 5000U}) {
    sut.reserve(id);
    EXPECT_FALSE(sut.available(id, 7, kStart)) << "not even for the client it is reserved for";
    ASSERT_EQ(sut.assign(id, 7, kStart), id);
    EXPECT_FALSE(sut.available(id, 7, kStart));
    EXPECT_FALSE(sut.available(id, 8, kStart));
  }
}

TEST(NodeIds, released_ids_rest_except_for_their_former_holder) {
  TP_REQ("D97");
  NodeIds sut(kCooldown);
  for (const std::uint32_t id : {5U, 5000U}) {
    sut.reserve(id);
    ASSERT_EQ(sut.assign(id, 7, kStart), id);
    sut.release(id, kStart);
    EXPECT_TRUE(sut.available(id, 7, kStart));
    EXPECT_FALSE(sut.available(id, 8, kStart + kCooldown - Nanos{1}));
    EXPECT_TRUE(sut.available(id, 8, kStart + kCooldown));
  }
}

TEST(NodeIds, a_reservation_that_comes_to_nothing_leaves_no_trace) {
  TP_REQ("D42");
  NodeIds sut(kCooldown);
  sut.reserve(5000);
  sut.unreserve(5000);
  EXPECT_EQ(sut.remembered_above_assigned(), 0U);
  EXPECT_TRUE(sut.available(5000, 8, kStart));
  sut.reserve(6);
  ASSERT_EQ(sut.assign(6, 7, kStart), 6U);
  sut.release(6, kStart);
  sut.reserve(6);
  sut.unreserve(6);
  EXPECT_FALSE(sut.available(6, 8, kStart)) << "it still rests";
  EXPECT_TRUE(sut.available(6, 7, kStart)) << "and still knows its former holder";
}

TEST(NodeIds, without_preference_the_own_last_id_comes_first) {
  TP_REQ("D98");
  NodeIds sut(kCooldown);
  ASSERT_EQ(sut.assign({}, 7, kStart), 1U);
  ASSERT_EQ(sut.assign({}, 8, kStart), 2U);
  sut.release(2, kStart);
  sut.release(1, kStart + milliseconds(1));
  EXPECT_EQ(sut.assign({}, 9, kStart + seconds(5)), 3U) << "never assigned comes before rested";
  EXPECT_EQ(sut.assign({}, 8, kStart + milliseconds(2)), 2U);
  sut.reserve(4);
  ASSERT_EQ(sut.assign(4, 7, kStart + seconds(1)), 4U);
  sut.release(4, kStart + seconds(2));
  EXPECT_EQ(sut.assign({}, 7, kStart + seconds(2)), 4U) << "the one it held last";
}

TEST(NodeIds, when_all_were_assigned_the_one_that_rested_longest_is_next) {
  TP_REQ("D98", "D99");
  NodeIds sut(kCooldown);
  for (std::uint32_t client = 1; client <= NodeIds::kAssignedMax; ++client) {
    ASSERT_EQ(sut.assign({}, client, kStart), client);
  }
  EXPECT_EQ(sut.assign({}, 2000, kStart), std::nullopt);
  sut.release(700, kStart);
  sut.release(3, kStart + milliseconds(1));
  EXPECT_EQ(sut.assign({}, 2000, kStart + milliseconds(999)), std::nullopt) << "both still rest";
  EXPECT_EQ(sut.assign({}, 2000, kStart + seconds(3)), 700U);
  EXPECT_EQ(sut.assign({}, 2001, kStart + seconds(3)), 3U);
}

TEST(NodeIds, ids_above_1023_are_forgotten_after_their_cooldown) {
  TP_REQ("D102");
  NodeIds sut(kCooldown);
  for (std::uint32_t id = 2000; id < 3000; ++id) {
    sut.reserve(id);
    ASSERT_EQ(sut.assign(id, 7, kStart), id);
    sut.release(id, kStart);
  }
  EXPECT_EQ(sut.remembered_above_assigned(), 1000U);
  EXPECT_TRUE(sut.available(1, 8, kStart + kCooldown));
  EXPECT_EQ(sut.remembered_above_assigned(), 0U);
}

TEST(NodeIds, hostile_requests_do_not_grow_the_memory_even_under_a_long_cooldown) {
  TP_REQ("D102");
  NodeIds sut(std::chrono::hours(1000));
  std::uint32_t id = 2000;
  for (; sut.available(id, 7, kStart); ++id) {
    sut.reserve(id);
    ASSERT_EQ(sut.assign(id, 7, kStart), id);
    sut.release(id, kStart);
  }
  EXPECT_EQ(sut.remembered_above_assigned(), NodeIds::kRestingMax);
  EXPECT_TRUE(sut.available(1, 7, kStart)) << "ids up to 1023 are not affected";
  EXPECT_TRUE(sut.available(2000, 7, kStart)) << "nor those whose former holder asks";
}

TEST(NodeIds, an_id_reserved_through_the_end_of_its_rest_stays_reserved) {
  NodeIds sut(kCooldown);
  sut.reserve(2000);
  ASSERT_EQ(sut.assign(2000, 7, kStart), 2000U);
  sut.release(2000, kStart);
  sut.reserve(2000);
  EXPECT_FALSE(sut.available(2000, 8, kStart + seconds(5)));
  EXPECT_EQ(sut.assign(2000, 7, kStart + seconds(5)), 2000U);
  EXPECT_TRUE(sut.held(2000));
}

}  // namespace
}  // namespace tensorpool::core::driver
