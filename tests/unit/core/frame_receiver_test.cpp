// Receiving by descriptor: what a frame carries, gaps read from the ring, `latest`, mappings.
#include "core/consumer/frame_receiver.hpp"

#include <gtest/gtest.h>

#include <vector>

#include "support/link_fixture.hpp"
#include "support/requirement.hpp"

namespace tensorpool::core::consumer {
namespace {

using test::Changes;
using Sut = test::Link<>;
using Numbers = std::vector<std::uint64_t>;

TEST(FrameReceiver, hands_out_all_that_is_known_of_a_frame) {
  TP_REQ("W195", "W197", "W270", "W271", "W272");
  Sut sut({.nslots = 4});
  sut.writer.set_meta_version(12);
  Descriptor descriptor = sut.publish(24);
  descriptor.timestamp_ns = 5;  // before the capture time: no order is assumed
  descriptor.trace_id = 77;
  EXPECT_EQ(sut.hear(descriptor), 1);
  ASSERT_EQ(sut.frames.size(), 1U);
  const test::Delivered& frame = sut.frames[0];
  EXPECT_EQ(frame.epoch, Sut::kEpoch);
  EXPECT_EQ(frame.seq, 0U);
  EXPECT_EQ(frame.info.dims[0], 24);
  EXPECT_EQ(frame.info.strides[0], 1);
  EXPECT_EQ(frame.payload, test::pattern(24, Sut::kEpoch, 0));
  EXPECT_EQ(frame.timestamp_ns, 1000U);
  EXPECT_EQ(frame.descriptor_timestamp_ns, 5U);
  EXPECT_EQ(frame.meta_version, 12U);
  EXPECT_EQ(frame.trace_id, 77U);
}

TEST(FrameReceiver, delivers_an_empty_payload_like_any_other) {
  TP_REQ("W49", "W50");
  Sut sut({.nslots = 4});
  EXPECT_EQ(sut.hear(sut.publish(0)), 1);
  ASSERT_EQ(sut.frames.size(), 1U);
  EXPECT_TRUE(sut.frames[0].payload.empty());
  EXPECT_EQ(sut.frames[0].info.dims[0], 0);
}

TEST(FrameReceiver, accepts_0_as_the_id_of_a_payload_pool) {
  TP_REQ("W44");
  test::HeapStream<base::DefaultAtom> stream(2, {{.id = 0, .stride_bytes = 64}});
  producer::FrameWriter<base::DefaultAtom> writer(stream.memory(), {.stream_id = 1, .epoch = 1});
  ASSERT_EQ(writer.publish(test::bytes_tensor(8), test::pattern(8, 1, 0), 0),
            PublishStatus::kPublished);
  FrameReceiver<base::DefaultAtom> sut({.stream_id = 1});
  sut.attach(stream.memory(), 1);
  EXPECT_EQ(sut.on_descriptor(test::received(writer.descriptor()), false,
                              [](const auto&) { return Use::kDone; }),
            1);
}

TEST(FrameReceiver, starts_with_any_number_and_counts_nothing_before_it) {
  TP_REQ("W258", "W259");
  Sut sut({.nslots = 4, .recover_gaps = true});
  EXPECT_EQ(sut.hear(sut.publish_many(1000)), 1);
  EXPECT_EQ(sut.hear(sut.publish()), 1);
  EXPECT_EQ(sut.seqs(), (Numbers{999, 1000}));
  EXPECT_EQ(sut.moved(), (Changes{{"frames_ok", 2}}));
}

TEST(FrameReceiver, counts_a_frame_that_came_too_late_only_once) {
  TP_REQ("W264");
  Sut sut({.nslots = 2});
  sut.hear(sut.publish());
  const Descriptor late = sut.publish();
  const Descriptor also_late = sut.publish();
  const Descriptor third = sut.publish();
  sut.publish();
  sut.mark();
  EXPECT_EQ(sut.hear(late), 0);
  EXPECT_EQ(sut.hear(also_late), 0);
  EXPECT_EQ(sut.hear(third), 1);
  EXPECT_EQ(sut.moved(), (Changes{{"drops_late", 2}, {"drops_seq_mismatch", 2}, {"frames_ok", 1}}));
  EXPECT_TRUE(sut.reader.check_invariants());
}

TEST(FrameReceiver, forgets_its_place_with_the_mapping_and_keeps_its_counters) {
  TP_REQ("W244", "W245", "W247", "W279");
  Sut sut({.nslots = 4});
  sut.hear(sut.publish_many(3));
  sut.publish();
  sut.hear(sut.publish());
  sut.reader.detach();
  EXPECT_EQ(sut.reader.epoch(), 0U);
  sut.reader.attach(sut.stream.memory(), Sut::kEpoch);
  EXPECT_FALSE(sut.reader.tracking());
  EXPECT_EQ(sut.reader.last_seq(), 0U);
  EXPECT_EQ(sut.reader.epoch(), Sut::kEpoch);
  sut.publish_many(3);
  sut.hear(sut.publish());
  EXPECT_EQ(sut.moved(),
            (Changes{{"frames_ok", 3}, {"drops_gap", 1}, {"remaps", 1}, {"discontinuities", 1}}));
  EXPECT_TRUE(sut.reader.check_invariants());
}

TEST(FrameReceiver, takes_repeated_numbers_for_duplicates_after_a_resubscription) {
  TP_REQ("W263");
  Sut sut({.nslots = 8});
  const Descriptor first = sut.publish();
  const Descriptor second = sut.publish();
  sut.hear(first);
  sut.hear(second);
  sut.reader.subscription_changed();
  sut.mark();
  EXPECT_EQ(sut.hear(first), 0);
  EXPECT_EQ(sut.hear(second), 0);
  EXPECT_EQ(sut.hear(sut.publish()), 1);
  EXPECT_EQ(sut.moved(), (Changes{{"drops_duplicate", 2}, {"frames_ok", 1}}));
  EXPECT_EQ(sut.hear(first), 0);
  EXPECT_EQ(sut.reader.unmap_wanted(), UnmapCause::kSequenceRegression);
}

TEST(FrameReceiver, does_not_resync_at_the_limit_nor_without_one) {
  TP_REQ("W265", "W266");
  Sut at_limit({.nslots = 16, .max_outstanding_seq_gap = 3});
  at_limit.hear(at_limit.publish());
  at_limit.publish_many(3);
  EXPECT_EQ(at_limit.hear(at_limit.publish()), 1);
  EXPECT_EQ(at_limit.moved(), (Changes{{"frames_ok", 2}, {"drops_gap", 3}}));
  Sut without({.nslots = 16, .max_outstanding_seq_gap = 0});
  without.hear(without.publish());
  without.publish_many(1000);
  EXPECT_EQ(without.hear(without.publish()), 1);
  EXPECT_EQ(without.moved(), (Changes{{"frames_ok", 2}, {"drops_gap", 1000}}));
}

TEST(FrameReceiver, gives_up_the_candidate_of_a_resync_when_the_mapping_ends) {
  TP_REQ("W244", "W265");
  Sut sut({.nslots = 16, .max_outstanding_seq_gap = 1});
  sut.hear(sut.publish());
  sut.publish_many(4);
  EXPECT_EQ(sut.hear(sut.publish()), 0);
  EXPECT_TRUE(sut.reader.check_invariants());
  sut.reader.detach();
  EXPECT_EQ(sut.drained(), 0);
  EXPECT_EQ(sut.seqs(), Numbers{0});
}

// --- Gaps read from the ring ------------------------------------------------------------------

TEST(RecoverGaps, reads_lost_numbers_from_the_ring_oldest_first) {
  TP_REQ("W260");
  Sut sut({.nslots = 8, .recover_gaps = true});
  sut.hear(sut.publish());
  sut.publish_many(3);
  EXPECT_EQ(sut.hear(sut.publish()), 4);
  EXPECT_EQ(sut.seqs(), (Numbers{0, 1, 2, 3, 4}));
  EXPECT_EQ(sut.moved(), (Changes{{"frames_ok", 5}, {"recovered", 3}}));
  EXPECT_EQ(sut.frames[2].descriptor_timestamp_ns, layout::kTimestampNone);
  EXPECT_EQ(sut.frames[2].trace_id, 0U);
}

TEST(RecoverGaps, counts_what_the_ring_no_longer_holds_as_gap) {
  TP_REQ("W260");
  Sut sut({.nslots = 4, .recover_gaps = true});
  sut.hear(sut.publish());
  sut.publish_many(9);
  EXPECT_EQ(sut.hear(sut.publish()), 4);  // 10, and the three before it
  EXPECT_EQ(sut.seqs(), (Numbers{0, 7, 8, 9, 10}));
  EXPECT_EQ(sut.moved(), (Changes{{"frames_ok", 5}, {"recovered", 3}, {"drops_gap", 6}}));
  EXPECT_TRUE(sut.reader.check_invariants());
}

TEST(RecoverGaps, counts_an_aborted_number_as_gap) {
  TP_REQ("W182", "W260");
  Sut sut({.nslots = 8, .recover_gaps = true});
  sut.hear(sut.publish());
  sut.abort_one();
  EXPECT_EQ(sut.hear(sut.publish()), 1);
  EXPECT_EQ(sut.moved(), (Changes{{"frames_ok", 2}, {"drops_gap", 1}}));
}

TEST(RecoverGaps, comes_before_the_resync_rule) {
  TP_REQ("W265");
  Sut sut({.nslots = 16, .recover_gaps = true, .max_outstanding_seq_gap = 2});
  sut.hear(sut.publish());
  sut.publish_many(10);
  EXPECT_EQ(sut.hear(sut.publish()), 11);
  EXPECT_EQ(sut.moved(), (Changes{{"frames_ok", 12}, {"recovered", 10}}));
  sut.publish_many(20);  // 5 of these are beyond the ring
  sut.mark();
  EXPECT_EQ(sut.hear(sut.publish()), 15);
  EXPECT_TRUE(sut.reader.draining());
  EXPECT_EQ(sut.drained(), 1);
  EXPECT_EQ(sut.moved(),
            (Changes{{"frames_ok", 16}, {"recovered", 15}, {"drops_gap", 5}, {"resyncs", 1}}));
  EXPECT_TRUE(sut.reader.check_invariants());
}

TEST(RecoverGaps, ignores_descriptors_of_frames_that_were_followed_already) {
  TP_REQ("W261", "W262");
  Sut sut({.nslots = 8, .recover_gaps = true});
  sut.hear(sut.publish());
  const Descriptor blocked = sut.publish();
  const Descriptor blocked_too = sut.publish();
  EXPECT_EQ(sut.follow(), 2);  // descriptors stayed away, so the ring was looked at
  sut.mark();
  EXPECT_EQ(sut.hear(blocked), 0);
  EXPECT_EQ(sut.hear(blocked_too), 0);
  EXPECT_EQ(sut.hear(sut.publish()), 1);
  EXPECT_EQ(sut.moved(), (Changes{{"descriptors_behind", 2}, {"frames_ok", 1}}));
  EXPECT_EQ(sut.seqs(), (Numbers{0, 1, 2, 3}));
  EXPECT_EQ(sut.reader.unmap_wanted(), std::nullopt);
}

TEST(RecoverGaps, finds_frames_of_which_no_descriptor_ever_came) {
  Sut sut({.nslots = 8, .recover_gaps = true});
  sut.publish_many(3);
  sut.reader.start_at_end();
  EXPECT_EQ(sut.follow(), 0);
  sut.publish_many(2);
  EXPECT_EQ(sut.follow(), 2);
  EXPECT_EQ(sut.seqs(), (Numbers{3, 4}));
}

TEST(RecoverGaps, finds_the_first_frames_of_an_epoch) {
  TP_REQ("W178");
  Sut sut({.nslots = 8, .recover_gaps = true});
  sut.reader.start_at_end();
  sut.publish_many(2);
  sut.reader.start_at_end();
  EXPECT_EQ(sut.follow(), 2);
  EXPECT_EQ(sut.seqs(), (Numbers{0, 1}));
}

// --- another epoch ----------------------------------------------------------------------------

/// The stream of a Link, in the epoch after.
struct NextEpoch {
  explicit NextEpoch(std::uint32_t nslots)
      : stream(nslots, {{.id = 1, .stride_bytes = 64}}),
        writer(stream.memory(), {.stream_id = Sut::kStream, .epoch = kEpoch}) {}

