#include "core/driver/stream_table.hpp"

#include <gtest/gtest.h>

#include <vector>

#include "support/requirement.hpp"

namespace tensorpool::core::driver {
namespace {

using std::chrono::seconds;

constexpr Nanos kNow = seconds(1000);

[[nodiscard]] Settings settings(std::vector<IdRange> ranges) {
  Settings all;
  all.stream_ids = std::move(ranges);
  all.profiles = {{.name = "small", .header_nslots = 8, .pools = {{.pool_id = 1}}},
                  {.name = "large", .header_nslots = 64, .pools = {{.pool_id = 2}}}};
  all.streams = {{.name = "cam", .stream_id = 10000, .profile = "large"}};
  return all;
}

/// Allocates, and takes what it gets into use, as somebody's stream.
std::uint32_t take(StreamTable& sut) {
  Stream& stream = sut.allocate().stream;
  stream.claimed = true;
  sut.set_used(stream, true);
  return stream.id;
}

TEST(StreamTable, configured_streams_exist_from_the_start) {
  StreamTable sut(settings({}));
  const Stream* const stream = sut.find(10000);
  ASSERT_NE(stream, nullptr);
  EXPECT_EQ(stream->name, "cam");
  EXPECT_EQ(stream->profile->name, "large");
  EXPECT_FALSE(stream->dynamic);
  EXPECT_EQ(sut.find(10001), nullptr);
}

TEST(StreamTable, dynamic_streams_have_the_default_profile) {
  TP_REQ("D243");
  Settings given = settings({{20, 29}});
  EXPECT_EQ(StreamTable(given).create(20).profile->name, "small") << "the first one";
  given.policies.default_profile = "large";
  EXPECT_EQ(StreamTable(given).create(20).profile->name, "large");
  given.policies.default_profile = "none such";
  EXPECT_EQ(StreamTable(given).default_profile(), std::nullopt);
}

TEST(StreamTable, ids_are_allocated_round_robin_through_the_ranges) {
  TP_REQ("D242");
  StreamTable sut(settings({{20, 22}, {7, 8}}));
  Stream& explicit_one = sut.create(21);
  explicit_one.claimed = true;
  sut.set_used(explicit_one, true);
  std::vector<std::uint32_t> ids;
  while (sut.id_left()) {
    ids.push_back(take(sut));
  }
  EXPECT_EQ(ids, (std::vector<std::uint32_t>{20, 22, 7, 8}));
  EXPECT_EQ(sut.dynamic_count(), 5U);
}

TEST(StreamTable, an_id_that_came_to_nothing_is_passed_over_until_its_turn) {
  TP_REQ("D242");
  StreamTable sut(settings({{20, 22}}));
  Stream& failed = sut.allocate().stream;
  ASSERT_EQ(failed.id, 20U);
  sut.remove(failed, kNow);
  EXPECT_EQ(sut.find(20), nullptr);
  EXPECT_EQ(take(sut), 21U);
  EXPECT_EQ(take(sut), 22U);
  EXPECT_EQ(take(sut), 20U);
}

TEST(StreamTable, a_stream_that_nobody_ever_got_is_given_to_the_next) {
  StreamTable sut(settings({{20, 29}}));
  Stream& waiting = sut.allocate().stream;
  sut.set_used(waiting, true);
  EXPECT_EQ(sut.allocate().stream.id, 21U) << "somebody waits for 20";
  sut.set_used(waiting, false);
  EXPECT_EQ(sut.allocate().stream.id, 20U);
}

TEST(StreamTable, when_none_is_left_the_longest_idle_stream_is_reclaimed) {
  TP_REQ("D244", "D245");
  StreamTable sut(settings({{20, 22}}));
  const std::uint32_t a = take(sut);
  const std::uint32_t b = take(sut);
  const std::uint32_t c = take(sut);
  EXPECT_FALSE(sut.id_left());
  sut.set_used(*sut.find(b), false);
  sut.set_used(*sut.find(a), false);
  sut.set_used(*sut.find(c), false);
  sut.set_used(*sut.find(b), true);
  sut.set_used(*sut.find(b), false);
  ASSERT_TRUE(sut.id_left());
  const auto first = sut.allocate();
  EXPECT_EQ(first.stream.id, a);
  EXPECT_TRUE(first.reclaimed);
  sut.set_used(first.stream, true);
  EXPECT_EQ(sut.allocate().stream.id, c);
  EXPECT_EQ(sut.dynamic_count(), 3U) << "kept until then";
}

TEST(StreamTable, configured_streams_are_never_reclaimed) {
  StreamTable sut(settings({{10000, 10001}}));
  EXPECT_EQ(take(sut), 10001U);
  sut.set_used(*sut.find(10000), false);
  EXPECT_FALSE(sut.id_left());
}

TEST(StreamTable, a_removed_stream_leaves_only_an_epoch_that_lies_ahead) {
  TP_REQ("D178");
  StreamTable sut(settings({{20, 29}}));
  const auto remembered = [&](std::uint64_t epoch) {
    Stream& stream = sut.create(25);
    stream.known_epoch = epoch;
    sut.remove(stream, kNow);
    Stream& again = sut.create(25);
    const std::uint64_t known = again.known_epoch;
    again.known_epoch = 0;
    sut.remove(again, kNow);
    return known;
  };
  const auto now = static_cast<std::uint64_t>(kNow.count());
  EXPECT_EQ(remembered(now - 1), 0U);
  EXPECT_EQ(remembered(now), now);
  EXPECT_EQ(remembered(now + 5), now + 5);
}

TEST(StreamTable, the_last_id_of_all_ends_a_range_as_any_other) {
  StreamTable sut(settings({{0xFFFF'FFFD, 0xFFFF'FFFE}}));
  EXPECT_EQ(take(sut), 0xFFFF'FFFDU);
  EXPECT_EQ(take(sut), 0xFFFF'FFFEU);
  EXPECT_FALSE(sut.id_left());
  EXPECT_TRUE(sut.in_range(0xFFFF'FFFE));
  EXPECT_FALSE(sut.in_range(0xFFFF'FFFF));
}

}  // namespace
}  // namespace tensorpool::core::driver
