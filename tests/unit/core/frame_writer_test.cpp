// The producer's side of a ring: numbers, pools, claims, and what lies in a slot afterwards.
#include "core/producer/frame_writer.hpp"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <algorithm>
#include <map>
#include <vector>

#include "support/counter_changes.hpp"
#include "support/probe_atom.hpp"
#include "support/requirement.hpp"
#include "support/ring_fixture.hpp"
#include "support/tensor_generator.hpp"

namespace tensorpool::core::producer {
namespace {

using base::DefaultAtom;
using base::Edge;
using test::bytes_tensor;
using test::Changes;
using test::HeapStream;
using test::pattern;
using Writer = FrameWriter<DefaultAtom>;

/// A stream of four slots with pools of 64, 256 and 64 bytes, and its writer.
struct Fixture {
  explicit Fixture(Writer::Options options = {.stream_id = 7, .epoch = 3})
      : sut(stream.memory(), options) {}

  PublishStatus publish(std::size_t bytes, std::uint64_t timestamp_ns = 0) {
    return sut.publish(bytes_tensor(bytes), pattern(bytes, 3, sut.next_seq()), timestamp_ns);
  }
  OpenClaim claim(std::size_t bytes = 8) {
    OpenClaim claim;
    EXPECT_EQ(sut.claim(bytes, claim), PublishStatus::kPublished);
    return claim;
  }
  /// Every header byte of the ring: what a refused call must not touch.
  [[nodiscard]] std::vector<test::SlotBytes> headers() const {
    std::vector<test::SlotBytes> all;
    for (std::uint32_t index = 0; index < stream.memory().nslots; ++index) {
      all.push_back(stream.slot_bytes(index));
    }
    return all;
  }
  [[nodiscard]] Changes moved() const { return test::changes(ProducerCounters{}, sut.counters()); }