  Descriptor publish(std::uint64_t count = 1) {
    for (std::uint64_t k = 0; k < count; ++k) {
      EXPECT_EQ(writer.publish(test::bytes_tensor(8), test::pattern(8, kEpoch, k), k),
                PublishStatus::kPublished);
    }
    return test::received(writer.descriptor());
  }

  static constexpr std::uint64_t kEpoch = Sut::kEpoch + 1;
  test::HeapStream<base::DefaultAtom> stream;
  producer::FrameWriter<base::DefaultAtom> writer;
};

TEST(RecoverGaps, begins_with_frame_0_of_an_epoch_that_the_stream_goes_on_in) {
  TP_REQ("W244", "W258");
  for (const bool descriptors_come : {true, false}) {
    Sut sut({.nslots = 8, .recover_gaps = true});
    sut.hear(sut.publish_many(6));
    NextEpoch next(8);
    sut.hear(next.publish(3));
    EXPECT_EQ(sut.reader.unmap_wanted(), UnmapCause::kHigherEpochSeen);
    sut.reader.detach();
    sut.frames.clear();
    sut.mark();
    sut.reader.attach(next.stream.memory(), NextEpoch::kEpoch);
    if (descriptors_come) {
      EXPECT_EQ(sut.hear(next.publish()), 4);
      EXPECT_EQ(sut.moved(), (Changes{{"frames_ok", 4}, {"recovered", 3}, {"remaps", 1}}));
    } else {
      next.publish();
      EXPECT_TRUE(sut.reader.frame_in_ring());
      EXPECT_EQ(sut.follow(), 4);
    }
    EXPECT_EQ(sut.seqs(), (Numbers{0, 1, 2, 3}));
    EXPECT_TRUE(sut.reader.check_invariants());
  }
}

TEST(RecoverGaps, counts_frames_of_the_next_epoch_that_are_overwritten_before_they_are_read) {
  Sut sut({.nslots = 8, .recover_gaps = true});
  sut.hear(sut.publish());
  sut.reader.detach();
  NextEpoch next(4);
  next.publish(2);
  sut.mark();
  sut.reader.attach(next.stream.memory(), NextEpoch::kEpoch);
  EXPECT_EQ(sut.hear(next.publish(4)), 4);
  EXPECT_EQ(sut.moved(),
            (Changes{{"frames_ok", 4}, {"recovered", 3}, {"drops_gap", 2}, {"remaps", 1}}));
  EXPECT_TRUE(sut.reader.check_invariants());
}

TEST(RecoverGaps, begins_anywhere_in_an_epoch_whose_frame_0_has_been_overwritten) {
  TP_REQ("W258");
  Sut sut({.nslots = 8, .recover_gaps = true});
  sut.hear(sut.publish());
  sut.reader.detach();
  NextEpoch next(4);
  next.publish(5);
  sut.frames.clear();
  sut.reader.attach(next.stream.memory(), NextEpoch::kEpoch);
  EXPECT_FALSE(sut.reader.tracking());
  EXPECT_EQ(sut.hear(next.publish()), 1);
  EXPECT_EQ(sut.seqs(), (Numbers{5}));
}

TEST(RecoverGaps, begins_anywhere_in_an_epoch_that_is_mapped_again) {
  TP_REQ("W244", "W258");
  Sut sut({.nslots = 8, .recover_gaps = true});
  sut.hear(sut.publish());
  sut.reader.detach();
  sut.hear(sut.publish());
  sut.frames.clear();
  sut.reader.attach(sut.stream.memory(), Sut::kEpoch);
  EXPECT_FALSE(sut.reader.tracking());
  EXPECT_EQ(sut.hear(sut.publish()), 1);
  EXPECT_EQ(sut.seqs(), (Numbers{2}));
}

TEST(RecoverGaps, a_newcomer_begins_with_the_first_frame_that_it_has_heard_of) {
  TP_REQ("W258");
  for (const bool recover_gaps : {true, false}) {
    NextEpoch stream(8);
    FrameReceiver<base::DefaultAtom> sut({.stream_id = Sut::kStream, .recover_gaps = recover_gaps});
    Numbers seqs;
    const auto sink = [&](const auto& frame) {
      seqs.push_back(frame.seq);
      return Use::kDone;
    };
    stream.publish(2);
    sut.on_descriptor(stream.publish(), false, sink);
    sut.on_descriptor(stream.publish(), false, sink);
    EXPECT_EQ(sut.counters().drops_unmapped, 2U);
    sut.attach(stream.stream.memory(), NextEpoch::kEpoch);
    sut.on_descriptor(stream.publish(), false, sink);
    EXPECT_EQ(seqs, recover_gaps ? (Numbers{2, 3, 4}) : (Numbers{4}));
    EXPECT_TRUE(sut.check_invariants());
  }
}

// --- latest -----------------------------------------------------------------------------------

TEST(Latest, delivers_only_the_newest_of_the_queued_descriptors) {
  Sut sut({.nslots = 16, .recover_gaps = true});
  sut.reader.begin_latest();
  std::vector<Descriptor> queue;
  for (int k = 0; k < 5; ++k) {
    queue.push_back(sut.publish());
  }
  queue.erase(queue.begin() + 2);  // lost on the way
  for (const Descriptor& descriptor : queue) {
    EXPECT_EQ(sut.hear(descriptor), 0);
  }
  EXPECT_EQ(sut.drained(), 1);
  EXPECT_EQ(sut.seqs(), Numbers{4});
  EXPECT_EQ(sut.moved(), (Changes{{"frames_ok", 1}, {"skipped_by_reader", 4}}));
  sut.publish_many(2);
  EXPECT_EQ(sut.hear(sut.publish()), 0);
  EXPECT_EQ(sut.drained(), 1);
  EXPECT_EQ(sut.moved(), (Changes{{"frames_ok", 2}, {"skipped_by_reader", 6}}));
  EXPECT_EQ(sut.drained(), 0);
  EXPECT_TRUE(sut.reader.check_invariants());
}

TEST(Latest, charges_lost_descriptors_to_the_gap_when_gaps_are_not_recovered) {
  Sut sut({.nslots = 16, .recover_gaps = false});
  sut.hear(sut.publish());
  sut.reader.begin_latest();
  sut.publish();  // lost
  sut.hear(sut.publish());
  sut.publish();  // lost
  sut.hear(sut.publish());
  sut.drained();
  EXPECT_EQ(sut.seqs(), (Numbers{0, 4}));
  EXPECT_EQ(sut.moved(), (Changes{{"frames_ok", 2}, {"drops_gap", 2}, {"skipped_by_reader", 1}}));
  sut.reader.end_latest();
  EXPECT_EQ(sut.hear(sut.publish()), 1);
  EXPECT_TRUE(sut.reader.check_invariants());
}

TEST(Latest, leaves_the_ring_alone_while_descriptors_are_being_drained) {
  Sut sut({.nslots = 16, .recover_gaps = true});
  sut.reader.begin_latest();
  sut.hear(sut.publish());
  sut.publish();
  EXPECT_EQ(sut.follow(), 0);
  EXPECT_EQ(sut.drained(), 1);
  EXPECT_EQ(sut.seqs(), Numbers{0});
  EXPECT_TRUE(sut.reader.check_invariants());
}

}  // namespace
}  // namespace tensorpool::core::consumer
