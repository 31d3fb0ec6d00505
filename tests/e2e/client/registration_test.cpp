// Consumers with streams of their own, over a real media driver: what is asked for, assigned,
// declined, moved, given up.
#include <atomic>
#include <chrono>
#include <cstring>
#include <set>
#include <thread>

#include "registration_fixture.hpp"

namespace tensorpool::test {
namespace {

using std::chrono::milliseconds;

class Registration : public RegistrationTest {};

TEST_F(Registration, gives_a_consumer_the_stream_that_it_asks_for) {
  TP_REQ("W188", "W287", "W289", "W297", "W325", "W332");
  Client client = connect();
  Client reading = connect();
  RawListener control(client.aeron_dir());
  Producer producer = produce(client, wide_stream());
  Consumer sut = consume(reading, asking());
  ASSERT_TRUE(joined(producer, sut));
  ASSERT_TRUE(on_own_stream(sut));
  int configs = 0;
  ASSERT_TRUE(eventually([&] {  // each hello is answered, and nothing changes by that
    control.hear<ConsumerConfig>([&](const ConsumerConfig& config) {
      ++configs;
      EXPECT_EQ(config.stream_id, producer.stream_id());
      EXPECT_EQ(config.descriptor_stream_id, 31'000U);
      EXPECT_EQ(config.descriptor_channel, kOwnChannel);
      EXPECT_EQ(config.control_stream_id, 0U);
    });
    return configs >= 4;
  }));
  publish_numbered(producer);
  ASSERT_TRUE(wait_next(sut).has_value());
  const std::uint64_t first = sut.last_seq();
  const ConsumerCounters before = sut.counters();
  for (int frame = 0; frame < 500; ++frame) {
    publish_numbered(producer);
    ASSERT_TRUE(wait_next(sut).has_value());
  }
  EXPECT_EQ(sut.last_seq(), first + 500);
  // By descriptor, but for those that the media driver was too slow for.
  EXPECT_LT(sut.counters().recovered - before.recovered, 250U);
  EXPECT_TRUE(sut.has_own_descriptors());
  EXPECT_EQ(sut.counters().drops_gap, 0U);
}

TEST_F(Registration, serves_on_the_shared_stream_who_was_declined) {
  TP_REQ("W306", "W309", "D258", "W326");
  Client client = connect();
  Producer producer = produce(client, wide_stream());
  RawListener control(client.aeron_dir());
  EventLog events;
  ConsumerOptions wanted = asking(kDescriptorStream);  // that of everybody
  wanted.on_event = events.sink();
  Consumer sut = consume(client, wanted);
  ASSERT_TRUE(joined(producer, sut));
  int declined = 0;
  ASSERT_TRUE(eventually([&] {
    control.hear<ConsumerConfig>([&](const ConsumerConfig& config) {
      ++declined;
      EXPECT_EQ(config.descriptor_stream_id, 0U);
      EXPECT_EQ(config.descriptor_channel, "");
    });
    return declined >= 2;
  }));
  for (int frame = 0; frame < 100; ++frame) {
    publish_numbered(producer);
    ASSERT_TRUE(wait_next(sut).has_value());
  }
  EXPECT_FALSE(sut.has_own_descriptors());
  EXPECT_EQ(events.count(Kind::kError), 0U);
}

TEST_F(Registration, grants_nobody_the_shared_descriptors_of_another_stream) {
  TP_REQ("W306");
  Client client = connect();
  Producer producer = produce(client, wide_stream());
  RawListener control(client.aeron_dir());
  RawSender peer(client.aeron_dir());
  const std::map<std::uint32_t, std::uint32_t> asked = {
      {71, 1101}, {72, 1999}, {73, 2101}, {74, 2102}};
  std::map<std::uint32_t, std::uint32_t> granted;
  ASSERT_TRUE(eventually([&] {
    for (const auto& [consumer, id] : asked) {
      peer.send_message(kControlStream, hello_of(producer, consumer, id));
    }
    control.hear<ConsumerConfig>([&](const ConsumerConfig& config) {
      granted[config.consumer_id] = config.descriptor_stream_id;
    });
    return granted.size() == asked.size();
  }));
  EXPECT_EQ(granted,
            (std::map<std::uint32_t, std::uint32_t>{{71, 0}, {72, 0}, {73, 0}, {74, 2102}}));
}

TEST_F(Registration, closes_the_stream_of_one_that_has_fallen_silent_and_of_nobody_else) {
  TP_REQ("W319", "W321", "W322");
  Client client = connect();
  Producer producer = produce(client, wide_stream());
  Consumer alive = consume(client, asking(31'001));
  ASSERT_TRUE(joined(producer, alive));
  ASSERT_TRUE(on_own_stream(alive));
  RawSender peer(client.aeron_dir());
  bus::Client bus = bus::testing::make_client(client.aeron_dir());
  ASSERT_TRUE(bus::testing::bring_up(bus));
  auto heard = bus::testing::wait_for(
      bus, bus.begin_add_subscription(bus::testing::channel(kOwnChannel), 31'000));
  ASSERT_TRUE(heard.has_value());
  const auto connected = [&](bool wanted) {
    return eventually([&] {
      bus.do_work(bus::testing::mono_now());
      drop_frames(alive);
      return (heard.value()->image_count() != 0) == wanted;
    });
  };
  peer.send_message(kControlStream, hello_of(producer, 77, 31'000));
  ASSERT_TRUE(connected(true));
  ASSERT_TRUE(connected(false));  // nothing was published meanwhile: the producer's thread sleeps
  EXPECT_TRUE(alive.has_own_descriptors());

  peer.send_message(kControlStream, hello_of(producer, 77, 31'000));  // comes back
  ASSERT_TRUE(connected(true));
  peer.send_message(kControlStream, hello_of(producer, 77));  // gives it up
  ASSERT_TRUE(connected(false));
  publish_numbered(producer);
  EXPECT_TRUE(wait_next(alive).has_value());
}

TEST_F(Registration, publishes_to_others_when_one_of_them_blocks_its_stream) {
  TP_REQ("W202", "W199");
  Client client = connect();
  Producer producer = produce(client, wide_stream());
  Consumer sut = consume(client, asking(31'001));
  ASSERT_TRUE(joined(producer, sut));
  ASSERT_TRUE(on_own_stream(sut));
  bus::Client bus = bus::testing::make_client(client.aeron_dir());
  ASSERT_TRUE(bus::testing::bring_up(bus));
  auto blocked = bus::testing::wait_for(  // tethered, and never polled
      bus, bus.begin_add_subscription(bus::testing::channel(kOwnChannel), 31'000));
  ASSERT_TRUE(blocked.has_value());
  RawSender peer(client.aeron_dir());
  ASSERT_TRUE(eventually([&] {
    bus.do_work(bus::testing::mono_now());
    peer.send_message(kControlStream, hello_of(producer, 77, 31'000));
    return blocked.value()->image_count() != 0;
  }));
  const ConsumerCounters before = sut.counters();
  const std::uint64_t first = producer.next_seq();
  int published = 0;
  ASSERT_TRUE(eventually([&] {
    if (published % 50 == 0) {
      peer.send_message(kControlStream, hello_of(producer, 77, 31'000));
      bus.do_work(bus::testing::mono_now());
    }
    publish_numbered(producer);
    ++published;
    EXPECT_TRUE(wait_next(sut).has_value());
    return producer.counters().descriptor_backpressured >= 100;
  }));
  EXPECT_EQ(sut.last_seq(), first + static_cast<std::uint64_t>(published) - 1);
  EXPECT_LT(sut.counters().recovered - before.recovered, static_cast<std::uint64_t>(published) / 2);
  EXPECT_EQ(sut.counters().drops_gap, 0U);
}

TEST_F(Registration, announces_at_once_to_a_newcomer) {
  TP_REQ("W210");
  Client client = connect();
  StreamOptions slow = wide_stream();
  slow.announce_period = std::chrono::hours(1);
  RawListener listener(client.aeron_dir());
  Producer producer = produce(client, slow);
  int announces = 0;
  const auto hear = [&](int count) {
    return eventually([&] {
      listener.hear<layout::ShmPoolAnnounce>([&](const auto&) { ++announces; });
      return announces >= count;
    });
  };
  ASSERT_TRUE(hear(1));
  RawSender peer(client.aeron_dir());
  peer.send_message(kControlStream, hello_of(producer, 77));
  ASSERT_TRUE(hear(2));
  peer.send_message(kControlStream, hello_of(producer, 77));  // known by now
  peer.send_message(kControlStream, hello_of(producer, 78));
  ASSERT_TRUE(hear(3));
}

class Assigned : public RegistrationTest {
 protected:
  /// A producer that answers nobody, and a test that answers in its place.
  Assigned() : client_(connect()), producer_(produce(client_, silent())), responder_(dir()) {}

  [[nodiscard]] StreamOptions silent() const {
    StreamOptions wanted = wide_stream();
    wanted.answer_hellos = false;
    return wanted;
  }
  [[nodiscard]] std::string dir() const { return client_.aeron_dir(); }
  [[nodiscard]] ConsumerConfig config(std::uint32_t consumer, const char* channel = "",
                                      std::uint32_t descriptors = 0) const {
    ConsumerConfig message;
    message.stream_id = producer_.stream_id();
    message.consumer_id = consumer;
    message.descriptor_channel = channel;
    message.descriptor_stream_id = descriptors;
    return message;
  }
  void send(const ConsumerConfig& message) { responder_.send_message(kControlStream, message); }
  [[nodiscard]] Consumer consumer(std::uint32_t id) {
    ConsumerOptions wanted = asking(0);
    wanted.consumer_id = id;
    wanted.on_event = events_.sink();
    return consume(client_, wanted);
  }
  void receive_one(Consumer& consumer) {
    publish_numbered(producer_);
    ASSERT_TRUE(eventually([&] {
      drop_frames(consumer);
      return consumer.last_seq() == producer_.next_seq() - 1;
    }));
  }

  /// Whether it did not have to be looked for in the ring.
  [[nodiscard]] bool receive_one_by_descriptor(Consumer& consumer) {
    const std::uint64_t recovered = consumer.counters().recovered;
    receive_one(consumer);
    return consumer.counters().recovered == recovered;
  }

  Client client_;
  Producer producer_;
  RawSender responder_;
  EventLog events_;
};

TEST_F(Assigned, a_producer_that_is_not_the_responder_follows_who_is_and_answers_nothing) {
  TP_REQ("W293", "W294", "W317", "D257", "W296");
  RawListener control(dir());
  RawListener own(dir(), 31'007);
  RawSender peer(dir());
  peer.send_message(kControlStream, hello_of(producer_, 77, 31'000));
  send(config(77, kOwnChannel, 31'007));
  int descriptors = 0;
  int hellos = 0;
  ASSERT_TRUE(eventually([&] {
    publish_numbered(producer_);
    own.hear<FrameDescriptor>([&](const FrameDescriptor& one) {
      ++descriptors;
      EXPECT_EQ(one.stream_id, producer_.stream_id());
    });
    control.hear_any([&](const codec::Message900& message) {
      if (const auto* const config = std::get_if<ConsumerConfig>(&message)) {
        EXPECT_EQ(config->descriptor_stream_id, 31'007U);  // the test's
      }
      hellos += std::holds_alternative<ConsumerHello>(message) ? 1 : 0;
    });
    if (descriptors >= 10 && hellos < 3) {
      peer.send_message(kControlStream, hello_of(producer_, 77, 31'000));
    }
    return descriptors >= 10 && hellos >= 3;
  }));
}

TEST_F(Assigned, a_consumer_goes_where_it_is_sent_and_loses_nothing_on_the_way) {
  TP_REQ("W325", "W327", "W263", "W331", "D258");
  Consumer sut = consumer(7);
  ASSERT_TRUE(joined(producer_, sut));
  receive_one(sut);
  for (const std::uint32_t id : {31'000U, 31'001U, 0U, 31'002U, 0U}) {
    send(config(7, id != 0 ? kOwnChannel : "", id));
    // What is published while it is between two streams comes from the ring.
    ASSERT_TRUE(eventually([&] {
      receive_one(sut);
      return sut.has_own_descriptors() == (id != 0);
    }));
    ASSERT_TRUE(eventually([&] { return receive_one_by_descriptor(sut); }));
  }
  EXPECT_EQ(sut.counters().drops_gap, 0U);
  EXPECT_EQ(sut.counters().seq_regressions, 0U);
  EXPECT_EQ(sut.counters().discontinuities, 0U);
  EXPECT_EQ(events_.count(Kind::kError), 0U);
}

TEST_F(Assigned, a_consumer_ignores_half_an_assignment_and_says_so) {
  TP_REQ("W323", "W324");
  Consumer sut = consumer(7);
  ASSERT_TRUE(joined(producer_, sut));
  ConsumerConfig bad = config(7, kOwnChannel, 0);
  bad.use_shm = false;  // nothing of it counts
  send(bad);
  bad = config(7, "", 31'000);
  bad.use_shm = false;
  send(bad);
  bad = config(8, "", 31'000);  // another's
  send(bad);
  bad = config(7);
  bad.control_stream_id = 32'000;
  send(bad);
  ASSERT_TRUE(eventually([&] { return events_.count(Kind::kError) >= 3; }));
  receive_one(sut);
  for (const ConsumerEvent& event : events_.of(Kind::kError)) {
    EXPECT_EQ(event.error.code, Errc::kStreamAssignmentInvalid);
  }
  EXPECT_EQ(events_.count(Kind::kError), 3U);
  EXPECT_EQ(sut.state(), MappingState::kMapped);
  EXPECT_FALSE(sut.has_own_descriptors());
}

TEST_F(Assigned, a_consumer_stays_where_it_is_when_it_cannot_go_where_it_is_sent) {
  TP_REQ("W326", "W332");
  Consumer sut = consumer(7);
  ASSERT_TRUE(joined(producer_, sut));
  const char* const nowhere = "aeron:udp?interface=localhost" /* no endpoint */;
  for (int again = 0; again < 3; ++again) {
    send(config(7, nowhere, 31'000));
    receive_one(sut);
  }
  ASSERT_TRUE(eventually([&] { return events_.count(Kind::kError) == 1; }));
  EXPECT_EQ(events_.of(Kind::kError)[0].error.code, Errc::kStreamAssignmentInvalid);
  receive_one(sut);
  EXPECT_FALSE(sut.has_own_descriptors());
  send(config(7, kOwnChannel, 31'000));
  EXPECT_TRUE(eventually([&] {
    receive_one(sut);
    return sut.has_own_descriptors();
  }));
}

TEST_F(Assigned, consumers_of_one_client_hear_each_what_is_meant_for_them) {
  TP_REQ("W333", "W323");
  Consumer first = consumer(7);
  Consumer second = consumer(8);
  ASSERT_TRUE(joined(producer_, first));
  ASSERT_TRUE(joined(producer_, second));
  send(config(7, kOwnChannel, 31'000));
  send(config(8, kOwnChannel, 31'001));
  ASSERT_TRUE(eventually([&] {
    receive_one(first);
    receive_one(second);
    return first.has_own_descriptors() && second.has_own_descriptors();
  }));
}

TEST_F(Registration, reports_another_consumer_with_the_same_number_and_takes_another_itself) {
  TP_REQ("W285", "W286", "W284");
  Client client = connect();
  Producer producer = produce(client, wide_stream());
  RawListener control(client.aeron_dir());
  RawSender peer(client.aeron_dir());
  EventLog events;
  ConsumerOptions wanted = asking(0);
  wanted.on_event = events.sink();
  Consumer sut = consume(client, wanted);
  ASSERT_TRUE(joined(producer, sut));
  std::set<std::uint32_t> ids;
  std::uint32_t latest = 0;
  const auto hear_ids = [&](std::size_t count) {
    return eventually([&] {
      control.hear<ConsumerHello>([&](const ConsumerHello& hello) {
        latest = hello.consumer_id;
        ids.insert(latest);
      });
      return ids.size() >= count;
    });
  };
  ASSERT_TRUE(hear_ids(1));
  peer.send_message(kControlStream, hello_of(producer, latest));
  ASSERT_TRUE(hear_ids(2));
  QosConsumer qos;
  qos.stream_id = producer.stream_id();
  qos.consumer_id = latest;
  peer.send_message(kQosStream, qos);
  ASSERT_TRUE(hear_ids(3));
  EXPECT_EQ(events.count(Kind::kError), 2U);
  for (const ConsumerEvent& event : events.of(Kind::kError)) {
    EXPECT_EQ(event.error.code, Errc::kConsumerIdCollision);
  }
  EventLog own_events;
  wanted.consumer_id = 99;  // given to it
  wanted.on_event = own_events.sink();
  Consumer named = consume(client, wanted);
  ASSERT_TRUE(joined(producer, named));
  peer.send_message(kControlStream, hello_of(producer, 99));
  peer.send_message(kControlStream, hello_of(producer, 99));
  ASSERT_TRUE(eventually([&] { return own_events.count(Kind::kError) == 1; }));
  ids.clear();
  ASSERT_TRUE(eventually([&] {
    control.hear<ConsumerHello>([&](const ConsumerHello& hello) { ids.insert(hello.consumer_id); });
    return ids.count(99) != 0;
  }));
}

TEST_F(Registration, tells_how_far_everybody_is) {
  TP_REQ("W393", "W394", "W395", "W396", "W397", "W398");
  Client client = connect();
  RawListener qos(client.aeron_dir(), kQosStream);
  ConsumerOptions wanted = asking(0);
  wanted.name = {};
  wanted.stream_id = 12'345;
  wanted.consumer_id = 7;
  wanted.recover_gaps = false;
  Consumer sut = consume(client, wanted);
  std::optional<QosConsumer> told;
  std::optional<QosProducer> told_by_producer;
  const auto hear = [&](auto&& enough) {
    return eventually([&] {
      drop_frames(sut);
      qos.hear_any([&](const codec::Message900& message) {
        if (const auto* const of_consumer = std::get_if<QosConsumer>(&message)) {
          told = *of_consumer;
        } else if (const auto* const of_producer = std::get_if<QosProducer>(&message)) {
          told_by_producer = *of_producer;
        }
      });
      return enough();
    });
  };
  ASSERT_TRUE(hear([&] { return told.has_value(); }));  // before there is a producer
  EXPECT_EQ(told->stream_id, 12'345U);
  EXPECT_EQ(told->consumer_id, 7U);
  EXPECT_EQ(told->epoch, 0U);
  EXPECT_EQ(told->last_seq_seen, 0U);
  EXPECT_EQ(told->mode, layout::Mode::kStream);

  StreamOptions made = wide_stream(8);
  made.stream_id = 12'345;
  made.producer_id = 55;
  Producer producer = produce(client, made);
  ASSERT_TRUE(joined(producer, sut));
  ASSERT_TRUE(hear([&] { return told_by_producer && told->epoch == producer.epoch(); }));
  EXPECT_EQ(told_by_producer->stream_id, 12'345U);
  EXPECT_EQ(told_by_producer->producer_id, 55U);
  EXPECT_EQ(told_by_producer->epoch, producer.epoch());
  EXPECT_EQ(told_by_producer->current_seq, 0U);
  EXPECT_EQ(told_by_producer->watermark, std::nullopt);
  publish_numbered(producer);
  ASSERT_TRUE(wait_next(sut).has_value());
  for (int frame = 0; frame < 20; ++frame) {
    publish_numbered(producer);  // more than slots: the first of them come too late
  }
  ASSERT_TRUE(
      hear([&] { return told->last_seq_seen == 20 && told_by_producer->current_seq == 21; }));
  ASSERT_TRUE(hear([&] { return told->drops_late == sut.counters().drops_late; }));
  EXPECT_EQ(told->drops_gap, sut.counters().drops_gap);
  EXPECT_GT(told->drops_late, 0U);
  auto claim = producer.claim(8);
  ASSERT_TRUE(claim);
  ASSERT_TRUE(hear([&] { return told_by_producer->current_seq == 22; }));
}

TEST_F(Registration, passes_control_responses_to_the_application) {
  TP_REQ("W444", "W445", "W446");
  std::mutex mutex;
  std::vector<ControlResponse> heard;
  ClientOptions wanted = options();
  wanted.on_control_response = [&](const ControlResponse& response) {
    const std::lock_guard lock(mutex);
    heard.push_back(response);
  };
  Result<Client> client = Client::create(wanted);
  ASSERT_TRUE(client);
  RawSender peer(client->aeron_dir());
  for (const int code : {0, 3, 77, -1}) {
    layout::ControlResponse response;
    response.correlation_id = 1000 + code;
    response.error_message = "because";
    std::vector<std::byte> bytes(codec::encoded_size(response));
    ASSERT_TRUE(codec::encode(response, bytes).has_value());
    constexpr std::size_t kCodeAt = 8 + 8;  // our encoder writes no code that it does not know
    std::memcpy(bytes.data() + kCodeAt, &code, sizeof(code));
    peer.send(kControlStream, bytes);
  }
  ASSERT_TRUE(eventually([&] {
    const std::lock_guard lock(mutex);
    return heard.size() == 4;
  }));
  for (const ControlResponse& response : heard) {
    EXPECT_EQ(response.correlation_id, 1000 + response.code);
    EXPECT_EQ(response.is_ok(), response.code == 0);
    EXPECT_EQ(response.text, "because");
  }
  EXPECT_EQ(heard[2].code, 77);
}

}  // namespace
}  // namespace tensorpool::test