  HeapStream<DefaultAtom> stream{4,
                                 {{.id = 5, .stride_bytes = 64},
                                  {.id = 6, .stride_bytes = 256},
                                  {.id = 7, .stride_bytes = 64}}};
  Writer sut;
};

TEST(FrameWriter, numbers_frames_from_zero_and_describes_each) {
  TP_REQ("W178", "W186", "W189", "W190", "W192", "W193", "W157");
  Fixture fixture;
  for (std::uint64_t seq = 0; seq < 12; ++seq) {  // three laps, nobody reads
    ASSERT_EQ(fixture.publish(8, 500 + seq), PublishStatus::kPublished);
    const auto descriptor = fixture.sut.descriptor();
    EXPECT_EQ(descriptor.stream_id, 7U);
    EXPECT_EQ(descriptor.epoch, 3U);
    EXPECT_EQ(descriptor.seq, seq);
    EXPECT_EQ(descriptor.timestamp_ns, layout::kTimestampNone);
    EXPECT_EQ(descriptor.meta_version, layout::kMetaVersionNull);
    EXPECT_EQ(descriptor.trace_id, 0U);
    EXPECT_EQ(descriptor.block_length, 40);
    EXPECT_EQ(descriptor.template_id, 4);
    EXPECT_EQ(descriptor.schema_id, 900);
    EXPECT_EQ(descriptor.version, 1);
    const auto index = static_cast<std::uint32_t>(seq % 4);
    EXPECT_EQ(fixture.stream.word(index), ring::committed(seq));
    const auto payload = fixture.stream.payload(0, index).first(8);
    EXPECT_TRUE(std::equal(payload.begin(), payload.end(), pattern(8, 3, seq).begin()));
  }
  EXPECT_EQ(fixture.moved(), (Changes{{"frames_published", 12}}));
}

TEST(FrameWriter, puts_the_capture_time_and_metadata_version_into_the_slot) {
  TP_REQ("W192", "W194", "W196");
  Fixture fixture;
  ASSERT_EQ(fixture.publish(8, 1234), PublishStatus::kPublished);
  fixture.sut.set_meta_version(9);
  ASSERT_EQ(fixture.publish(8, 0xFFFF'FFFF'FFFF'FFFFULL), PublishStatus::kPublished);
  EXPECT_EQ(fixture.sut.descriptor().meta_version, 9U);
  const auto slot = [&](std::uint32_t index) {
    return std::bit_cast<layout::Slot>(fixture.stream.slot_bytes(index));
  };
  EXPECT_EQ(slot(0).timestamp_ns, 1234U);
  EXPECT_EQ(slot(0).meta_version, 0U);
  EXPECT_EQ(slot(1).timestamp_ns, layout::kTimestampNone);
  EXPECT_EQ(slot(1).meta_version, 9U);
}

TEST(FrameWriter, chooses_the_smallest_pool_that_holds_the_payload_and_the_first_of_equals) {
  TP_REQ("W45", "W46", "W49");
  EXPECT_TRUE(rc::check("the pool is the one a sorted list gives", [] {
    const auto strides = *rc::gen::nonEmpty(rc::gen::container<std::vector<std::uint32_t>>(
        rc::gen::map(rc::gen::inRange(1U, 6U), [](std::uint32_t n) { return n * 64; })));
    std::vector<test::PoolShape> pools;
    for (std::size_t k = 0; k < strides.size(); ++k) {
      pools.push_back({.id = static_cast<std::uint16_t>(k), .stride_bytes = strides[k]});
    }
    const HeapStream<DefaultAtom> stream(2, pools);
    Writer sut(stream.memory(), {.stream_id = 1, .epoch = 1});
    const auto bytes = *rc::gen::inRange<std::size_t>(0, 400);
    std::stable_sort(pools.begin(), pools.end(),
                     [](const auto& a, const auto& b) { return a.stride_bytes < b.stride_bytes; });
    const auto expected = std::find_if(
        pools.begin(), pools.end(), [&](const auto& pool) { return pool.stride_bytes >= bytes; });
    const PublishStatus status = sut.publish(bytes_tensor(bytes), pattern(bytes, 1, 0), 0);
    const auto slot = std::bit_cast<layout::Slot>(stream.slot_bytes(0));
    if (expected == pools.end()) {
      RC_ASSERT(status == PublishStatus::kNoPoolFits);
      RC_ASSERT(sut.next_seq() == 0U);
      RC_ASSERT(slot.seq_commit == 0U);
      RC_ASSERT(sut.counters().drops_no_pool == 1U);
    } else {
      RC_ASSERT(status == PublishStatus::kPublished);
      RC_ASSERT(slot.pool_id == expected->id);
      RC_ASSERT(slot.values_len_bytes == bytes);
      RC_ASSERT(sut.payload_bytes_max() == pools.back().stride_bytes);
    }
  }));
}

TEST(FrameWriter, refuses_what_is_invalid_before_it_touches_anything) {
  TP_REQ("W46", "W65", "W161", "W184");
  Fixture fixture;
  ASSERT_EQ(fixture.publish(8), PublishStatus::kPublished);
  const auto before = fixture.headers();
  TensorInfo wide = TensorInfo::packed(Dtype::kUint8, {1, 1 << 20, 1 << 12});
  TensorInfo negative = bytes_tensor(8);
  negative.dims[0] = -1;
  for (const TensorInfo& info : {TensorInfo{}, negative, wide}) {
    EXPECT_EQ(fixture.sut.publish(info, pattern(8, 3, 1), 0), PublishStatus::kInvalidParams);
  }
  EXPECT_EQ(fixture.publish(257), PublishStatus::kNoPoolFits);
  OpenClaim claim;
  EXPECT_EQ(fixture.sut.claim(257, claim), PublishStatus::kNoPoolFits);
  EXPECT_EQ(fixture.headers(), before);
  EXPECT_EQ(fixture.sut.next_seq(), 1U);
  EXPECT_EQ(fixture.moved(),
            (Changes{{"frames_published", 1}, {"invalid_params", 3}, {"drops_no_pool", 2}}));
  EXPECT_EQ(fixture.publish(8), PublishStatus::kPublished);
  EXPECT_EQ(fixture.sut.descriptor().seq, 1U);
}

TEST(FrameWriter, refuses_decreasing_times_only_while_it_fills_both_series) {
  TP_REQ("W427");
  Fixture both({.stream_id = 7, .epoch = 3, .descriptor_timestamps = true});
  EXPECT_EQ(both.publish(8, 100), PublishStatus::kPublished);
  EXPECT_EQ(both.publish(8, 100), PublishStatus::kPublished);
  EXPECT_EQ(both.publish(8, 99), PublishStatus::kInvalidParams);
  EXPECT_EQ(both.publish(8, 101), PublishStatus::kPublished);
  EXPECT_EQ(both.sut.descriptor().seq, 2U);
  Fixture one;
  EXPECT_EQ(one.publish(8, 100), PublishStatus::kPublished);
  EXPECT_EQ(one.publish(8, 99), PublishStatus::kPublished);
}

TEST(FrameWriter, ends_below_two_to_the_63) {
  TP_REQ("W162");
  Fixture fixture({.stream_id = 7, .epoch = 3, .first_seq = layout::kSeqLimit - 2});
  EXPECT_EQ(fixture.publish(8), PublishStatus::kPublished);
  EXPECT_EQ(fixture.publish(8), PublishStatus::kPublished);
  EXPECT_EQ(fixture.stream.word(3), ring::committed(layout::kSeqLimit - 1));
  const auto before = fixture.headers();
  EXPECT_EQ(fixture.publish(8), PublishStatus::kClosed);
  OpenClaim claim;
  EXPECT_EQ(fixture.sut.claim(8, claim), PublishStatus::kClosed);
  EXPECT_EQ(fixture.headers(), before);
}

TEST(FrameWriter, leaves_exactly_the_bytes_of_the_frame_in_a_slot_whatever_was_there) {
  TP_REQ("W30", "W56", "W156");
  EXPECT_TRUE(rc::check("a slot is a function of its last frame alone", [] {
    HeapStream<DefaultAtom> stream(2, {{.id = 1, .stride_bytes = 64}});
    for (const std::uint32_t index : {0U, 1U}) {
      test::SlotBytes garbage;
      garbage.fill(static_cast<std::byte>(*rc::gen::arbitrary<std::uint8_t>()));
      stream.set_slot_bytes(index, garbage);
    }
    Writer sut(stream.memory(), {.stream_id = 1, .epoch = 1});
    const std::vector<TensorInfo> shapes{
        bytes_tensor(8), TensorInfo::packed(Dtype::kFloat32, {2, 3, 4}),
        TensorInfo::packed(Dtype::kUint16, {1, 2, 1, 2, 1, 2, 1, 2})};
    const auto history = *rc::gen::container<std::vector<std::size_t>>(
        rc::gen::inRange<std::size_t>(0, shapes.size()));
    for (std::uint64_t seq = 0; seq < history.size(); ++seq) {
      const TensorInfo& info = shapes[history[seq]];
      RC_ASSERT(sut.publish(info, pattern(8, 1, seq), seq) == PublishStatus::kPublished);
      const HeapStream<DefaultAtom> fresh(2, {{.id = 1, .stride_bytes = 64}});
      Writer only(fresh.memory(), {.stream_id = 1, .epoch = 1, .first_seq = seq});
      RC_ASSERT(only.publish(info, pattern(8, 1, seq), seq) == PublishStatus::kPublished);
      const auto index = stream.memory().index_of(seq);
      RC_ASSERT(stream.slot_bytes(index) == fresh.slot_bytes(index));
    }
  }));
}

// --- Claims -----------------------------------------------------------------------------------

TEST(FrameWriter, marks_a_claimed_slot_at_once_and_gives_its_room_away) {
  TP_REQ("W154", "W179");
  Fixture fixture;
  const OpenClaim small = fixture.claim(64);
  EXPECT_EQ(small.seq, 0U);
  EXPECT_EQ(small.payload.data(), fixture.stream.payload(0, 0).data());
  EXPECT_EQ(small.payload.size(), 64U);
  EXPECT_EQ(fixture.stream.word(0), ring::in_progress(0));
  const OpenClaim large = fixture.claim(65);
  EXPECT_EQ(large.payload.data(), fixture.stream.payload(1, 1).data());
  EXPECT_EQ(fixture.stream.word(1), ring::in_progress(1));
  EXPECT_EQ(fixture.moved(), Changes{});
}

TEST(FrameWriter, refuses_a_claim_while_every_slot_is_claimed) {
  TP_REQ("W180");
  Fixture fixture;
  std::vector<OpenClaim> claims;
  for (int k = 0; k < 4; ++k) {
    claims.push_back(fixture.claim());
  }
  const auto before = fixture.headers();
  OpenClaim fifth;
  EXPECT_EQ(fixture.sut.claim(8, fifth), PublishStatus::kTooManyClaims);
  EXPECT_EQ(fixture.headers(), before);
  EXPECT_EQ(fixture.sut.next_seq(), 4U);
  EXPECT_EQ(fixture.sut.commit(claims[0], bytes_tensor(8), 8, 0), CommitStatus::kCommitted);
  EXPECT_EQ(fixture.claim().seq, 4U);
}

TEST(FrameWriter, commits_in_order_and_leaves_both_claims_usable_otherwise) {
  TP_REQ("W181");
  Fixture fixture;
  const OpenClaim older = fixture.claim();
  const OpenClaim newer = fixture.claim();
  const auto before = fixture.headers();
  EXPECT_EQ(fixture.sut.commit(newer, bytes_tensor(8), 8, 0), CommitStatus::kCommitOutOfOrder);
  EXPECT_EQ(fixture.publish(8), PublishStatus::kCommitOutOfOrder);
  EXPECT_EQ(fixture.headers(), before);
  EXPECT_EQ(fixture.sut.commit(older, bytes_tensor(8), 8, 0), CommitStatus::kCommitted);
  EXPECT_EQ(fixture.sut.descriptor().seq, 0U);
  EXPECT_EQ(fixture.sut.commit(newer, bytes_tensor(8), 8, 0), CommitStatus::kCommitted);
  EXPECT_EQ(fixture.sut.descriptor().seq, 1U);
}

TEST(FrameWriter, uses_a_number_up_when_its_claim_is_aborted) {
  TP_REQ("W161", "W182");
  Fixture fixture;
  const OpenClaim given_up = fixture.claim();
  const auto before = fixture.headers();
  EXPECT_TRUE(fixture.sut.abort(given_up));
  EXPECT_FALSE(fixture.sut.abort(given_up));
  EXPECT_EQ(fixture.headers(), before);
  EXPECT_EQ(fixture.stream.word(0), ring::in_progress(0));
  EXPECT_EQ(fixture.sut.commit(given_up, bytes_tensor(8), 8, 0), CommitStatus::kStaleClaim);
  EXPECT_EQ(fixture.publish(8), PublishStatus::kPublished);
  EXPECT_EQ(fixture.sut.descriptor().seq, 1U);
}

TEST(FrameWriter, does_not_touch_memory_for_a_claim_of_another_epoch) {
  TP_REQ("W183");
  Fixture fixture;
  OpenClaim old = fixture.claim();
  Writer next(fixture.stream.memory(), {.stream_id = 7, .epoch = 4});
  OpenClaim same_number;
  ASSERT_EQ(next.claim(8, same_number), PublishStatus::kPublished);
  const auto before = fixture.headers();
  EXPECT_EQ(next.commit(old, bytes_tensor(8), 8, 0), CommitStatus::kStaleClaim);
  EXPECT_FALSE(next.abort(old));
  EXPECT_EQ(fixture.headers(), before);
  EXPECT_EQ(next.commit(same_number, bytes_tensor(8), 8, 0), CommitStatus::kCommitted);
}

TEST(FrameWriter, leaves_a_claim_open_when_its_commit_is_refused) {
  TP_REQ("W185");
  Fixture fixture;
  const OpenClaim claim = fixture.claim(10);
  const auto before = fixture.headers();
  EXPECT_EQ(fixture.sut.commit(claim, TensorInfo{}, 8, 0), CommitStatus::kInvalidParams);
  EXPECT_EQ(fixture.sut.commit(claim, bytes_tensor(8), 65, 0), CommitStatus::kInvalidParams);
  EXPECT_EQ(fixture.headers(), before);
  EXPECT_EQ(fixture.moved(), (Changes{{"invalid_params", 2}}));
  EXPECT_EQ(fixture.sut.commit(claim, bytes_tensor(64), 64, 0), CommitStatus::kCommitted);
  EXPECT_EQ(fixture.stream.word(0), ring::committed(0));
}

TEST(FrameWriter, behaves_as_a_list_of_claims_does) {
  TP_REQ("W161", "W178", "W179", "W180", "W181", "W182");
  enum class Op { kClaim, kCommit, kAbort, kPublish };
  EXPECT_TRUE(rc::check("any history of claims", [] {
    Fixture fixture;
    std::vector<OpenClaim> handed_out;
    std::map<std::uint64_t, bool> open;      // by number; gone when committed or aborted
    std::vector<std::uint64_t> words(4, 0);  // expected commit words
    std::uint64_t next = 0;
    const auto take = [&](auto word_of) { words[next % 4] = word_of(next), ++next; };
    const auto window_is_full = [&] { return !open.empty() && next - open.begin()->first >= 4; };
    const auto history = *rc::gen::container<std::vector<std::pair<Op, std::size_t>>>(
        rc::gen::pair(rc::gen::element(Op::kClaim, Op::kCommit, Op::kAbort, Op::kPublish),
                      rc::gen::inRange<std::size_t>(0, 8)));
    for (const auto& [op, pick] : history) {
      if (op == Op::kPublish) {
        const bool free = open.empty();
        RC_ASSERT(fixture.publish(8) ==
                  (free ? PublishStatus::kPublished : PublishStatus::kCommitOutOfOrder));
        if (free) {
          take(ring::committed);
        }
      } else if (op == Op::kClaim) {
        OpenClaim claim;
        const bool full = window_is_full();
        RC_ASSERT(fixture.sut.claim(8, claim) ==
                  (full ? PublishStatus::kTooManyClaims : PublishStatus::kPublished));
        if (!full) {
          RC_ASSERT(claim.seq == next);
          handed_out.push_back(claim);
          open[next] = true;
          take(ring::in_progress);
        }
      } else if (!handed_out.empty()) {
        const OpenClaim& claim = handed_out[handed_out.size() - 1 - pick % handed_out.size()];
        const bool is_open = open.count(claim.seq) != 0;
        if (op == Op::kAbort) {
          RC_ASSERT(fixture.sut.abort(claim) == is_open);
          open.erase(claim.seq);
        } else {
          const bool oldest = is_open && claim.seq == open.begin()->first;
          RC_ASSERT(fixture.sut.commit(claim, bytes_tensor(8), 8, 0) ==
                    (!is_open  ? CommitStatus::kStaleClaim
                     : !oldest ? CommitStatus::kCommitOutOfOrder
                               : CommitStatus::kCommitted));
          if (oldest) {
            words[claim.seq % 4] = ring::committed(claim.seq);
            open.erase(claim.seq);
            RC_ASSERT(fixture.sut.descriptor().seq == claim.seq);
          }
        }
      }
      RC_ASSERT(fixture.sut.next_seq() == next);
      for (std::uint32_t index = 0; index < 4; ++index) {
        RC_ASSERT(fixture.stream.word(index) == words[index]);
      }
    }
  }));
}

// --- Order of the stores ----------------------------------------------------------------------

/// The edges of one call, with the header words counted as one.
std::vector<Edge> edges_of(const std::function<void()>& call) {
  auto& seen = test::ProbeAtom::probe().seen;
  seen.clear();
  call();
  std::vector<Edge> edges = seen;
  edges.erase(std::unique(edges.begin(), edges.end()), edges.end());
  return edges;
}

TEST(FrameWriter, fences_stores_that_may_be_streamed_on_both_sides) {
  TP_REQ("W154", "W156", "W157", "W158", "W450");
  const HeapStream<test::ProbeAtom> stream(2, {{.id = 1, .stride_bytes = 1U << 16U}});
  FrameWriter<test::ProbeAtom> sut(stream.memory(), {.stream_id = 1, .epoch = 1});
  const auto publish = [&](std::size_t bytes) {
    return edges_of([&] {
      ASSERT_EQ(sut.publish(bytes_tensor(bytes), pattern(bytes, 1, 0), 0),
                PublishStatus::kPublished);
    });
  };
  EXPECT_EQ(
      publish(kSelfStreamingBytes - 1),
      (std::vector{Edge::kBeginStore, Edge::kBeginFence, Edge::kHeaderStore, Edge::kCommitStore}));
  EXPECT_EQ(publish(kSelfStreamingBytes),
            (std::vector{Edge::kBeginStore, Edge::kBeginFence, Edge::kBeginStoreFence,
                         Edge::kCommitStoreFence, Edge::kHeaderStore, Edge::kCommitStore}));
  OpenClaim claim;
  EXPECT_EQ(edges_of([&] { ASSERT_EQ(sut.claim(8, claim), PublishStatus::kPublished); }),
            (std::vector{Edge::kBeginStore, Edge::kBeginFence, Edge::kBeginStoreFence}));
  EXPECT_EQ(edges_of([&] {
              ASSERT_EQ(sut.commit(claim, bytes_tensor(8), 8, 0), CommitStatus::kCommitted);
            }),
            (std::vector{Edge::kCommitStoreFence, Edge::kHeaderStore, Edge::kCommitStore}));
}

TEST(FrameWriter, a_claim_that_is_filled_with_ordinary_stores_needs_no_store_fence) {
  TP_REQ("W450");
  const HeapStream<test::ProbeAtom> stream(2, {{.id = 1, .stride_bytes = 64}});
  FrameWriter<test::ProbeAtom> sut(stream.memory(), {.stream_id = 1, .epoch = 1});
  OpenClaim claim;
  EXPECT_EQ(edges_of([&] {
              ASSERT_EQ(sut.claim(8, claim, FillWith::kOrdinaryStores), PublishStatus::kPublished);
            }),
            (std::vector{Edge::kBeginStore, Edge::kBeginFence}));
  EXPECT_EQ(edges_of([&] {
              ASSERT_EQ(sut.commit(claim, bytes_tensor(8), 8, 0), CommitStatus::kCommitted);
            }),
            (std::vector{Edge::kHeaderStore, Edge::kCommitStore}));
}

TEST(FrameWriter, stores_four_header_words_for_a_frame_of_a_known_shape) {
  TP_REQ("W156");
  const HeapStream<test::ProbeAtom> stream(1, {{.id = 1, .stride_bytes = 64}});
  FrameWriter<test::ProbeAtom> sut(stream.memory(), {.stream_id = 1, .epoch = 1});
  const auto& probe = test::ProbeAtom::probe();
  std::vector<std::size_t> stores;
  for (int k = 0; k < 3; ++k) {
    test::ProbeAtom::probe().seen.clear();
    ASSERT_EQ(sut.publish(bytes_tensor(8), pattern(8, 1, 0), 0), PublishStatus::kPublished);
    stores.push_back(probe.count(Edge::kHeaderStore));
  }
  EXPECT_EQ(stores, (std::vector<std::size_t>{31, 4, 4}));
}

}  // namespace
}  // namespace tensorpool::core::producer
