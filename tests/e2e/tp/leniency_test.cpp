// The library beside peers whose habits differ where the protocol is lenient: what
// docs/interoperation.md calls accepted. The peers are made by hand, with the parts of `tp
// conform`.
#include <algorithm>
#include <cstddef>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "apps/conform/hand_producer.hpp"
#include "apps/conform/strange.hpp"
#include "apps/conform/workbench.hpp"
#include "e2e/client/client_fixture.hpp"
#include "support/requirement.hpp"

namespace tensorpool::test {
namespace {

using apps::conform::HandProducer;
using apps::conform::Heard;
using apps::conform::Wire;
using apps::conform::Workbench;

constexpr std::uint32_t kStream = 10'000;

class Leniency : public ClientTest {
 protected:
  [[nodiscard]] std::unique_ptr<Workbench> bench(const std::string& channel) {
    Result<std::unique_ptr<Workbench>> made =
        Workbench::create({.aeron_dir = scratch_.path() + "/aeron",
                           .shm_dir = scratch_.path(),
                           .channel = channel,
                           .stream_id = kStream});
    EXPECT_TRUE(made) << describe(made.error());
    return std::move(*made);
  }
  [[nodiscard]] static std::unique_ptr<HandProducer> owner(Workbench& bench) {
    Result<std::unique_ptr<HandProducer>> made = HandProducer::create(bench);
    EXPECT_TRUE(made) << describe(made.error());
    return std::move(*made);
  }
  [[nodiscard]] static ConsumerOptions reader_of_number() {
    return {.stream_id = kStream, .announce_period = kAnnouncePeriod};
  }
  /// Announces on `on` and publishes until a frame of the owner is delivered.
  [[nodiscard]] static std::optional<FrameView> first_frame(Workbench& bench, HandProducer& owner,
                                                            Consumer& sut, Wire on) {
    std::optional<FrameView> view;
    EXPECT_TRUE(eventually(
        [&] {
          owner.refresh();
          bench.send(on, owner.announcement());
          bench.work([](const Heard&) {});
          if (sut.epoch() == owner.epoch()) {
            owner.publish();
          }
          return (view = sut.next()).has_value();
        },
        std::chrono::milliseconds(1)));
    return view;
  }

