#include "core/region/superblock.hpp"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <functional>
#include <string>
#include <vector>

#include "support/golden.hpp"
#include "support/requirement.hpp"

namespace tensorpool::core::region {
namespace {

using Words = std::array<std::uint64_t, layout::kSuperblockWords>;

constexpr ExpectedRegion kRing{.stream_id = 10000,
                               .epoch = 3,
                               .type = layout::RegionType::kHeaderRing,
                               .pool_id = 0,
                               .nslots = 4,
                               .stride_bytes = 0};
constexpr ExpectedRegion kPool{.stream_id = 10000,
                               .epoch = 3,
                               .type = layout::RegionType::kPayloadPool,
                               .pool_id = 1,
                               .nslots = 4,
                               .stride_bytes = 64};

[[nodiscard]] ExpectedRegion expected_of(const nlohmann::json& announced) {
  const bool ring = announced.at("regionType") == "HEADER_RING";
  return {.stream_id = announced.at("streamId"),
          .epoch = announced.at("epoch"),
          .type = ring ? layout::RegionType::kHeaderRing : layout::RegionType::kPayloadPool,
          .pool_id = announced.at("poolId"),
          .nslots = announced.at("nslots"),
          .stride_bytes = announced.at("strideBytes")};
}

TEST(Superblock, golden_lines_are_judged_and_made_byte_for_byte) {
  TP_REQ("W10", "W12", "W18", "W20", "W22", "W231");
  int seen = 0;
  for (const auto& line : test::golden_lines("shm.jsonl")) {
    if (line.at("kind") != "superblock") {
      continue;
    }
    ++seen;
    const ExpectedRegion expected = expected_of(line.at("announced"));
    const auto bytes = test::bytes_of_hex(line.at("hex"));
    ASSERT_EQ(bytes.size(), layout::kSuperblockBytes);
    Words words{};
    std::memcpy(words.data(), bytes.data(), bytes.size());
    const auto found = load_superblock<base::FenceAtom>(Words(words));
    const Status judged = check_superblock(found, expected);
    ASSERT_EQ(judged.has_value(), line.at("accept").get<bool>()) << line.at("case");
    if (!judged) {
      EXPECT_EQ(to_string(judged.error().code), line.at("error").get<std::string>());
      continue;
    }
    const auto& fields = line.at("fields");
    layout::Superblock made = make_superblock(
        expected, {.pid = fields.at("pid"), .now_ns = fields.at("startTimestampNs")});
    made.activity_timestamp_ns = fields.at("activityTimestampNs").get<std::uint64_t>();
    Words stored{};
    store_superblock<base::FenceAtom>(stored, made);
    EXPECT_EQ(stored, words) << line.at("case");
  }
  EXPECT_GE(seen, 4);
}

struct Deviation {
  const char* requirement;
  ExpectedRegion expected;
  std::function<void(layout::Superblock&)> change;
  Field field;
  Errc code = Errc::kSuperblockMismatch;
};

TEST(Superblock, every_field_that_differs_is_refused_by_name) {
  TP_REQ("W11", "W13", "W19", "W21", "W23", "W231", "W441");
  const Deviation table[] = {
      {"W11", kRing, [](auto& b) { b.magic = b.magic + 1; }, Field::kMagic},
      {"W11", kRing, [](auto& b) { b.magic = 0; }, Field::kMagic},
      {"W13", kRing, [](auto& b) { b.layout_version = 0U; }, Field::kLayoutVersion,
       Errc::kLayoutUnsupported},
      {"W13", kPool, [](auto& b) { b.layout_version = 2U; }, Field::kLayoutVersion,
       Errc::kLayoutUnsupported},
      {"W231", kRing, [](auto& b) { b.epoch = 4U; }, Field::kEpoch},
      {"W231", kPool, [](auto& b) { b.stream_id = 10001U; }, Field::kStreamId},
      {"W19", kRing, [](auto& b) { b.region_type = std::int16_t{2}; }, Field::kRegionType},
      {"W19", kPool, [](auto& b) { b.region_type = std::int16_t{1}; }, Field::kRegionType},
      {"W19", kPool, [](auto& b) { b.region_type = std::int16_t{0}; }, Field::kRegionType},
      {"W19", kPool, [](auto& b) { b.region_type = std::int16_t{-1}; }, Field::kRegionType},
      {"W231", kRing, [](auto& b) { b.pool_id = std::uint16_t{1}; }, Field::kPoolId},
      {"W231", kPool, [](auto& b) { b.nslots = 8U; }, Field::kNslots},
      {"W23", kRing, [](auto& b) { b.slot_bytes = 0U; }, Field::kSlotBytes},
      {"W23", kRing, [](auto& b) { b.slot_bytes = 0xFFFF'FFFFU; }, Field::kSlotBytes},
      {"W21", kPool, [](auto& b) { b.slot_bytes = 256U; }, Field::kSlotBytes},
      {"W231", kPool, [](auto& b) { b.stride_bytes = 128U; }, Field::kStrideBytes},
  };
  for (const Deviation& row : table) {
    layout::Superblock block = make_superblock(row.expected, {.pid = 1, .now_ns = 1});
    ASSERT_TRUE(check_superblock(block, row.expected).has_value());
    row.change(block);
    const Status judged = check_superblock(block, row.expected);
    ASSERT_FALSE(judged.has_value()) << row.requirement << " " << to_string(row.field);
    EXPECT_EQ(judged.error().code, row.code) << to_string(row.field);
    EXPECT_EQ(judged.error().field, row.field);
    EXPECT_NE(judged.error().value, judged.error().limit);
    EXPECT_EQ(judged.error().stream_id, 10000U);
    EXPECT_EQ(judged.error().epoch, 3U);
    EXPECT_NE(judged.error().region, kErrorRegionNone);
  }
}

TEST(Superblock, fields_that_do_not_matter_are_not_compared) {
  TP_REQ("W21", "W23");
  layout::Superblock ring = make_superblock(kRing, {.pid = 1, .now_ns = 1});
  ring.stride_bytes = 4711U;
  ring.pid = 2U;
  ring.start_timestamp_ns = 3U;
  ring.activity_timestamp_ns = 4U;
  EXPECT_TRUE(check_superblock(ring, kRing).has_value());
  layout::Superblock pool = make_superblock(kPool, {.pid = 1, .now_ns = 1});
  for (const std::uint32_t slot_bytes : {0U, 64U, 0xFFFF'FFFFU}) {
    pool.slot_bytes = slot_bytes;
    EXPECT_TRUE(check_superblock(pool, kPool).has_value()) << slot_bytes;
  }
}

TEST(Superblock, any_bytes_but_the_expected_ones_are_refused) {
  TP_REQ("W443");
  EXPECT_TRUE(rc::check([](std::array<std::uint64_t, 7> noise) {
    Words words{};
    store_superblock<base::FenceAtom>(words, make_superblock(kPool, {.pid = 1, .now_ns = 1}));
    const Words good = words;
    for (std::size_t i = 0; i < 5; ++i) {  // words 5..7 carry pid and times only
      words[i] ^= noise[i];
    }
    const bool same = words == good;
    RC_ASSERT(same || !check_superblock(load_superblock<base::FenceAtom>(words), kPool));
  }));
}

/// Writes down in which order words are touched and with which order each access is made.
struct RecordingAtom {
  using Word = std::uint64_t;
  struct Access {
    const Word* word;
    bool ordered;
  };
  static inline std::vector<Access> log;

  template <base::Edge>
  static Word load_relaxed(const Word& word) {
    log.push_back({&word, false});
    return word;
  }
  template <base::Edge>
  static Word load_acquire(const Word& word) {
    log.push_back({&word, true});
    return word;
  }
  template <base::Edge>
  static void store_relaxed(Word& word, Word value) {
    log.push_back({&word, false});
    word = value;
  }
  template <base::Edge>
  static void store_release(Word& word, Word value) {
    log.push_back({&word, true});
    word = value;
  }
};

TEST(Superblock, magic_is_stored_last_and_loaded_first) {
  TP_REQ("W15", "W16", "W17");
  Words words{};
  RecordingAtom::log.clear();
  store_superblock<RecordingAtom>(words, make_superblock(kRing, {.pid = 1, .now_ns = 1}));
  ASSERT_EQ(RecordingAtom::log.size(), layout::kSuperblockWords);
  EXPECT_EQ(RecordingAtom::log.back().word, &words[layout::kSuperblockMagicWord]);
  EXPECT_TRUE(RecordingAtom::log.back().ordered);

  RecordingAtom::log.clear();
  static_cast<void>(load_superblock<RecordingAtom>(ConstSuperblockWords<RecordingAtom>(words)));
  ASSERT_EQ(RecordingAtom::log.size(), layout::kSuperblockWords);
  EXPECT_EQ(RecordingAtom::log.front().word, &words[layout::kSuperblockMagicWord]);
  EXPECT_TRUE(RecordingAtom::log.front().ordered);
}

TEST(Superblock, activity_is_one_ordered_word_and_changes_nothing_else) {
  TP_REQ("W14", "W15");
  Words words{};
  store_superblock<base::FenceAtom>(words, make_superblock(kRing, {.pid = 1, .now_ns = 1}));
  const Words before = words;
  RecordingAtom::log.clear();
  store_activity<RecordingAtom>(words, 99);
  ASSERT_EQ(RecordingAtom::log.size(), 1U);
  EXPECT_TRUE(RecordingAtom::log.front().ordered);
  EXPECT_EQ(RecordingAtom::log.front().word, &words[layout::kSuperblockActivityWord]);
  EXPECT_EQ(load_activity<RecordingAtom>(ConstSuperblockWords<RecordingAtom>(words)), 99U);
  words[layout::kSuperblockActivityWord] = before[layout::kSuperblockActivityWord];
  EXPECT_EQ(words, before);
}

TEST(ExpectedRegion, sizes_are_computed_in_64_bits) {
  TP_REQ("W4", "W5", "W6");
  ExpectedRegion region = kPool;
  region.nslots = 0x8000'0000U;
  region.stride_bytes = 0x8000'0000U;
  EXPECT_EQ(region.bytes(), 64U + (1ULL << 62U));
  region = kRing;
  region.nslots = 0x8000'0000U;
  EXPECT_EQ(region.bytes(), 64U + (256ULL << 31U));
}

TEST(ExpectedRegion, impossible_shapes_are_refused) {
  TP_REQ("W35", "W39", "W40", "W136");
  for (const std::uint32_t nslots : {0U, 3U, 0xFFFF'FFFFU}) {
    ExpectedRegion region = kPool;
    region.nslots = nslots;
    const Status judged = check_shape(region);
    ASSERT_FALSE(judged.has_value()) << nslots;
    EXPECT_EQ(judged.error().code, Errc::kAnnounceInvalid);
  }
  for (const std::uint32_t stride : {0U, 1U, 32U, 63U, 65U, 100U, 0xFFFF'FFFFU}) {
    ExpectedRegion region = kPool;
    region.stride_bytes = stride;
    const Status judged = check_shape(region);
    ASSERT_FALSE(judged.has_value()) << stride;
    EXPECT_EQ(judged.error().code, Errc::kStrideInvalid);
    EXPECT_EQ(judged.error().value, stride);
  }
  for (const std::uint32_t stride : {64U, 128U, 192U, 320U, 0xFFFF'FFC0U}) {
    ExpectedRegion region = kPool;
    region.stride_bytes = stride;
    EXPECT_TRUE(check_shape(region).has_value()) << stride;
  }
  EXPECT_TRUE(check_region_bytes(kPool, kPool.bytes()).has_value());
  const Status large = check_region_bytes(kPool, kPool.bytes() - 1);
  ASSERT_FALSE(large.has_value());
  EXPECT_EQ(large.error().code, Errc::kRegionTooLarge);
}

}  // namespace
}  // namespace tensorpool::core::region
