// Reading the beginning of a frame, with the writer that fills it.
#include "core/progress/prefix.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "base/atomics.hpp"
#include "core/producer/frame_writer.hpp"
#include "support/probe_atom.hpp"
#include "support/requirement.hpp"
#include "support/ring_fixture.hpp"

namespace tensorpool::core::progress {
namespace {

using Atom = base::DefaultAtom;
using Reader = PrefixReader<Atom>;

constexpr std::uint32_t kSlots = 4;

class PrefixTest : public ::testing::Test {
 protected:
  PrefixTest() {
    agreed_.attach(stream_.memory());
    usual_.attach(stream_.memory());
  }
  [[nodiscard]] detail::OpenClaim claim() {
    detail::OpenClaim open;
    EXPECT_EQ(writer_.claim(1000, open), PublishStatus::kPublished);
    std::fill(open.payload.begin(), open.payload.end(), static_cast<std::byte>(open.seq));
    return open;
  }
  [[nodiscard]] static TensorInfo rows() {
    TensorInfo info = TensorInfo::packed(Dtype::kUint8, {10, 100});
    info.progress_unit = ProgressUnit::kRows;
    info.progress_stride_bytes = 100;
    return info;
  }
  [[nodiscard]] bool unchanged(std::uint64_t seq, bool early_header = true) const {
    const auto index = stream_.memory().index_of(seq);
    return prefix_unchanged<Atom>(*stream_.memory().slot(index), seq, early_header);
  }

