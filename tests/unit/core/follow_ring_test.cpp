// Direct mode: following the header ring without descriptors (design: direct mode).
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <vector>

#include "support/link_fixture.hpp"
#include "support/probe_atom.hpp"
#include "support/requirement.hpp"

namespace tensorpool::core::consumer {
namespace {

using test::Changes;
using Sut = test::Link<>;
using Numbers = std::vector<std::uint64_t>;

producer::OpenClaim claim_of(Sut& sut) {
  producer::OpenClaim claim;
  EXPECT_EQ(sut.writer.claim(8, claim), PublishStatus::kPublished);
  return claim;
}
void commit(Sut& sut, const producer::OpenClaim& claim) {
  ASSERT_EQ(sut.writer.commit(claim, test::bytes_tensor(8), 8, 0), CommitStatus::kCommitted);
}

TEST(FollowRing, starts_with_the_newest_committed_frame_and_counts_nothing_before_it) {
  Sut sut({.nslots = 8});
  sut.publish_many(5);
  claim_of(sut);
  EXPECT_EQ(sut.follow(), 1);
  EXPECT_EQ(sut.seqs(), Numbers{4});
  EXPECT_EQ(sut.moved(), (Changes{{"frames_ok", 1}}));
}

TEST(FollowRing, delivers_every_frame_from_the_first_when_the_ring_was_empty) {
  TP_REQ("W178");
  Sut sut({.nslots = 8});
  EXPECT_EQ(sut.follow(), 0);
  sut.publish_many(3);
  EXPECT_EQ(sut.follow(), 3);
  EXPECT_EQ(sut.seqs(), (Numbers{0, 1, 2}));
}

TEST(FollowRing, delivers_at_most_what_was_asked_for) {
  Sut sut({.nslots = 8});
  EXPECT_EQ(sut.follow(), 0);
  sut.publish_many(5);
  EXPECT_EQ(sut.follow(2), 2);
  EXPECT_EQ(sut.follow(0), 0);
  EXPECT_EQ(sut.follow(2), 2);
  EXPECT_EQ(sut.follow(2), 1);
  EXPECT_EQ(sut.follow(2), 0);
  EXPECT_EQ(sut.seqs(), (Numbers{0, 1, 2, 3, 4}));
}

TEST(FollowRing, reads_the_same_when_it_is_far_behind_and_looks_ahead) {
  Sut sut({.nslots = 32});
  EXPECT_EQ(sut.follow(), 0);
  EXPECT_EQ(sut.reader.next_seq(), 0U);
  sut.publish_many(30);
  sut.reader.set_far_behind(true);
  EXPECT_EQ(sut.follow(25), 25);
  EXPECT_EQ(sut.reader.next_seq(), 25U);
  sut.reader.set_far_behind(false);
  EXPECT_EQ(sut.follow(), 5);
  EXPECT_EQ(sut.moved(), (Changes{{"frames_ok", 30}}));
  for (const test::Delivered& frame : sut.frames) {
    EXPECT_EQ(frame.payload, test::pattern(8, Sut::kEpoch, frame.seq));
  }
}

TEST(FollowRing, would_go_on_with_the_next_frame_or_behind_those_that_were_given_up) {
  Sut sut({.nslots = 8});
  EXPECT_TRUE(sut.reader.ring_goes_on()) << "it has yet to begin";
  EXPECT_FALSE(sut.reader.frame_waits_in_ring());
  EXPECT_EQ(sut.follow(), 0);
  EXPECT_FALSE(sut.reader.ring_goes_on());
  std::vector<producer::OpenClaim> claims;
  for (int k = 0; k < 3; ++k) {
    claims.push_back(claim_of(sut));
  }
  EXPECT_FALSE(sut.reader.ring_goes_on()) << "nothing is committed";
  sut.writer.abort(claims[0]);
  sut.writer.abort(claims[1]);
  EXPECT_FALSE(sut.reader.ring_goes_on());
  EXPECT_FALSE(sut.reader.frame_waits_in_ring());
  commit(sut, claims[2]);
  EXPECT_TRUE(sut.reader.ring_goes_on());
  EXPECT_TRUE(sut.reader.frame_waits_in_ring());
  EXPECT_FALSE(sut.reader.frame_in_ring());
  while (sut.reader.ring_goes_on()) {
    sut.follow();
  }
  EXPECT_EQ(sut.seqs(), Numbers{2});
  sut.publish_many(20);
  EXPECT_TRUE(sut.reader.ring_goes_on()) << "lapped";
}

TEST(FollowRing, waits_for_a_frame_that_is_being_written) {
  TP_REQ("W169");
  Sut sut({.nslots = 4});
  sut.publish();
  EXPECT_EQ(sut.follow(), 1);
  const auto claim = claim_of(sut);
  for (int k = 0; k < 10; ++k) {
    EXPECT_EQ(sut.follow(), 0);
  }
  commit(sut, claim);
  EXPECT_EQ(sut.follow(), 1);
  EXPECT_EQ(sut.moved(), (Changes{{"frames_ok", 2}}));
}

TEST(FollowRing, passes_over_an_aborted_number_once_a_later_frame_proves_the_abort) {
  TP_REQ("W182");
  Sut sut({.nslots = 8});
  sut.publish();
  EXPECT_EQ(sut.follow(), 1);
  sut.abort_one();
  sut.abort_one();
  for (int k = 0; k < 10; ++k) {
    EXPECT_EQ(sut.follow(), 0);
  }
  EXPECT_EQ(sut.moved(), (Changes{{"frames_ok", 1}}));
  sut.publish();
  for (int k = 0; k < 14 && sut.frames.size() < 2; ++k) {  // a slot a call, for each number
    sut.follow();
  }
  EXPECT_EQ(sut.seqs(), (Numbers{0, 3}));
  EXPECT_EQ(sut.moved(), (Changes{{"frames_ok", 2}, {"drops_gap", 2}}));
  EXPECT_TRUE(sut.reader.check_invariants());
}

TEST(FollowRing, passes_over_a_single_abort_in_one_call_however_large_the_ring_is) {
  TP_REQ("W182");
  Sut sut({.nslots = 256});
  sut.publish();
  EXPECT_EQ(sut.follow(), 1);
  for (int k = 0; k < 4; ++k) {
    sut.abort_one();
    EXPECT_EQ(sut.follow(), 0);
    sut.publish();
    EXPECT_EQ(sut.follow(), 1);
  }
  EXPECT_EQ(sut.seqs(), (Numbers{0, 2, 4, 6, 8}));
}

TEST(FollowRing, takes_no_commit_of_an_earlier_mapping_as_proof_of_an_abort) {
  TP_REQ("W244");
  Sut former({.nslots = 8});
  former.publish();
  EXPECT_EQ(former.follow(), 1);
  former.abort_one();
  former.abort_one();
  former.publish_many(3);  // 3 proves that 1 and 2 were aborted
  while (former.frames.size() < 4) {
    former.follow();
  }
  Sut sut({.nslots = 8});
  sut.publish();
  const auto claim = claim_of(sut);
  former.reader.detach();
  former.reader.attach(sut.stream.memory(), Sut::kEpoch + 1);
  EXPECT_EQ(former.follow(), 1);
  EXPECT_EQ(former.follow(), 0);
  commit(sut, claim);
  EXPECT_EQ(former.follow(), 1);
  EXPECT_EQ(former.seqs(), (Numbers{0, 3, 4, 5, 0, 1}));
}

TEST(FollowRing, goes_on_behind_an_abort_in_a_ring_of_one_slot) {
  Sut sut({.nslots = 1});
  sut.publish();
  EXPECT_EQ(sut.follow(), 1);
  sut.abort_one();
  EXPECT_EQ(sut.follow(), 0);
  sut.publish();
  EXPECT_EQ(sut.follow(), 1);
  EXPECT_EQ(sut.moved(), (Changes{{"frames_ok", 2}, {"drops_gap", 1}}));
}

TEST(FollowRing, resumes_half_a_ring_behind_the_writer_when_it_was_lapped) {
  Sut sut({.nslots = 8});
  sut.publish();
  EXPECT_EQ(sut.follow(), 1);
  sut.publish_many(20);  // 1..20; the ring holds 13..20
  EXPECT_EQ(sut.follow(), 5);
  EXPECT_EQ(sut.seqs(), (Numbers{0, 16, 17, 18, 19, 20}));
  EXPECT_EQ(sut.moved(), (Changes{{"frames_ok", 6}, {"drops_gap", 15}}));
  EXPECT_TRUE(sut.reader.check_invariants());
}

TEST(FollowRing, gives_no_open_claim_up_when_it_was_lapped) {
  for (const bool latest : {false, true}) {
    SCOPED_TRACE(latest);
    Sut sut({.nslots = 8});
    sut.publish();
    EXPECT_EQ(sut.follow(), 1);
    sut.publish_many(10);  // 1..10
    std::vector<producer::OpenClaim> claims;
    for (int k = 0; k < 5; ++k) {
      claims.push_back(claim_of(sut));  // 11..15; the ring holds 8, 9 and 10 as well
    }
    EXPECT_EQ(sut.follow(1, latest), 1);
    for (const auto& claim : claims) {
      commit(sut, claim);
      EXPECT_EQ(sut.follow(1, latest), 1);
    }
    EXPECT_EQ(sut.seqs(), (Numbers{0, 10, 11, 12, 13, 14, 15}));
    EXPECT_TRUE(sut.reader.check_invariants());
  }
}

TEST(FollowRing, with_latest_goes_on_with_the_newest_whole_frame) {
  Sut sut({.nslots = 8});
  sut.publish();
  EXPECT_EQ(sut.follow(1, true), 1);
  sut.publish_many(5);
  EXPECT_EQ(sut.follow(1, true), 1);
  sut.publish_many(50);
  EXPECT_EQ(sut.follow(1, true), 1);
  EXPECT_EQ(sut.follow(1, true), 0);
  EXPECT_EQ(sut.seqs(), (Numbers{0, 5, 55}));
  EXPECT_EQ(sut.moved(), (Changes{{"frames_ok", 3}, {"skipped_by_reader", 53}}));
  EXPECT_TRUE(sut.reader.check_invariants());
}

TEST(FollowRing, with_latest_does_not_skip_whole_frames_for_ones_being_written) {
  Sut sut({.nslots = 8});
  sut.publish();
  EXPECT_EQ(sut.follow(1, true), 1);
  sut.publish_many(3);
  const auto first = claim_of(sut);
  claim_of(sut);
  claim_of(sut);
  EXPECT_EQ(sut.follow(1, true), 1);
  EXPECT_EQ(sut.seqs(), (Numbers{0, 3}));
  EXPECT_EQ(sut.follow(1, true), 0);
  commit(sut, first);
  EXPECT_EQ(sut.follow(1, true), 1);
  EXPECT_EQ(sut.seqs(), (Numbers{0, 3, 4}));
  EXPECT_EQ(sut.moved(), (Changes{{"frames_ok", 3}, {"skipped_by_reader", 2}}));
}

TEST(FollowRing, counts_a_frame_that_is_overwritten_while_it_is_read_as_late) {
  using Probed = test::Link<test::ProbeAtom>;
  test::ProbeAtom::probe() = {};
  Probed sut({.nslots = 4});
  EXPECT_EQ(sut.follow(), 0);
  sut.publish();
  test::ProbeAtom::probe().before(base::Edge::kHeaderLoad,
                                  [&] { sut.stream.set_word(0, ring::in_progress(4)); });
  EXPECT_EQ(sut.follow(1), 0);
  EXPECT_EQ(sut.moved(), (Changes{{"drops_late", 1}, {"drops_changed", 1}}));
  EXPECT_TRUE(sut.reader.check_invariants());
}

TEST(FollowRing, never_follows_a_word_that_belongs_to_another_slot) {
  Sut sut({.nslots = 4});
  sut.publish();
  EXPECT_EQ(sut.follow(), 1);
  sut.publish();
  sut.stream.set_word(1, ring::committed(1'000'002));  // slot 2
  EXPECT_EQ(sut.follow(), 0);
  EXPECT_EQ(sut.moved(), (Changes{{"frames_ok", 1}}));
}

TEST(FollowRing, ends_every_call_whatever_the_words_are) {
  EXPECT_TRUE(rc::check("words that are rubbish cost bounded work and stay accounted for", [] {
    Sut sut({.nslots = 4});
    sut.publish_many(*rc::gen::inRange<std::uint64_t>(0, 6));
    sut.follow();
    const auto rounds = *rc::gen::inRange(1, 6);
    for (int round = 0; round < rounds; ++round) {
      for (std::uint32_t index = 0; index < 4; ++index) {
        const auto near = ring::committed(sut.reader.last_seq() + *rc::gen::inRange(0U, 9U));
        sut.stream.set_word(
            index, *rc::gen::oneOf(rc::gen::just(near), rc::gen::arbitrary<std::uint64_t>()));
      }
      sut.follow(8, *rc::gen::arbitrary<bool>());
      RC_ASSERT(sut.reader.check_invariants());
    }
  }));
}

TEST(FollowRing, does_nothing_without_a_mapping) {
  TP_REQ("W245", "W256");
  Sut sut({.nslots = 4});
  sut.publish();
  sut.reader.detach();
  sut.mark();
  EXPECT_EQ(sut.follow(), 0);
  EXPECT_EQ(sut.moved(), Changes{});
}

}  // namespace
}  // namespace tensorpool::core::consumer
