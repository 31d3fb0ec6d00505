#include "core/region/plan.hpp"

#include <gtest/gtest.h>

#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "support/requirement.hpp"

namespace tensorpool::core::region {
namespace {

constexpr std::string_view kRingUri = "shm:file?path=/dev/shm/x/header.ring";
constexpr std::string_view kPoolUri = "shm:file?path=/dev/shm/x/1.pool|require_hugepages=true";

/// An announce with its pools, good until a test changes it.
struct Announce {
  std::vector<layout::PayloadPool> pools = {
      {.pool_id = 1, .pool_nslots = 8, .stride_bytes = 64, .region_uri = kPoolUri},
      {.pool_id = 0, .pool_nslots = 8, .stride_bytes = 192, .region_uri = kPoolUri}};
  layout::ShmPoolAnnounce message = [] {
    layout::ShmPoolAnnounce announce;
    announce.stream_id = 10000;
    announce.epoch = 7;
    announce.header_nslots = 8;
    announce.header_region_uri = kRingUri;
    return announce;
  }();

  [[nodiscard]] Result<MappingPlan> plan() {
    message.payload_pools = {pools.data(), pools.size()};
    return make_mapping_plan(geometry_of(message));
  }
};

TEST(MappingPlan, takes_over_ring_and_pools_in_the_announced_order) {
  TP_REQ("W37", "W39", "W44", "W232");
  const auto plan = Announce{}.plan();
  ASSERT_TRUE(plan.has_value()) << describe(plan.error());
  EXPECT_EQ(plan->stream_id(), 10000U);
  EXPECT_EQ(plan->epoch(), 7U);
  EXPECT_EQ(plan->nslots(), 8U);
  EXPECT_EQ(plan->header_ring.uri, kRingUri);
  EXPECT_EQ(plan->header_ring.expected.bytes(), 64U + 8 * 256);
  ASSERT_EQ(plan->pools.size(), 2U);
  EXPECT_EQ(plan->pools[0].uri, kPoolUri);
  EXPECT_EQ(plan->pools[0].expected.pool_id, 1);
  EXPECT_EQ(plan->pools[1].expected.pool_id, 0);
  EXPECT_EQ(plan->pools[1].expected.stride_bytes, 192U);
  EXPECT_EQ(plan->pools[1].expected.type, layout::RegionType::kPayloadPool);
}

struct Row {
  const char* requirement;
  std::function<void(Announce&)> change;
  Errc code;
  Field field;
};

TEST(MappingPlan, refuses_every_impossible_announce_by_name) {
  TP_REQ("W223", "W224", "W225", "W226", "W227", "W228", "W229", "W40", "W91", "W92", "W136");
  const std::string long_uri = "shm:file?path=/" + std::string(5000, 'a');
  constexpr auto kInvalid = Errc::kAnnounceInvalid;
  const Row table[] = {
      {"W223", [](auto& a) { a.message.layout_version = 2; }, Errc::kLayoutUnsupported,
       Field::kLayoutVersion},
      {"W223", [](auto& a) { a.message.layout_version = 0; }, Errc::kLayoutUnsupported,
       Field::kLayoutVersion},
      {"W224", [](auto& a) { a.message.header_slot_bytes = 128; }, kInvalid,
       Field::kHeaderSlotBytes},
      {"W225", [](auto& a) { a.message.header_nslots = 0; }, kInvalid, Field::kHeaderNslots},
      {"W225", [](auto& a) { a.message.header_nslots = 6; }, kInvalid, Field::kHeaderNslots},
      {"W225", [](auto& a) { a.message.header_nslots = 0xFFFF'FFFF; }, kInvalid,
       Field::kHeaderNslots},
      {"W226", [](auto& a) { a.pools.clear(); }, kInvalid, Field::kPayloadPools},
      {"W226", [](auto& a) { a.pools.resize(257, a.pools.front()); }, kInvalid,
       Field::kPayloadPools},
      {"W227", [](auto& a) { a.pools[1].pool_nslots = 4; }, kInvalid, Field::kPoolNslots},
      {"W228", [](auto& a) { a.pools[1].pool_id = 1; }, kInvalid, Field::kPoolId},
      {"W228", [](auto& a) { a.pools[0].pool_id = 65535; }, kInvalid, Field::kPoolId},
      {"W229", [](auto& a) { a.message.header_region_uri = {}; }, kInvalid, Field::kRegionUri},
      {"W229", [](auto& a) { a.pools[1].region_uri = {}; }, kInvalid, Field::kRegionUri},
      {"W40", [](auto& a) { a.pools[1].stride_bytes = 0; }, Errc::kStrideInvalid,
       Field::kStrideBytes},
      {"W40", [](auto& a) { a.pools[1].stride_bytes = 100; }, Errc::kStrideInvalid,
       Field::kStrideBytes},
      {"W91", [](auto& a) { a.pools[0].region_uri = "shm:file?path=/a b"; }, Errc::kUriInvalid,
       Field::kRegionUri},
      {"W91", [](auto& a) { a.message.header_region_uri = "shm:mem?path=/a"; },
       Errc::kUriUnsupportedScheme, Field::kRegionUri},
      {"W92", [&](auto& a) { a.pools[0].region_uri = long_uri; }, Errc::kUriInvalid,
       Field::kRegionUri},
      {"W136",
       [](auto& a) {
         a.message.header_nslots = 0x8000'0000;
         for (auto& pool : a.pools) {
           pool.pool_nslots = 0x8000'0000;
           pool.stride_bytes = 0x8000'0000;
         }
       },
       Errc::kRegionTooLarge, Field::kNone},
  };
  for (const Row& row : table) {
    Announce announce;
    row.change(announce);
    const auto plan = announce.plan();
    ASSERT_FALSE(plan.has_value()) << row.requirement << " " << to_string(row.field);
    EXPECT_EQ(plan.error().code, row.code) << row.requirement << " " << describe(plan.error());
    EXPECT_EQ(plan.error().field, row.field) << row.requirement;
    EXPECT_EQ(plan.error().stream_id, 10000U) << row.requirement;
    EXPECT_EQ(plan.error().epoch, 7U) << row.requirement;
  }
}

TEST(MappingPlan, announces_what_it_was_made_from) {
  TP_REQ("W206");
  Announce announce;
  const auto plan = announce.plan();
  ASSERT_TRUE(plan.has_value());
  EXPECT_EQ(announced_pools(*plan), announce.pools);
}

TEST(MappingPlan, the_first_rule_that_fails_decides) {
  TP_REQ("W223", "W224");
  Announce announce;
  announce.message.layout_version = 9;
  announce.message.header_slot_bytes = 1;
  announce.pools.clear();
  EXPECT_EQ(announce.plan().error().code, Errc::kLayoutUnsupported);
  announce.message.layout_version = 1;
  EXPECT_EQ(announce.plan().error().field, Field::kHeaderSlotBytes);
  announce.message.header_slot_bytes = 256;
  EXPECT_EQ(announce.plan().error().field, Field::kPayloadPools);
}

TEST(StreamGeometry, defaults_are_those_of_the_specification) {
  TP_REQ("W438");
  StreamGeometry geometry;
  geometry.stream_id = 1;
  ASSERT_TRUE(check_geometry(geometry).has_value());
  const auto regions = regions_of(geometry, 5);
  ASSERT_EQ(regions.size(), 2U);
  EXPECT_EQ(regions[0].nslots, 1024U);
  EXPECT_EQ(regions[1].pool_id, 1);
  EXPECT_EQ(regions[1].stride_bytes, 1048576U);
  EXPECT_EQ(regions[1].epoch, 5U);
}

struct GeometryRow {
  const char* requirement;
  StreamGeometry geometry;
  Errc code;
  Field field;
};

TEST(StreamGeometry, refuses_what_an_owner_must_not_create) {
  TP_REQ("W7", "W35", "W38", "W42", "W206");
  constexpr auto kInvalid = Errc::kInvalidArgument;
  const GeometryRow table[] = {
      {"W7", {0, 4, {{1, 64}}}, kInvalid, Field::kStreamId},
      {"W7", {0xFFFF'FFFF, 4, {{1, 64}}}, kInvalid, Field::kStreamId},
      {"W35", {1, 0, {{1, 64}}}, kInvalid, Field::kNslots},
      {"W35", {1, 12, {{1, 64}}}, kInvalid, Field::kNslots},
      {"W206", {1, 4, {}}, kInvalid, Field::kPayloadPools},
      {"W206", {1, 4, std::vector<PoolGeometry>(257)}, kInvalid, Field::kPayloadPools},
      {"W42", {1, 4, {{1, 64}, {1, 128}}}, kInvalid, Field::kPoolId},
      {"W42", {1, 4, {{65535, 64}}}, kInvalid, Field::kPoolId},
      {"W38", {1, 4, {{1, 0}}}, Errc::kStrideInvalid, Field::kStrideBytes},
      {"W38", {1, 4, {{1, 32}}}, Errc::kStrideInvalid, Field::kStrideBytes},
      {"W38", {1, 4, {{1, 192}}}, Errc::kStrideInvalid, Field::kStrideBytes},
  };
  for (const GeometryRow& row : table) {
    const Status judged = check_geometry(row.geometry);
    ASSERT_FALSE(judged.has_value()) << row.requirement;
    EXPECT_EQ(judged.error().code, row.code) << row.requirement;
    EXPECT_EQ(judged.error().field, row.field) << row.requirement;
  }
}

}  // namespace
}  // namespace tensorpool::core::region