  Client client_ = connect();
};

TEST_F(Leniency, announces_are_heard_on_control_and_on_a_stream_of_their_own) {
  TP_REQ("W430", "W431");
  const auto peer = bench("aeron:ipc");
  for (const Wire on : {Wire::kControl, Wire::kAnnounce}) {
    const auto producer = owner(*peer);
    Consumer sut = consume(client_, reader_of_number());
    const auto view = first_frame(*peer, *producer, sut, on);
    ASSERT_TRUE(view.has_value());
    EXPECT_EQ(view->epoch(), producer->epoch());
  }
}

TEST_F(Leniency, channels_may_have_any_term_length_or_none) {
  TP_REQ("W430");
  for (const char* channel : {"aeron:ipc?term-length=64k", "aeron:ipc?term-length=16m|alias=x"}) {
    SCOPED_TRACE(channel);
    const auto peer = bench(channel);
    const auto producer = owner(*peer);
    Consumer sut = consume(client_, reader_of_number());
    EXPECT_TRUE(first_frame(*peer, *producer, sut, Wire::kControl).has_value());
  }
}

TEST_F(Leniency, superblocks_may_leave_open_what_readers_do_not_need) {
  TP_REQ("W21", "W23");
  const auto peer = bench("aeron:ipc");
  for (const std::uint32_t slot_bytes : {0U, 0xFFFF'FFFFU}) {
    const auto producer = owner(*peer);
    const auto put = [](const os::MappedRegion& region, std::size_t at, std::uint32_t value) {
      std::memcpy(region.writable_bytes().data() + at, &value, sizeof(value));
    };
    const os::MappedStream& regions = producer->stream().regions();
    put(regions.pools.front(), offsetof(layout::Superblock, slot_bytes), slot_bytes);
    put(regions.header_ring, offsetof(layout::Superblock, stride_bytes), 12'345);
    Consumer sut = consume(client_, reader_of_number());
    EXPECT_TRUE(first_frame(*peer, *producer, sut, Wire::kControl).has_value());
  }
}

TEST_F(Leniency, frames_may_carry_nulls_and_rubbish_where_nothing_is_meant) {
  TP_REQ("W31", "W57", "W61", "W71", "W195", "W197");
  const auto peer = bench("aeron:ipc");
  const auto producer = owner(*peer);
  Consumer sut = consume(client_, reader_of_number());
  ASSERT_TRUE(first_frame(*peer, *producer, sut, Wire::kControl).has_value());
  while (sut.next()) {
  }
  const std::uint64_t seq = producer->put([](layout::Slot& slot) {
    slot.pad.fill(std::byte{0xAB});
    slot.pad_align = std::uint8_t{0xAB};
    slot.tail_pad.fill(std::byte{0xAB});
    slot.timestamp_ns = layout::kTimestampNone;
    slot.meta_version = layout::kMetaVersionNull;
    slot.strides[0] = 0;
    slot.progress_stride_bytes = 77U;
    for (std::size_t k = slot.ndims; k < kMaxDims; ++k) {
      slot.dims[k] = -1;
      slot.strides[k] = -1;
    }
  });
  producer->describe(seq);
  const auto view = wait_next(sut);
  ASSERT_TRUE(view.has_value());
  EXPECT_EQ(view->seq(), seq);
  EXPECT_FALSE(view->timestamp_ns().has_value());
  EXPECT_EQ(view->info().strides[0], 1);
  EXPECT_EQ(sut.counters().drops_late, 0U);
}

TEST_F(Leniency, descriptors_of_a_later_version_s_length_are_frames_like_others) {
  TP_REQ("W77", "W80", "W86");
  const auto peer = bench("aeron:ipc");
  const auto producer = owner(*peer);
  ConsumerOptions by_descriptor = reader_of_number();
  by_descriptor.recover_gaps = false;
  Consumer sut = consume(client_, by_descriptor);
  ASSERT_TRUE(first_frame(*peer, *producer, sut, Wire::kControl).has_value());
  while (sut.next()) {
  }
  auto longer = apps::conform::with_long_block(producer->descriptor(producer->put()));
  ASSERT_TRUE(peer->send(Wire::kDescriptor, longer));
  EXPECT_TRUE(wait_next(sut).has_value());
  longer = apps::conform::with_long_block(producer->descriptor(producer->put()), 0);
  longer[6] = std::byte{0};  // version 0
  ASSERT_TRUE(peer->send(Wire::kDescriptor, longer));
  EXPECT_TRUE(wait_next(sut).has_value());
  EXPECT_EQ(sut.counters().malformed_messages, 0U);
}

TEST_F(Leniency, consumers_that_never_say_hello_are_served) {
  TP_REQ("W187", "W309");
  const auto peer = bench("aeron:ipc");
  StreamOptions wanted = stream("");
  wanted.stream_id = kStream;
  Producer sut = produce(client_, wanted);
  ASSERT_TRUE(eventually([&] { return sut.has_subscribers(); }));
  publish(sut, 3);
  std::vector<std::uint64_t> seqs;
  ASSERT_TRUE(eventually([&] {
    peer->work([&](const Heard& heard) {
      codec::Scratch scratch;
      if (const auto one = codec::decode<layout::FrameDescriptor>(heard.bytes, scratch)) {
        seqs.push_back(one->seq);
      }
    });
    return seqs.size() == 3;
  }));
  EXPECT_EQ(seqs, (std::vector<std::uint64_t>{0, 1, 2}));
}

TEST_F(Leniency, hellos_may_be_long_have_nulls_and_rates_beyond_16_bits) {
  TP_REQ("W80", "W96", "W99", "W299");
  const auto peer = bench("aeron:ipc");
  StreamOptions wanted = stream("");
  wanted.stream_id = kStream;
  Producer sut = produce(client_, wanted);
  layout::ConsumerHello hello;
  hello.stream_id = kStream;
  hello.consumer_id = 5;
  hello.supports_shm = true;
  hello.max_rate_hz = 1'000'000;
  hello.descriptor_stream_id = 0xFFFF'FFFFU;  // no request: neither is answered
  hello.control_stream_id = 0xFFFF'FFFFU;
  layout::ConsumerHello asking = hello;
  asking.consumer_id = 6;
  asking.descriptor_channel = "aeron:ipc";
  asking.descriptor_stream_id = 31'006;
  std::vector<std::uint32_t> answered;
  ASSERT_TRUE(eventually([&] {
    peer->send(Wire::kControl, apps::conform::with_long_block(hello));
    peer->send(Wire::kControl, apps::conform::with_long_block(asking));
    peer->work([&](const Heard& heard) {
      codec::Scratch scratch;
      if (const auto config = codec::decode<layout::ConsumerConfig>(heard.bytes, scratch)) {
        answered.push_back(config->consumer_id);
        EXPECT_EQ(config->descriptor_stream_id, 31'006U);
      }
    });
    return answered.size() >= 3;
  }));
  EXPECT_EQ(std::count(answered.begin(), answered.end(), 5U), 0);
  EXPECT_EQ(sut.counters().frames_published, 0U);
}

}  // namespace
}  // namespace tensorpool::test
