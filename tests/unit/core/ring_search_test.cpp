// Finding one's place in a ring without descriptors, against a search that looks at everything.
#include "core/consumer/ring_search.hpp"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <cstdint>
#include <optional>

#include "base/atomics.hpp"
#include "support/requirement.hpp"
#include "support/ring_fixture.hpp"

namespace tensorpool::core::consumer {
namespace {

using base::DefaultAtom;
using test::HeapStream;

/// A ring after `taken` numbers, the last `open` of them not committed.
HeapStream<DefaultAtom> ring_after(std::uint32_t nslots, std::uint64_t taken, std::uint64_t open) {
  HeapStream<DefaultAtom> stream(nslots, {});
  for (std::uint64_t seq = 0; seq < taken; ++seq) {
    const bool is_open = seq >= taken - open;
    stream.set_word(static_cast<std::uint32_t>(seq % nslots),
                    is_open ? ring::in_progress(seq) : ring::committed(seq));
  }
  return stream;
}

TEST(RingSearch, finds_the_newest_committed_frame_and_the_highest_number_taken) {
  EXPECT_TRUE(rc::check("newest_committed and newest_from agree with the history", [] {
    const std::uint32_t nslots = 1U << *rc::gen::inRange(0U, 8U);
    const auto taken = *rc::gen::inRange<std::uint64_t>(1, 3 * nslots + 2);
    const auto open = *rc::gen::inRange<std::uint64_t>(0, std::min<std::uint64_t>(taken, nslots));
    const auto stream = ring_after(nslots, taken, open);
    RC_ASSERT(newest_committed(stream.memory()) ==
              (taken == open ? std::nullopt : std::optional(taken - open - 1)));
    const auto lowest_held = taken > nslots ? taken - nslots : 0;
    const auto reached = *rc::gen::inRange<std::uint64_t>(lowest_held, taken);
    RC_ASSERT(newest_from(stream.memory(), reached) == taken - 1);
  }));
}

TEST(RingSearch, finds_nothing_in_an_empty_ring) {
  const HeapStream<DefaultAtom> stream(8, {});
  EXPECT_EQ(newest_committed(stream.memory()), std::nullopt);
}

TEST(RingSearch, never_follows_a_word_that_belongs_to_another_slot) {
  auto stream = ring_after(8, 11, 0);
  stream.set_word(5, ring::committed(1000));  // 1000 % 8 == 0
  EXPECT_EQ(newest_committed(stream.memory()), 10U);
  EXPECT_EQ(newest_from(stream.memory(), 9), 10U);
  EXPECT_FALSE(belongs(stream.memory(), stream.word(5), 13));
}

TEST(RingSearch, ends_whatever_the_words_are) {
  EXPECT_TRUE(rc::check("a search of arbitrary words ends, with a number it was led to", [] {
    const std::uint32_t nslots = 1U << *rc::gen::inRange(0U, 5U);
    HeapStream<DefaultAtom> stream(nslots, {});
    for (std::uint32_t index = 0; index < nslots; ++index) {
      stream.set_word(index, *rc::gen::arbitrary<std::uint64_t>());
    }
    const auto reached = *rc::gen::inRange<std::uint64_t>(0, layout::kSeqLimit);
    const std::uint64_t newest = newest_from(stream.memory(), reached);
    RC_ASSERT(newest >= reached);
    RC_ASSERT(newest - reached < 2ULL * nslots);
    const auto committed = newest_committed(stream.memory());
    RC_ASSERT(!committed || ring::is_committed(word_for(stream.memory(), *committed)));
  }));
}

}  // namespace
}  // namespace tensorpool::core::consumer
