// The ways of running a client: driven by the application, over channels of one's own, beside other
// streams, with shared memory switched off and on.
#include <pthread.h>

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "client_fixture.hpp"
#include "layout/messages_900.hpp"
#include "raw_sender.hpp"
#include "support/requirement.hpp"

namespace tensorpool::test {
namespace {

using Kind = ConsumerEvent::Kind;
using Modes = ClientTest;

TEST_F(Modes, an_invoked_client_does_its_control_work_in_do_work_and_nowhere_else) {
  const Client host = connect();  // of the media driver
  ClientOptions invoked = options();
  invoked.threading = Threading::kInvoked;
  std::set<pthread_t> loggers;
  invoked.log = [&](LogLevel, std::string_view) { loggers.insert(::pthread_self()); };
  Result<Client> client = Client::create(invoked);
  ASSERT_TRUE(client) << describe(client.error());
  Producer producer = produce(*client, stream());
  EventLog events;
  ConsumerOptions wanted = reader();
  wanted.on_event = events.sink();
  Consumer sut = consume(*client, wanted);

  // Left alone, nothing goes on: what a thread would have done meanwhile is not done.
  Client observer = connect();
  Consumer foreign = consume(observer, reader());
  const auto end = std::chrono::steady_clock::now() + 2 * kAnnouncePeriod;
  ASSERT_TRUE(eventually([&] { return std::chrono::steady_clock::now() > end; }));
  EXPECT_EQ(client->connection(), ConnectionState::kConnecting);
  EXPECT_EQ(foreign.state(), MappingState::kUnmapped);

  ASSERT_TRUE(eventually([&] {
    client->do_work();
    sut.poll([](const FrameView&) {});
    foreign.poll([](const FrameView&) {});
    return producer.has_subscribers() && sut.epoch() == producer.epoch() &&
           foreign.epoch() == producer.epoch();
  }));
  for (std::uint64_t seq = 0; seq < 10; ++seq) {
    publish(producer);
    for (Consumer* one : {&sut, &foreign}) {
      const auto view = wait_next(*one);
      ASSERT_TRUE(view.has_value());
      EXPECT_EQ(view->seq(), seq);
    }
  }
  EXPECT_EQ(events.count(Kind::kMapped), 1U);
  EXPECT_EQ(loggers, std::set<pthread_t>{::pthread_self()});

  // Calls that come late are counted, and a producer that is not looked after goes stale.
  const std::uint64_t late = client->late_calls();
  ASSERT_TRUE(eventually([&] {
    foreign.poll([](const FrameView&) {});
    return foreign.state() == MappingState::kUnmapped;
  }));
  EXPECT_EQ(client->late_calls(), late);
  client->do_work();
  EXPECT_EQ(client->late_calls(), late + 1);
}

TEST_F(Modes, a_batch_takes_as_many_as_it_is_given) {
  for (const FollowMode mode : {FollowMode::kDescriptors, FollowMode::kDirect}) {
    Client client = connect();
    Producer producer = produce(client, stream());
    ConsumerOptions wanted = reader(mode);
    wanted.probe_after = std::chrono::hours(1);
    Consumer sut = consume(client, wanted);
    ASSERT_TRUE(joined(producer, sut, mode));
    publish(producer);
    ASSERT_TRUE(wait_next(sut).has_value());
    publish(producer, 12);
    std::vector<int> batches;
    std::vector<std::uint64_t> seqs;
    ASSERT_TRUE(eventually([&] {
      const PollResult result =
          sut.poll([&](const FrameView& view) { seqs.push_back(view.seq()); }, 5);
      if (result.frames != 0) {
        batches.push_back(result.frames);
      }
      return seqs.size() == 12;
    }));
    EXPECT_EQ(batches, (std::vector<int>{5, 5, 2}));
    for (std::uint64_t k = 0; k < seqs.size(); ++k) {
      EXPECT_EQ(seqs[k], k + 1);
    }
  }
}

TEST_F(Modes, every_channel_and_stream_id_can_be_chosen_and_announces_kept_apart_from_control) {
  TP_REQ("W430");
  const Client host = connect();
  ClientOptions apart = options();
  apart.channels = {.control_channel = "aeron:ipc?term-length=64k",
                    .control_stream_id = 2000,
                    .announce_channel = "aeron:ipc?term-length=128k",
                    .announce_stream_id = 2001,
                    .metadata_channel = "aeron:ipc?term-length=256k",
                    .metadata_stream_id = 2300};
  StreamOptions chosen = stream();
  chosen.descriptor_channel = "aeron:ipc?term-length=512k";
  chosen.descriptor_stream_id = 2100;
  ConsumerOptions wanted = reader();
  wanted.descriptor_channel = chosen.descriptor_channel;
  wanted.descriptor_stream_id = chosen.descriptor_stream_id;
  wanted.recover_gaps = false;  // by descriptor, or not at all

  Result<Client> producing = Client::create(apart);
  Result<Client> consuming = Client::create(apart);
  ASSERT_TRUE(producing && consuming);
  Producer producer = produce(*producing, chosen);
  Consumer sut = consume(*consuming, wanted);
  ASSERT_TRUE(joined(producer, sut));
  publish(producer);
  ASSERT_TRUE(eventually([&] {
    sut.poll([](const FrameView&) {});
    return sut.counters().frames_ok == 1;
  }));

  // Who listens elsewhere hears nothing, neither of the stream nor of its name.
  Client elsewhere = connect();
  ASSERT_TRUE(eventually([&] { return elsewhere.connection() == ConnectionState::kConnected; }));
  const std::uint64_t announced = producer.counters().announces_sent;
  ASSERT_TRUE(eventually([&] { return producer.counters().announces_sent >= announced + 2; }));
  EXPECT_TRUE(elsewhere.streams().empty());
  EXPECT_EQ(consuming->streams().size(), 1U);
}

TEST_F(Modes, several_streams_share_the_streams_of_aeron_and_everybody_takes_his_own) {
  TP_REQ("W431");
  Client client = connect();
  std::vector<Producer> producers;
  std::vector<Consumer> consumers;
  for (const char* name : {"cam1", "cam2", "cam3"}) {
    producers.push_back(produce(client, stream(name)));
    ConsumerOptions wanted = reader();
    wanted.name = name;
    consumers.push_back(consume(client, wanted));
  }
  for (std::size_t k = 0; k < producers.size(); ++k) {
    ASSERT_TRUE(joined(producers[k], consumers[k]));
    EXPECT_EQ(consumers[k].stream_id(), producers[k].stream_id());
  }
  for (std::uint64_t seq = 0; seq < 50; ++seq) {
    for (std::size_t k = 0; k < producers.size(); ++k) {
      ASSERT_EQ(producers[k].publish(info(), payload_of(100 * k + seq)), PublishStatus::kPublished);
    }
    for (std::size_t k = 0; k < consumers.size(); ++k) {
      const auto view = wait_next(consumers[k]);
      ASSERT_TRUE(view.has_value());
      EXPECT_EQ(view->seq(), seq);
      const auto sent = payload_of(100 * k + seq);
      EXPECT_TRUE(std::equal(sent.begin(), sent.end(), view->bytes().begin()));
    }
  }
  for (const Consumer& one : consumers) {
    EXPECT_EQ(one.counters().frames_ok, 50U);
    EXPECT_EQ(one.counters().drops_gap + one.counters().drops_late, 0U);
  }
}

class Configured : public ClientTest {
 protected:
  static constexpr std::uint32_t kConsumer = 77;

