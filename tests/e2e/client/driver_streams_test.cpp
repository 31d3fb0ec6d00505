// Streams of single consumers under a driver that has ranges of ids for them, and under one that
// has not.
#include <map>
#include <optional>
#include <set>

#include "driver_fixture.hpp"
#include "raw_listener.hpp"
#include "raw_sender.hpp"
#include "support/requirement.hpp"

namespace tensorpool::test {
namespace {

using layout::ConsumerConfig;
using layout::ConsumerHello;
using layout::QosConsumer;
using layout::QosProducer;

constexpr std::int32_t kQosStream = 1200;

class DriverStreams : public DriverTest {
 protected:
  [[nodiscard]] DriverOptions with_range(const std::string& key, const std::string& range) const {
    DriverOptions wanted = driver_options();
    const std::string section = "[driver]\n";
    wanted.config.insert(wanted.config.find(section) + section.size(),
                         key + " = \"" + range + "\"\n");
    return wanted;
  }
  [[nodiscard]] DriverOptions with_ranges() const {
    return with_range("descriptor_stream_id_range", "31000-31001");
  }
  [[nodiscard]] static ConsumerOptions asking(std::int32_t id) {
    ConsumerOptions wanted = reader();
    wanted.hello_interval = std::chrono::milliseconds(100);
    wanted.qos_interval = std::chrono::milliseconds(100);
    wanted.own_descriptors = {.wanted = true, .stream_id = id};
    wanted.progress = {.wanted = true};
    wanted.own_control = {.wanted = true};  // for which there is no range
    return wanted;
  }
  [[nodiscard]] std::set<std::uint32_t> clients(const char* role) const {
    std::set<std::uint32_t> ids;
    for (const auto& lease : leases()) {
      if (lease["role"] == role) {
        ids.insert(lease["client_id"].get<std::uint32_t>());
      }
    }
    return ids;
  }
  /// Publishes until the consumer has a stream of its own, and then one frame more.
  [[nodiscard]] static bool on_own_stream(Producer& producer, Consumer& consumer) {
    return eventually([&] {
      publish(producer);
      consumer.poll([](const FrameView&) {});
      return consumer.has_own_descriptors();
    });
  }
};

TEST_F(DriverStreams, are_assigned_by_a_driver_with_ranges_to_those_who_hold_a_lease) {
  TP_REQ("D248", "D249", "D250", "D251", "D252", "D254", "D256", "W293", "D257", "D258", "D84");
  Driver driver = start_driver(with_ranges());
  Client client = attach_client();
  RawListener control(client.aeron_dir());
  Producer producer = tenant(client);
  std::optional<Consumer> first(consume(client, asking(5)));
  ASSERT_TRUE(on_own_stream(producer, *first));
  Consumer second = consume(client, asking(5));
  ASSERT_TRUE(on_own_stream(producer, second));
  Consumer third = consume(client, asking(5));
  ASSERT_TRUE(joined(producer, third));
  RawSender stranger(client.aeron_dir());
  ConsumerHello hello;  // without a lease: nobody answers
  hello.stream_id = producer.stream_id();
  hello.consumer_id = 4711;
  hello.supports_shm = true;
  hello.descriptor_stream_id = 31'000;
  hello.descriptor_channel = "aeron:ipc";
  stranger.send_message(kControlStream, hello);
  std::map<std::uint32_t, std::uint32_t> assigned;
  std::map<std::uint32_t, int> answers;
  ASSERT_TRUE(eventually([&] {
    control.hear<ConsumerConfig>([&](const ConsumerConfig& config) {
      assigned[config.consumer_id] = config.descriptor_stream_id;
      ++answers[config.consumer_id];
      EXPECT_TRUE(config.use_shm);
      EXPECT_EQ(config.mode, layout::Mode::kStream);
      EXPECT_EQ(config.payload_fallback_uri, "");
      EXPECT_EQ(config.control_stream_id, 0U);
    });
    int often = 0;
    for (const auto& [id, count] : answers) {
      often += count >= 3 ? 1 : 0;
    }
    return often >= 3;
  }));
  EXPECT_EQ(assigned.size(), 3U);
  EXPECT_EQ(assigned.count(4711), 0U);
  std::multiset<std::uint32_t> ids;
  const std::set<std::uint32_t> holders = clients("consumer");
  for (const auto& [consumer, id] : assigned) {
    EXPECT_EQ(holders.count(consumer), 1U);
    ids.insert(id);
  }
  EXPECT_EQ(ids, (std::multiset<std::uint32_t>{0, 31'000, 31'001}));
  EXPECT_FALSE(third.has_own_descriptors());
  publish(producer);
  EXPECT_TRUE(wait_next(third).has_value());  // on the shared stream
  first.reset();                              // and with its lease goes the id
  Consumer fourth = consume(client, asking(5));
  EXPECT_TRUE(on_own_stream(producer, fourth));
}

TEST_F(DriverStreams, are_assigned_by_the_producer_where_the_driver_has_no_ranges) {
  TP_REQ("W293", "D248", "D85", "D84");
  Driver driver = start_driver();
  Client client = attach_client();
  Producer producer = tenant(client);
  Consumer consumer = consume(client, asking(31'077));
  ASSERT_TRUE(on_own_stream(producer, consumer));
  RawListener qos(client.aeron_dir(), kQosStream);
  std::optional<QosProducer> of_producer;
  std::optional<QosConsumer> of_consumer;
  ASSERT_TRUE(eventually([&] {
    qos.hear_any([&](const codec::Message900& message) {
      if (const auto* const producer_said = std::get_if<QosProducer>(&message)) {
        of_producer = *producer_said;
      } else if (const auto* const consumer_said = std::get_if<QosConsumer>(&message)) {
        of_consumer = *consumer_said;
      }
    });
    return of_producer && of_consumer;
  }));
  EXPECT_EQ(clients("producer").count(of_producer->producer_id), 1U);
  EXPECT_EQ(clients("consumer").count(of_consumer->consumer_id), 1U);
  EXPECT_EQ(of_producer->current_seq, producer.next_seq());
}

TEST_F(DriverStreams, carry_progress_until_the_lease_of_the_producer_ends) {
  TP_REQ("D250", "D257", "W355", "D313");
  Driver driver = start_driver(with_range("control_stream_id_range", "32000-32001"));
  Client client = attach_client();
  Producer producer = tenant(client);
  Consumer sut = consume(client, asking(31'077));
  std::uint64_t reports = 0;
  const auto listen = [&] {
    reports += static_cast<std::uint64_t>(sut.poll_progress([](const PrefixView&) {}).reports);
    sut.poll([](const FrameView&) {});
  };
  ASSERT_TRUE(eventually([&] {
    publish(producer);
    listen();
    return sut.has_own_control() && reports != 0;
  }));
  auto claim = producer.claim(4096);
  ASSERT_TRUE(claim.has_value());
  claim->filled(1);
  revoke(producer_lease());
  ASSERT_TRUE(eventually([&] { return producer.attach_state() != AttachState::kAttached; }));
  const std::uint64_t sent = producer.counters().progress_sent;
  claim->filled(4096);
  EXPECT_FALSE(claim->begin_filling(info()));
  EXPECT_EQ(producer.counters().progress_sent, sent);
  EXPECT_EQ(claim->commit(info()), CommitStatus::kStaleClaim);
}

}  // namespace
}  // namespace tensorpool::test
