// What an application can do with frames: next, latest, views, leases, typed views, claims, stamps.
#include <cstring>
#include <optional>
#include <utility>
#include <vector>

#include "client_fixture.hpp"
#include "support/requirement.hpp"

namespace tensorpool::test {
namespace {

using Frames = ClientTest;

std::uint64_t mono_ns() {
  return static_cast<std::uint64_t>(
      std::chrono::duration_cast<Nanos>(std::chrono::steady_clock::now().time_since_epoch())
          .count());
}

class FramesInMode : public ClientTest, public ::testing::WithParamInterface<FollowMode> {};
INSTANTIATE_TEST_SUITE_P(Both, FramesInMode,
                         ::testing::Values(FollowMode::kDescriptors, FollowMode::kDirect));

TEST_P(FramesInMode, latest_passes_over_older_frames_and_accounts_for_them) {
  Client client = connect();
  Producer producer = produce(client, stream());
  ConsumerOptions wanted = reader(GetParam());
  Consumer sut = consume(client, wanted);
  ASSERT_TRUE(joined(producer, sut, GetParam()));
  publish(producer);
  ASSERT_TRUE(wait_next(sut).has_value());
  publish(producer, 5);
  std::optional<FrameView> view;
  ASSERT_TRUE(eventually([&] { return (view = sut.latest()).has_value(); }));
  EXPECT_EQ(view->seq(), 5U);
  EXPECT_TRUE(view->still_valid());
  EXPECT_EQ(sut.latest(), std::nullopt);
  EXPECT_EQ(sut.counters().frames_ok, 2U);
  EXPECT_EQ(sut.counters().skipped_by_reader, 4U);
  EXPECT_EQ(sut.counters().drops_gap, 0U);
  EXPECT_EQ(sut.last_seq(), 5U);
  EXPECT_EQ(accounted(sut.counters()), 6U);
}

TEST_P(FramesInMode, a_frame_overwritten_in_its_callback_is_told_and_counted_once) {
  TP_REQ("W172", "W173", "W280");
  Client client = connect();
  Producer producer = produce(client, stream());
  Consumer sut = consume(client, reader(GetParam()));
  ASSERT_TRUE(joined(producer, sut, GetParam()));
  publish(producer);
  PollResult result;
  std::vector<std::uint64_t> changed;
  ASSERT_TRUE(eventually([&] {
    result = sut.poll(
        [&](const FrameView& view) {
          EXPECT_TRUE(view.still_valid());
          publish(producer, 16);
          EXPECT_FALSE(view.still_valid());
          EXPECT_FALSE(view.still_valid());
        },
        [&](std::uint64_t seq) { changed.push_back(seq); }, 1);
    return result.frames != 0;
  }));
  EXPECT_EQ(result.frames, 1);
  EXPECT_EQ(result.changed_after_use, 1);
  EXPECT_EQ(changed, std::vector<std::uint64_t>{0});
  EXPECT_EQ(sut.counters().frames_ok, 1U);
  EXPECT_EQ(sut.counters().changed_after_use, 1U);
  EXPECT_EQ(sut.counters().drops_changed, 1U);
  EXPECT_EQ(sut.counters().drops_late, 1U);
}

TEST_F(Frames, next_gives_one_frame_a_call_also_while_a_gap_is_filled) {
  Client client = connect();
  StreamOptions wide = stream();
  wide.nslots = 2048;
  wide.descriptor_channel = "aeron:ipc?term-length=64k";
  Producer producer = produce(client, wide);
  ConsumerOptions wanted = reader();
  wanted.descriptor_channel = wide.descriptor_channel;
  wanted.probe_after = std::chrono::hours(1);  // gaps only by descriptor
  Consumer sut = consume(client, wanted);
  ASSERT_TRUE(joined(producer, sut));
  publish(producer);
  ASSERT_TRUE(wait_next(sut).has_value());

  // The descriptor log overflows, so that the next descriptor that passes shows a gap.
  while (producer.counters().descriptor_backpressured < 50) {
    publish(producer);
  }
  const std::uint64_t lost_from = producer.next_seq();
  std::uint64_t next = 1;
  ASSERT_TRUE(eventually([&] {
    const auto view = sut.next();
    if (!view) {
      publish(producer);
      return false;
    }
    EXPECT_EQ(view->seq(), next);
    EXPECT_EQ(sut.last_seq(), next);
    EXPECT_TRUE(view->still_valid());
    ++next;
    return next > lost_from;
  }));
  EXPECT_GE(sut.counters().recovered, 50U);
  EXPECT_EQ(sut.counters().drops_gap, 0U);
  EXPECT_EQ(sut.counters().frames_ok, next);
}

TEST_F(Frames, a_frame_that_next_lent_and_the_producer_overwrote_is_counted_at_the_next_poll) {
  TP_REQ("W173");
  Client client = connect();
  Producer producer = produce(client, stream());
  Consumer sut = consume(client, reader());
  ASSERT_TRUE(joined(producer, sut));
  publish(producer);
  auto view = wait_next(sut);
  ASSERT_TRUE(view.has_value());
  publish(producer, 16);
  EXPECT_FALSE(view->still_valid());
  EXPECT_EQ(sut.counters().changed_after_use, 0U);
  static_cast<void>(sut.latest());
  EXPECT_EQ(sut.counters().changed_after_use, 1U);

  ASSERT_TRUE(eventually([&] {  // a lease counts its own, once
    publish(producer);
    return (view = sut.latest()).has_value();
  }));
  {
    const FrameLease lease = view->keep();
    const FrameLease second = lease.view().keep();
    publish(producer, 16);
    static_cast<void>(sut.latest());
    EXPECT_EQ(sut.counters().changed_after_use, 1U);
    EXPECT_FALSE(lease.still_valid());
  }
  publish(producer, 16);
  ASSERT_TRUE(eventually([&] { return !sut.latest().has_value(); }));
  const std::uint64_t before = sut.counters().changed_after_use;
  static_cast<void>(sut.latest());
  EXPECT_GE(before, 2U);
  EXPECT_EQ(sut.counters().changed_after_use, before);
}

TEST_F(Frames, copy_is_verified_and_the_margin_shrinks_with_every_frame) {
  TP_REQ("W174");
  Client client = connect();
  Producer producer = produce(client, stream());
  Consumer sut = consume(client, reader(FollowMode::kDirect));
  ASSERT_TRUE(joined(producer, sut, FollowMode::kDirect));
  publish(producer);
  const auto view = wait_next(sut);
  ASSERT_TRUE(view.has_value());
  std::vector<std::byte> copy(1000);
  EXPECT_EQ(view->copy_to(std::span(copy).first(999)), CopyStatus::kTooSmall);
  EXPECT_EQ(view->copy_to(copy), CopyStatus::kCopied);
  EXPECT_EQ(copy, payload_of(0));
  for (std::uint32_t margin = 15; margin > 0; --margin) {
    EXPECT_EQ(view->lap_margin(), margin);
    publish(producer);
  }
  EXPECT_EQ(view->lap_margin(), 0U);
  EXPECT_EQ(view->copy_to(copy), CopyStatus::kCopied);
  publish(producer);
  EXPECT_EQ(view->lap_margin(), 0U);
  EXPECT_EQ(view->copy_to(copy), CopyStatus::kChanged);
}

TEST_F(Frames, typed_views_refuse_another_type_short_payloads_and_odd_strides) {
  TP_REQ("W66", "W67");
  Client client = connect();
  Producer producer = produce(client, stream());
  Consumer sut = consume(client, reader());
  ASSERT_TRUE(joined(producer, sut));
  const auto send = [&](const TensorInfo& tensor, std::size_t bytes) {
    auto claim = producer.claim(bytes);
    ASSERT_TRUE(claim);
    ASSERT_EQ(claim->commit(tensor), CommitStatus::kCommitted);
  };
  const TensorInfo plain = TensorInfo::packed(Dtype::kUint32, {4, 6});
  send(plain, 96);
  auto view = wait_next(sut);
  ASSERT_TRUE(view.has_value());
  const auto typed = view->as<std::uint32_t>();
  ASSERT_TRUE(typed);
  EXPECT_EQ(typed->size(), 24U);
  EXPECT_EQ(&(*typed)(3, 5), typed->data() + 23);
  EXPECT_EQ(view->as<float>().error().code, Errc::kDtypeMismatch);

  send(plain, 95);
  view = wait_next(sut);
  ASSERT_TRUE(view.has_value());
  EXPECT_EQ(view->bytes().size(), 95U);
  EXPECT_EQ(view->as<std::uint32_t>().error().code, Errc::kExtentExceedsPayload);

  TensorInfo odd = plain;
  odd.strides = {26, 4};
  send(odd, 102);
  view = wait_next(sut);
  ASSERT_TRUE(view.has_value());
  EXPECT_FALSE(view->contiguous());
  EXPECT_EQ(view->as<std::uint32_t>().error().code, Errc::kMisaligned);
}

TEST_F(Frames, the_commit_hook_sees_the_payload_before_the_frame_is_committed) {
  TP_REQ("W155");
  struct Seen {
    std::size_t bytes = 0;
    int calls = 0;
    Consumer* reader = nullptr;
    bool frame_was_there = false;
  } seen;
  StreamOptions hooked = stream();
  hooked.commit_hook = {.flush =
                            [](void* context, std::span<std::byte> payload) noexcept {
                              auto& to = *static_cast<Seen*>(context);
                              to.bytes = payload.size();
                              to.frame_was_there = to.reader->next().has_value();
                              ++to.calls;
                            },
                        .context = &seen};
  Client client = connect();
  Producer producer = produce(client, hooked);
  Consumer sut = consume(client, reader(FollowMode::kDirect));
  ASSERT_TRUE(joined(producer, sut, FollowMode::kDirect));
  seen.reader = &sut;
  auto claim = producer.claim(1000);
  ASSERT_TRUE(claim);
  ASSERT_EQ(claim->commit(info()), CommitStatus::kCommitted);
  EXPECT_EQ(seen.calls, 1);
  EXPECT_GE(seen.bytes, 1000U);
  EXPECT_FALSE(seen.frame_was_there);
  EXPECT_TRUE(sut.next().has_value());
}

TEST_F(Frames, carry_capture_and_publish_times_that_never_run_backwards) {
  TP_REQ("W191", "W194", "W427");
  StreamOptions stamped = stream();
  stamped.stamp_descriptors = true;
  Client client = connect();
  Producer producer = produce(client, stamped);
  Consumer sut = consume(client, reader());
  ASSERT_TRUE(joined(producer, sut));
  std::uint64_t last_capture = 0;
  std::uint64_t last_publish = 0;
  for (int k = 0; k < 20; ++k) {
    const std::uint64_t before = mono_ns();
    publish(producer);
    const std::uint64_t after = mono_ns();
    const auto view = wait_next(sut);
    ASSERT_TRUE(view.has_value());
    ASSERT_TRUE(view->timestamp_ns().has_value());
    EXPECT_GE(*view->timestamp_ns(), std::max(before, last_capture));
    last_capture = *view->timestamp_ns();
    if (view->descriptor_timestamp_ns()) {  // not when the ring was quicker than the descriptor
      EXPECT_GE(*view->descriptor_timestamp_ns(), std::max(last_capture, last_publish));
      EXPECT_LE(*view->descriptor_timestamp_ns(), after);
      last_publish = *view->descriptor_timestamp_ns();
    }
  }
  EXPECT_GT(last_publish, 0U);
  EXPECT_EQ(producer.publish(info(), payload_of(0), 1), PublishStatus::kInvalidParams);
  EXPECT_EQ(producer.publish(info(), payload_of(0), mono_ns()), PublishStatus::kPublished);
}

TEST_F(Frames, go_to_the_smallest_pool_that_fits_and_larger_ones_take_no_number) {
  TP_REQ("W45", "W46");
  StreamOptions several = stream();
  several.pools = {{.pool_id = 1, .stride_bytes = 4096},
                   {.pool_id = 7, .stride_bytes = 256},
                   {.pool_id = 3, .stride_bytes = 1024}};
  Client client = connect();
  Producer producer = produce(client, several);
  Consumer sut = consume(client, reader());
  ASSERT_TRUE(joined(producer, sut));
  EXPECT_EQ(producer.payload_bytes_max(), 4096U);
  for (const auto& [bytes, stride] : {std::pair{1U, 256U}, std::pair{256U, 256U},
                                      std::pair{257U, 1024U}, std::pair{1025U, 4096U}}) {
    auto claim = producer.claim(bytes);
    ASSERT_TRUE(claim);
    EXPECT_EQ(claim->payload().size(), stride);
    const auto sent = payload_of(bytes, bytes);
    std::memcpy(claim->payload().data(), sent.data(), sent.size());
    ASSERT_EQ(claim->commit(TensorInfo::packed(Dtype::kUint8, {static_cast<int>(bytes)})),
              CommitStatus::kCommitted);
    const auto view = wait_next(sut);
    ASSERT_TRUE(view.has_value());
    EXPECT_TRUE(std::equal(sent.begin(), sent.end(), view->bytes().begin(), view->bytes().end()));
  }
  const std::uint64_t next = producer.next_seq();
  EXPECT_EQ(producer.publish(TensorInfo::packed(Dtype::kUint8, {4097}), payload_of(0, 4097)),
            PublishStatus::kNoPoolFits);
  EXPECT_EQ(producer.claim(4097).error(), PublishStatus::kNoPoolFits);
  EXPECT_EQ(producer.next_seq(), next);
  EXPECT_EQ(producer.counters().drops_no_pool, 2U);
}

TEST_F(Frames, claims_commit_in_order_and_dropped_ones_are_gaps) {
  TP_REQ("W181", "W182");
  Client client = connect();
  Producer producer = produce(client, stream());
  Consumer sut = consume(client, reader());
  ASSERT_TRUE(joined(producer, sut));
  {
    auto first = producer.claim(1000);
    auto second = producer.claim(1000);
    auto third = producer.claim(1000);
    ASSERT_TRUE(first && second && third);
    EXPECT_EQ(third->commit(info()), CommitStatus::kCommitOutOfOrder);
    EXPECT_EQ(producer.publish(info(), payload_of(0)), PublishStatus::kCommitOutOfOrder);
    EXPECT_EQ(first->commit(info()), CommitStatus::kCommitted);
    second->abort();
    EXPECT_EQ(third->commit(info(), 5000, std::nullopt), CommitStatus::kInvalidParams);
    EXPECT_EQ(third->commit(info()), CommitStatus::kCommitted);
    EXPECT_EQ(third->commit(info()), CommitStatus::kStaleClaim);
    auto dropped = producer.claim(1000);
    ASSERT_TRUE(dropped);
  }
  publish(producer);
  std::vector<std::uint64_t> seqs;
  ASSERT_TRUE(eventually([&] {
    sut.poll([&](const FrameView& view) { seqs.push_back(view.seq()); });
    return sut.last_seq() == 4;
  }));
  EXPECT_EQ(seqs, (std::vector<std::uint64_t>{0, 2, 4}));
  EXPECT_EQ(producer.counters().claims_aborted, 1U);
  EXPECT_EQ(producer.counters().claims_dropped, 1U);
  EXPECT_EQ(producer.counters().frames_published, 3U);
  EXPECT_EQ(accounted(sut.counters()), 5U);
}

TEST_F(Frames, a_claim_that_outlives_its_producer_keeps_memory_but_no_files) {
  TP_REQ("W152", "W183");
  Client client = connect();
  std::optional<Producer> producer(produce(client, stream()));
  EXPECT_FALSE(region_files().empty());
  auto claim = producer->claim(1000);
  ASSERT_TRUE(claim);
  producer.reset();
  EXPECT_TRUE(region_files().empty());
  std::fill(claim->payload().begin(), claim->payload().end(), std::byte{7});
  EXPECT_EQ(claim->commit(info()), CommitStatus::kStaleClaim);
}

}  // namespace
}  // namespace tensorpool::test
