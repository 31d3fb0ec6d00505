// The lapped ring between threads of one process: for ThreadSanitizer, with the Atom policy that
// tells it every edge. Header and control words are not hidden from it by any suppression; payload
// goes out through copy_out, the one function that it is told to ignore, because payload bytes race
// by design.
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <cstdlib>
#include <thread>

#include "core/region/superblock.hpp"
#include "stress/lapped_ring.hpp"
#include "support/requirement.hpp"
#include "support/ring_fixture.hpp"

namespace tensorpool::stress {
namespace {

using base::DefaultAtom;
using base::Edge;

constexpr std::uint64_t kEpoch = 7;
constexpr std::uint64_t kOverlapped = 100;  ///< of each reader

/// One writer laps two readers until each has had enough overlapped reads.
template <class Atom>
[[nodiscard]] std::array<Tally, 2> lap(const Traffic& traffic, std::uint64_t overlapped) {
  const test::HeapStream<Atom> stream(traffic.nslots,
                                      {{1, traffic.strides[0]}, {2, traffic.strides[1]}});
  LappingWriter<Atom> writer(stream.memory(), kEpoch, traffic);
  std::array<Tally, 2> tallies;
  std::atomic<unsigned> reading{2};
  std::vector<std::thread> readers;
  for (Tally& tally : tallies) {
    readers.emplace_back([&] {
      LappedReader<Atom> reader(stream.memory(), kEpoch, traffic, Reading::kCopies);
      while (reader.tally().overlapped < overlapped && reader.tally().mixed == 0) {
        reader.step();
      }
      tally = reader.tally();
      reading.fetch_sub(1, std::memory_order_release);
    });
  }
  while (reading.load(std::memory_order_acquire) != 0) {
    writer.write();
  }
  for (std::thread& reader : readers) {
    reader.join();
  }
  EXPECT_TRUE(writer.good());
  return tallies;
}

const Traffic kTraffics[] = {
    {.name = "copies", .strides = {64, 1024}, .bytes_min = 8, .bytes_max = 1024},
    {.name = "one slot", .nslots = 1, .strides = {64, 256}, .bytes_min = 8, .bytes_max = 256},
    {.name = "streaming copies",
     .strides = {64, 32768},
     .bytes_min = core::kSelfStreamingBytes,
     .bytes_max = 32768,
     .copies = core::CopyKind::kStreaming},
    {.name = "direct mode", .nslots = 4, .route = Route::kRing},
    {.name = "claims",
     .nslots = 4,
     .strides = {64, 512},
     .bytes_min = 8,
     .bytes_max = 512,
     .claims = true},
};

TEST(LappedRingThreads, accept_no_mixed_frame_and_race_nowhere) {
  TP_REQ("W154", "W157", "W158", "W166", "W174");
  for (const Traffic& traffic : kTraffics) {
    SCOPED_TRACE(traffic.name);
    for (const Tally& tally : lap<DefaultAtom>(traffic, kOverlapped)) {
      EXPECT_EQ(tally.mixed, 0U);
      EXPECT_EQ(tally.unbalanced, 0U);
      EXPECT_GE(tally.overlapped, kOverlapped);
    }
  }
}

TEST(LappedRingThreads, superblock_is_whole_once_its_magic_is_there) {
  TP_REQ("W15", "W16", "W17");
  constexpr std::uint64_t kAnnounces = 20'000;
  const core::region::ExpectedRegion region{.stream_id = kStreamId, .epoch = kEpoch, .nslots = 4};
  const layout::Superblock block = core::region::make_superblock(region, {.pid = 1, .now_ns = 1});
  std::array<DefaultAtom::Word, layout::kSuperblockWords> words{};
  std::thread owner([&] {
    core::region::store_superblock<DefaultAtom>(words, block);
    for (std::uint64_t now = 2; now <= kAnnounces; ++now) {
      core::region::store_activity<DefaultAtom>(words, now);
    }
  });
  layout::Superblock found{};
  while (found.magic != layout::kSuperblockMagic) {
    found = core::region::load_superblock<DefaultAtom>(words);
  }
  EXPECT_EQ(found.epoch, kEpoch);
  EXPECT_EQ(found.nslots, region.nslots);
  for (std::uint64_t now = 0; now < kAnnounces;) {
    const std::uint64_t later = core::region::load_activity<DefaultAtom>(words);
    ASSERT_GE(later, now);
    now = later;
  }
  owner.join();
}

#if defined(TP_THREAD_SANITIZER)
/// Header words stored as if nobody else could read them.
struct PlainHeaderAtom : DefaultAtom {
  template <Edge kEdge>
  static void store_relaxed(Word& word, Word value) noexcept {
    if constexpr (kEdge == Edge::kHeaderStore) {
      word = value;
    } else {
      DefaultAtom::store_relaxed<kEdge>(word, value);
    }
  }
};

TEST(LappedRingThreadsDeathTest, plain_stores_of_header_words_are_reported) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(
      {
        static_cast<void>(lap<PlainHeaderAtom>(kTraffics[0], kOverlapped));
        std::exit(EXIT_SUCCESS);
      },
      "data race");
}
#endif

}  // namespace
}  // namespace tensorpool::stress
