// Producer and consumer through the public API, over a real media driver and real files, in one
// process.
#include <algorithm>
#include <cstring>
#include <mutex>
#include <optional>
#include <vector>

#include "client_fixture.hpp"
#include "support/requirement.hpp"

namespace tensorpool::test {
namespace {

using ClientStream = ClientTest;

TEST_F(ClientStream, frames_arrive_bit_for_bit_and_in_order) {
  TP_REQ("W187", "W189", "W203", "W204", "W231", "W271", "W280");
  auto client = Client::create(options());
  ASSERT_TRUE(client) << describe(client.error());
  for (const FollowMode mode : {FollowMode::kDescriptors, FollowMode::kDirect}) {
    auto producer = client->create_producer(stream());
    ASSERT_TRUE(producer) << describe(producer.error());
    auto sut = client->create_consumer(reader(mode));
    ASSERT_TRUE(sut) << describe(sut.error());
    ASSERT_TRUE(eventually([&] {
      sut->poll([](const FrameView&) {});
      return sut->epoch() == producer->epoch() &&
             (mode == FollowMode::kDirect || producer->has_subscribers());
    }));

    constexpr std::uint64_t kFrames = 200;
    std::uint64_t received = 0;
    for (std::uint64_t seq = 0; seq < kFrames; ++seq) {
      const auto sent = payload_of(seq);
      ASSERT_EQ(producer->publish(info(), sent, seq + 1), PublishStatus::kPublished);
      ASSERT_TRUE(eventually([&] {
        sut->poll([&](const FrameView& view) {
          EXPECT_EQ(view.seq(), received);
          EXPECT_EQ(view.timestamp_ns(), received + 1);
          EXPECT_EQ(view.info().strides[0], 100);
          EXPECT_EQ(view.bytes().size(), sent.size());
          EXPECT_EQ(std::memcmp(view.bytes().data(), sent.data(), sent.size()), 0);
          EXPECT_TRUE(view.still_valid());
          ++received;
        });
        return received == seq + 1;
      }));
    }
    EXPECT_EQ(sut->counters().frames_ok, kFrames);
    EXPECT_EQ(sut->counters().drops_gap, 0U);
    EXPECT_EQ(sut->counters().drops_late, 0U);
  }
}

TEST_F(ClientStream, a_new_epoch_is_mapped_and_the_end_of_the_old_one_is_told) {
  TP_REQ("W242", "W243", "W244", "W407");
  auto client = Client::create(options());
  ASSERT_TRUE(client) << describe(client.error());
  std::vector<ConsumerEvent> events;
  std::mutex mutex;
  ConsumerOptions wanted = reader();
  wanted.on_event = [&](const ConsumerEvent& event) {
    const std::lock_guard lock(mutex);
    events.push_back(event);
  };
  auto sut = client->create_consumer(wanted);
  ASSERT_TRUE(sut) << describe(sut.error());
  std::uint64_t first_epoch = 0;
  for (int life = 0; life < 2; ++life) {
    auto producer = client->create_producer(stream());
    ASSERT_TRUE(producer) << describe(producer.error());
    first_epoch = life == 0 ? producer->epoch() : first_epoch;
    EXPECT_EQ(producer->epoch() > first_epoch, life == 1);
    bool seen = false;
    ASSERT_TRUE(eventually([&] {
      static_cast<void>(producer->publish(info(), payload_of(0)));
      sut->poll([&](const FrameView& view) { seen = seen || view.epoch() == producer->epoch(); });
      return seen;
    }));
  }
  ASSERT_TRUE(eventually([&] {
    sut->poll([](const FrameView&) {});
    const std::lock_guard lock(mutex);
    return std::any_of(events.begin(), events.end(), [&](const ConsumerEvent& event) {
      return event.kind == ConsumerEvent::Kind::kDiscontinuity && event.epoch == first_epoch &&
             event.any_frame;
    });
  }));
}

TEST_F(ClientStream, a_lease_outlives_its_mapping_and_a_claim_its_producer) {
  TP_REQ("W175", "W176", "W183");
  auto client = Client::create(options());
  ASSERT_TRUE(client) << describe(client.error());
  auto producer = client->create_producer(stream());
  ASSERT_TRUE(producer) << describe(producer.error());
  auto consumer = client->create_consumer(reader());
  ASSERT_TRUE(consumer) << describe(consumer.error());
  const auto sent = payload_of(7);
  std::optional<FrameLease> lease;
  ASSERT_TRUE(eventually([&] {
    static_cast<void>(producer->publish(info(), sent));
    consumer->poll([&](const FrameView& view) { lease.emplace(view.keep()); });
    return lease.has_value();
  }));
  EXPECT_TRUE(lease->still_valid());
  auto claim = producer->claim(100);
  ASSERT_TRUE(claim);

  producer = tl::unexpected<Error>(Error{});
  consumer = tl::unexpected<Error>(Error{});
  EXPECT_EQ(std::memcmp(lease->bytes().data(), sent.data(), sent.size()), 0);
  EXPECT_FALSE(lease->still_valid());
  claim->payload()[0] = std::byte{1};
  EXPECT_EQ(claim->commit(info(), 100, std::nullopt), CommitStatus::kStaleClaim);
}

}  // namespace
}  // namespace tensorpool::test