  Configured() {
    ConsumerOptions wanted = reader();
    wanted.consumer_id = kConsumer;
    wanted.on_event = events_.sink();
    sut_.emplace(consume(client_, wanted));
    EXPECT_TRUE(joined(producer_, *sut_));
  }
  [[nodiscard]] layout::ConsumerConfig config(bool use_shm, std::string_view fallback = {}) const {
    layout::ConsumerConfig message;
    message.stream_id = producer_.stream_id();
    message.consumer_id = kConsumer;
    message.use_shm = use_shm;
    message.payload_fallback_uri = fallback;
    return message;
  }
  [[nodiscard]] bool reaches(MappingState state) {
    return eventually([&] {
      sut_->poll([](const FrameView&) {});
      return sut_->state() == state;
    });
  }

  Client client_ = connect();
  Producer producer_ = produce(client_, stream());
  EventLog events_;
  std::optional<Consumer> sut_;
  RawSender supervisor_{client_.aeron_dir()};
};

TEST_F(Configured, a_consumer_leaves_shared_memory_when_told_so_and_comes_back) {
  TP_REQ("W248", "W331");
  publish(producer_);
  const auto view = wait_next(*sut_);
  ASSERT_TRUE(view.has_value());
  const FrameLease lease = view->keep();
  for (std::size_t time = 1; time <= 2; ++time) {
    supervisor_.send_message(kControlStream, config(false, "bridge://far/away"));
    ASSERT_TRUE(reaches(MappingState::kFallback));
    EXPECT_EQ(sut_->epoch(), 0U);
    EXPECT_FALSE(lease.still_valid());
    ASSERT_TRUE(eventually([&] {
      sut_->poll([](const FrameView&) {});
      return events_.count(Kind::kFallback) == time && events_.count(Kind::kDiscontinuity) == time;
    }));
    EXPECT_EQ(events_.of(Kind::kFallback).back().text, "bridge://far/away");
    EXPECT_EQ(events_.of(Kind::kDiscontinuity).back().reason, UnmapReason::kConfigured);

    // Neither announces nor descriptors bring it back, and none is counted as lost.
    const ConsumerCounters before = sut_->counters();
    const std::uint64_t announced = producer_.counters().announces_sent;
    ASSERT_TRUE(eventually([&] {
      publish(producer_);
      EXPECT_EQ(sut_->poll([](const FrameView&) {}).frames, 0);
      return producer_.counters().announces_sent >= announced + 2;
    }));
    EXPECT_EQ(sut_->state(), MappingState::kFallback);
    EXPECT_EQ(sut_->counters().drops_unmapped, before.drops_unmapped);
    EXPECT_EQ(sut_->counters().frames_ok, before.frames_ok);

    supervisor_.send_message(kControlStream, config(true));
    ASSERT_TRUE(reaches(MappingState::kMapped));
    ASSERT_TRUE(eventually([&] {
      publish(producer_);
      sut_->poll([](const FrameView&) {});
      return sut_->counters().frames_ok > before.frames_ok;
    }));
  }
}

TEST_F(Configured, a_config_for_another_consumer_or_stream_is_ignored) {
  TP_REQ("W323");
  layout::ConsumerConfig other_consumer = config(false);
  other_consumer.consumer_id = kConsumer + 1;
  layout::ConsumerConfig other_stream = config(false);
  other_stream.stream_id += 1;
  supervisor_.send_message(kControlStream, other_consumer);
  supervisor_.send_message(kControlStream, other_stream);
  supervisor_.send(kControlStream, std::as_bytes(std::span("x")));  // counted once heard
  ASSERT_TRUE(eventually([&] { return sut_->counters().malformed_messages == 1; }));
  EXPECT_EQ(sut_->state(), MappingState::kMapped);
  supervisor_.send_message(kControlStream, config(false));
  ASSERT_TRUE(reaches(MappingState::kFallback));
  EXPECT_EQ(events_.of(Kind::kFallback).back().text, "");
}

TEST_F(Modes, a_consumer_that_shall_not_use_shared_memory_maps_nothing) {
  Client client = connect();
  Producer producer = produce(client, stream());
  ConsumerOptions wanted = reader();
  wanted.use_shm = false;
  Consumer sut = consume(client, wanted);
  Consumer other = consume(client, reader());
  ASSERT_TRUE(joined(producer, other));
  publish(producer, 3);
  ASSERT_TRUE(wait_next(other).has_value());
  const std::uint64_t announced = producer.counters().announces_sent;
  ASSERT_TRUE(eventually([&] {
    EXPECT_EQ(sut.poll([](const FrameView&) {}).frames, 0);
    return producer.counters().announces_sent >= announced + 2;
  }));
  EXPECT_EQ(sut.state(), MappingState::kFallback);
  EXPECT_EQ(sut.epoch(), 0U);
}

}  // namespace
}  // namespace tensorpool::test