  test::HeapStream<Atom> stream_{kSlots, {test::PoolShape{.id = 1, .stride_bytes = 4096}}};
  producer::FrameWriter<Atom> writer_{stream_.memory(), {.stream_id = 10000, .epoch = 5}};
  Reader agreed_{true};
  Reader usual_{false};
};

TEST_F(PrefixTest, of_a_slot_in_progress_nothing_is_readable_unless_it_was_agreed) {
  TP_REQ("W363", "W369");
  const auto open = claim();
  ASSERT_EQ(writer_.store_header_early(open, rows(), 1000, 7), CommitStatus::kCommitted);
  EXPECT_EQ(usual_.look(0, 1).standing, SlotStanding::kInProgress);
  EXPECT_FALSE(usual_.look(0, 1).readable);
  const Prefix sut = agreed_.look(0, 1);
  EXPECT_EQ(sut.standing, SlotStanding::kInProgress);
  ASSERT_TRUE(sut.readable);
  EXPECT_EQ(sut.values_len_bytes, 1000U);
  EXPECT_EQ(sut.payload, open.payload.data());
  EXPECT_EQ(sut.tensor->info.dims[0], 10);
  EXPECT_EQ(readable_bytes(*sut.tensor, 250), 200U);
}

TEST_F(PrefixTest, of_a_slot_in_which_nothing_is_filled_not_even_the_header_is_looked_at) {
  TP_REQ("W369");
  const auto open = claim();
  EXPECT_EQ(agreed_.look(0, 0).standing, SlotStanding::kInProgress);  // nothing was ever stored
  EXPECT_FALSE(agreed_.look(0, 0).readable);
  EXPECT_FALSE(writer_.has_early_header(open));
  ASSERT_EQ(writer_.store_header_early(open, rows(), 1000, 7), CommitStatus::kCommitted);
  EXPECT_TRUE(writer_.has_early_header(open));
  EXPECT_FALSE(agreed_.look(0, 0).readable);
  EXPECT_TRUE(agreed_.look(0, 1).readable);
  ASSERT_EQ(writer_.commit(open, rows(), 1000, 7), CommitStatus::kCommitted);
  EXPECT_TRUE(agreed_.look(0, 0).readable);
  EXPECT_FALSE(writer_.has_early_header(open));
}

TEST_F(PrefixTest, what_is_going_to_be_committed_can_be_checked_before) {
  TP_REQ("W185");
  const auto open = claim();
  EXPECT_EQ(writer_.check(open, rows(), 1000, 7), CommitStatus::kCommitted);
  EXPECT_EQ(writer_.check(open, rows(), 5000, 7), CommitStatus::kInvalidParams);
  TensorInfo wrong = rows();
  wrong.progress_stride_bytes = 99;
  EXPECT_EQ(writer_.check(open, wrong, 1000, 7), CommitStatus::kInvalidParams);
  writer_.abort(open);
  EXPECT_EQ(writer_.check(open, rows(), 1000, 7), CommitStatus::kStaleClaim);
}

TEST_F(PrefixTest, a_prefix_stays_valid_over_the_commit_and_until_the_slot_is_taken_again) {
  TP_REQ("W369", "W366");
  const auto open = claim();
  ASSERT_EQ(writer_.store_header_early(open, rows(), 1000, 7), CommitStatus::kCommitted);
  EXPECT_TRUE(unchanged(0));
  EXPECT_FALSE(unchanged(0, false));
  ASSERT_EQ(writer_.commit(open, rows(), 1000, 7), CommitStatus::kCommitted);
  EXPECT_TRUE(unchanged(0));
  EXPECT_TRUE(unchanged(0, false));
  for (std::uint32_t k = 0; k < kSlots - 1; ++k) {
    ASSERT_EQ(writer_.commit(claim(), rows(), 1000, 7), CommitStatus::kCommitted);
    EXPECT_TRUE(unchanged(0));
  }
  const auto next_lap = claim();
  EXPECT_FALSE(unchanged(0));
  EXPECT_EQ(next_lap.seq, kSlots);
}

TEST_F(PrefixTest, a_claim_that_was_aborted_is_readable_until_its_slot_is_taken_again) {
  TP_REQ("W369");
  const auto open = claim();
  ASSERT_EQ(writer_.store_header_early(open, rows(), 1000, 7), CommitStatus::kCommitted);
  writer_.abort(open);
  EXPECT_TRUE(unchanged(0));
  for (std::uint32_t k = 0; k < kSlots; ++k) {
    ASSERT_EQ(writer_.commit(claim(), rows(), 1000, 7), CommitStatus::kCommitted);
  }
  EXPECT_FALSE(unchanged(0));
}

TEST_F(PrefixTest, length_and_shape_do_not_change_between_early_header_and_commit) {
  TP_REQ("W369");
  const auto open = claim();
  ASSERT_EQ(writer_.store_header_early(open, rows(), 1000, 7), CommitStatus::kCommitted);
  EXPECT_EQ(writer_.store_header_early(open, rows(), 1000, 7), CommitStatus::kCommitted);
  const TensorInfo other = TensorInfo::packed(Dtype::kUint8, {20, 50});
  EXPECT_EQ(writer_.store_header_early(open, rows(), 900, 7), CommitStatus::kInvalidParams);
  EXPECT_EQ(writer_.store_header_early(open, other, 1000, 7), CommitStatus::kInvalidParams);
  EXPECT_EQ(writer_.commit(open, rows(), 900, 7), CommitStatus::kInvalidParams);
  EXPECT_EQ(writer_.commit(open, other, 1000, 7), CommitStatus::kInvalidParams);
  EXPECT_EQ(writer_.commit(open, rows(), 1000, 8), CommitStatus::kCommitted);
  EXPECT_EQ(writer_.store_header_early(open, rows(), 1000, 7), CommitStatus::kStaleClaim);
  const auto next = claim();  // bound by nothing
  EXPECT_EQ(writer_.commit(next, other, 900, 9), CommitStatus::kCommitted);
}

TEST_F(PrefixTest, a_header_that_is_refused_is_no_prefix) {
  TP_REQ("W364");
  const auto open = claim();
  ASSERT_EQ(writer_.commit(open, rows(), 1000, 7), CommitStatus::kCommitted);
  EXPECT_TRUE(usual_.look(0, 1).readable);
  stream_.poke<std::uint32_t>(0, offsetof(layout::Slot, payload_offset), 64);
  const Prefix sut = usual_.look(0, 1);
  EXPECT_FALSE(sut.readable);
  EXPECT_EQ(sut.standing, SlotStanding::kHeaderInvalid);
}

TEST_F(PrefixTest, the_header_of_an_older_frame_is_not_taken_for_that_of_the_claim) {
  TP_REQ("W363", "W365");
  for (std::uint32_t k = 0; k < kSlots; ++k) {
    ASSERT_EQ(writer_.commit(claim(), rows(), 1000, 7), CommitStatus::kCommitted);
  }
  EXPECT_EQ(usual_.look(kSlots, 1).standing, SlotStanding::kEarlier);
  const auto open = claim();
  EXPECT_EQ(usual_.look(kSlots, 1).standing, SlotStanding::kInProgress);
  EXPECT_FALSE(usual_.look(kSlots, 1).readable);
  EXPECT_EQ(usual_.look(0, 1).standing, SlotStanding::kLater);
  static_cast<void>(open);
}

TEST(PrefixRace, a_slot_that_is_taken_while_its_header_is_copied_is_no_prefix) {
  TP_REQ("W364", "W369");
  using Probe = test::ProbeAtom;
  test::HeapStream<Probe> stream(kSlots, {test::PoolShape{.id = 1, .stride_bytes = 4096}});
  producer::FrameWriter<Probe> writer(stream.memory(), {.stream_id = 10000, .epoch = 5});
  const auto write = [&] {
    detail::OpenClaim open;
    EXPECT_EQ(writer.claim(1000, open), PublishStatus::kPublished);
    EXPECT_EQ(writer.commit(open, TensorInfo::packed(Dtype::kUint8, {1000}), 1000, 7),
              CommitStatus::kCommitted);
  };
  for (std::uint32_t k = 0; k < kSlots; ++k) {
    write();
  }
  PrefixReader<Probe> sut(true);
  sut.attach(stream.memory());
  ASSERT_TRUE(sut.look(0, 1).readable);
  Probe::probe() = {};
  Probe::probe().before(base::Edge::kSecondFence, write);  // frame 4, over frame 0
  const Prefix prefix = sut.look(0, 1);
  EXPECT_FALSE(prefix.readable);
  EXPECT_EQ(prefix.standing, SlotStanding::kLater);
  Probe::probe() = {};
  sut.detach();
}

TEST(SlotStanding, is_told_from_the_commit_word) {
  EXPECT_EQ(standing_of(ring::in_progress(5), 5), SlotStanding::kInProgress);
  EXPECT_EQ(standing_of(ring::committed(5), 5), SlotStanding::kCommitted);
  EXPECT_EQ(standing_of(ring::committed(4), 5), SlotStanding::kEarlier);
  EXPECT_EQ(standing_of(ring::in_progress(6), 5), SlotStanding::kLater);
  EXPECT_EQ(standing_of(0, 5), SlotStanding::kEarlier);
}

}  // namespace
}  // namespace tensorpool::core::progress
