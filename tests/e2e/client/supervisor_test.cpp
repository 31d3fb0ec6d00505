// A supervisor inside a driver, producers and consumers that it serves, and who says what to whom.
#include <map>
#include <optional>
#include <set>

#include "bus/counters_file.hpp"
#include "core/supervisor/counters.hpp"
#include "driver_fixture.hpp"
#include "raw_listener.hpp"
#include "raw_sender.hpp"
#include "support/requirement.hpp"

namespace tensorpool::test {
namespace {

using core::supervisor::kCounterFields;
using core::supervisor::kCounterTypeIdBase;
using layout::ConsumerConfig;
using layout::ConsumerHello;

constexpr std::int32_t kQosStream = 1200;
constexpr auto kInterval = std::chrono::milliseconds(100);

class Supervised : public DriverTest {
 protected:
  [[nodiscard]] DriverOptions supervised(const std::string& keys = "") const {
    DriverOptions wanted = driver_options();
    wanted.config += "[supervisor]\nliveness_check_interval_ms = 50\n" + keys;
    return wanted;
  }
  [[nodiscard]] static ConsumerOptions quick_reader() {
    ConsumerOptions wanted = reader();
    wanted.hello_interval = kInterval;
    wanted.qos_interval = kInterval;
    return wanted;
  }
  [[nodiscard]] std::uint64_t counter(const std::string& name) const {
    return ask({.operation = admin::Operation::kCounters})["supervisor"].value(name,
                                                                               std::uint64_t{0});
  }
  [[nodiscard]] static ConsumerHello hello_of(std::uint32_t stream_id, std::uint32_t consumer) {
    ConsumerHello hello;
    hello.stream_id = stream_id;
    hello.consumer_id = consumer;
    hello.supports_shm = true;
    hello.descriptor_stream_id = 31'000;
    hello.descriptor_channel = "aeron:ipc";
    return hello;
  }
  /// Hands out descriptor streams itself.
  [[nodiscard]] DriverOptions with_range(const std::string& range) const {
    DriverOptions wanted = driver_options();
    const std::string section = "[driver]\n";
    wanted.config.insert(wanted.config.find(section) + section.size(),
                         "descriptor_stream_id_range = \"" + range + "\"\n");
    return wanted;
  }
  /// The same with a mode that is none.
  [[nodiscard]] static std::vector<std::byte> with_wrong_mode(const ConsumerHello& hello) {
    constexpr std::size_t kModeAt = 8 + 10;
    std::vector<std::byte> bytes(codec::encoded_size(hello));
    EXPECT_TRUE(codec::encode(hello, bytes).has_value());
    bytes[kModeAt] = std::byte{9};
    return bytes;
  }
  /// The same without the end of its texts.
  [[nodiscard]] static std::vector<std::byte> cut_short(const ConsumerHello& hello) {
    std::vector<std::byte> bytes(codec::encoded_size(hello));
    EXPECT_TRUE(codec::encode(hello, bytes).has_value());
    bytes.resize(bytes.size() - 6);
    return bytes;
  }
};

TEST_F(Supervised, consumers_are_told_by_the_supervisor_and_by_nobody_else) {
  TP_REQ("W293", "W405", "D284", "D294", "D298", "D303", "W294", "W317");
  Driver driver =
      start_driver(supervised("per_consumer_enabled = true\n"
                              "per_consumer_descriptor_base = 31500\n"
                              "per_consumer_descriptor_range = 1000\n"
                              "force_mode = 2\n"));
  Client client = attach_client();
  RawListener control(client.aeron_dir());
  Producer producer = tenant(client);
  ConsumerOptions wanted = quick_reader();
  wanted.own_descriptors = {.wanted = true, .stream_id = 5};
  Consumer sut = consume(client, wanted);
  Consumer other = consume(client, quick_reader());  // asks for nothing, and is told as well
  ASSERT_TRUE(joined(producer, other));
  ASSERT_TRUE(eventually([&] {
    publish(producer);
    sut.poll([](const FrameView&) {});
    return sut.has_own_descriptors();
  }));
  std::map<std::uint32_t, int> hellos;
  std::map<std::uint32_t, int> configs;
  ASSERT_TRUE(eventually([&] {
    control.hear_any([&](const codec::Message900& message) {
      if (const auto* const hello = std::get_if<ConsumerHello>(&message)) {
        ++hellos[hello->consumer_id];
      } else if (const auto* const config = std::get_if<ConsumerConfig>(&message)) {
        ++configs[config->consumer_id];
        EXPECT_EQ(config->mode, layout::Mode::kRateLimited);
        EXPECT_TRUE(config->descriptor_stream_id == 0 ||
                    config->descriptor_stream_id == 31'500 + config->consumer_id % 1000);
      }
    });
    return configs.size() == 2 && configs.begin()->second >= 8 && configs.rbegin()->second >= 8;
  }));
  for (const auto& [consumer, count] : configs) {
    EXPECT_LE(count,
              hellos[consumer] + 2);  // one answer each; some may be heard before their hello
  }
  EXPECT_GE(counter("ConfigPublished"), 16U);
  EXPECT_GE(counter("Hellos"), counter("ConfigPublished"));
}

TEST_F(Supervised, the_registries_hear_all_streams_and_tell_what_they_know) {
  TP_REQ("W402", "D284", "D286", "D287", "D288", "D289", "D337");
  Driver driver = start_driver(supervised());
  Client client = attach_client();
  StreamOptions made = stream();
  made.qos_interval = kInterval;
  Producer producer = tenant(client, made);
  Consumer consumer = consume(client, quick_reader());
  ASSERT_TRUE(joined(producer, consumer));
  publish(producer, 3);
  ASSERT_TRUE(wait_next(consumer).has_value());
  ASSERT_TRUE(eventually([&] {
    consumer.poll([](const FrameView&) {});
    std::uint64_t sequence = 0;
    for (const auto& lease : leases()) {
      const auto seen = lease["seen"];
      sequence += !seen.is_object()             ? 0
                  : lease["role"] == "producer" ? seen["current_seq"].get<std::uint64_t>()
                                                : seen["last_seq_seen"].get<std::uint64_t>();
    }
    return sequence == 3 + 2;
  }));
  for (const char* const name : {"LivenessChecks", "Hellos", "QosConsumers", "QosProducers",
                                 "AnnouncesSeen", "MetadataSeen", "TotalDutyCycles"}) {
    EXPECT_TRUE(eventually([&] { return counter(name) > 0; })) << name;
  }
  std::vector<bus::CounterReading> shown;
  ASSERT_TRUE(eventually([&] {
    auto all = bus::read_counters(client.aeron_dir(), kCounterTypeIdBase, kCounterTypeIdBase + 99);
    shown = all ? std::move(*all) : shown;
    return shown.size() == kCounterFields.size();
  }));
  for (std::size_t k = 0; k < shown.size(); ++k) {
    EXPECT_EQ(shown[k].type_id, kCounterTypeIdBase + static_cast<std::int32_t>(k) + 1);
    EXPECT_EQ(shown[k].key, "driver-01");
    EXPECT_EQ(shown[k].label, std::string(kCounterFields[k].name) + ": instance=driver-01");
  }
}

TEST_F(Supervised, who_falls_silent_is_found_and_loses_what_he_had_but_no_lease) {
  TP_REQ("W403", "W404", "D290", "D291", "D293");
  std::mutex mutex;
  std::vector<std::string> lines;
  DriverOptions wanted =
      supervised("per_consumer_enabled = true\nconsumer_stale_ms = 300\nproducer_stale_ms = 300\n");
  wanted.log = [&](LogLevel, std::string_view line) {
    const std::lock_guard lock(mutex);
    lines.emplace_back(line);
  };
  Driver driver = start_driver(wanted);
  Client client = attach_client();
  RawListener control(client.aeron_dir());
  RawSender peer(client.aeron_dir());
  const auto granted = [&](std::uint32_t consumer) {
    std::optional<std::uint32_t> id;
    peer.send_message(kControlStream, hello_of(12'345, consumer));
    EXPECT_TRUE(eventually([&] {
      control.hear<ConsumerConfig>([&](const ConsumerConfig& config) {
        id = config.consumer_id == consumer ? config.descriptor_stream_id : id;
      });
      return id.has_value();
    }));
    return id;
  };
  Producer producer = tenant(client);
  ConsumerOptions quiet = reader();
  quiet.hello_interval = std::chrono::seconds(20);
  quiet.qos_interval = std::chrono::seconds(20);
  Consumer consumer = consume(client, quiet);
  ASSERT_TRUE(joined(producer, consumer));
  EXPECT_EQ(granted(7), 31'000U);
  EXPECT_EQ(granted(8), 0U);
  peer.send_message(
      kQosStream,
      layout::QosProducer{.stream_id = 12'345, .producer_id = 5, .epoch = 1, .current_seq = 1});
  const auto told = [&](const std::string& what) {
    return eventually([&] {
      const std::lock_guard lock(mutex);
      return std::any_of(lines.begin(), lines.end(), [&](const std::string& line) {
        return line.find(what) != std::string::npos;
      });
    });
  };
  EXPECT_TRUE(told("stream 12345: consumer 8 is stale"));
  EXPECT_TRUE(told("stream 12345: producer 5 is stale"));
  EXPECT_EQ(granted(9), 31'000U);                                           // that of 7 is free
  EXPECT_TRUE(eventually([&] { return counter("StaleConsumers") >= 3; }));  // the lease holder, too
  EXPECT_GE(counter("StaleProducers"), 1U);
  EXPECT_EQ(leases().size(), 2U);
  publish(producer);
  EXPECT_TRUE(wait_next(consumer).has_value());
}

TEST_F(Supervised, hellos_that_are_none_are_dropped_and_the_next_one_is_answered) {
  TP_REQ("D285", "D302");
  Driver driver = start_driver(supervised());
  Client client = attach_client();
  RawListener control(client.aeron_dir());
  RawSender peer(client.aeron_dir());
  const ConsumerHello hello = hello_of(12'345, 7);
  std::vector<std::byte> of_other_schema(codec::encoded_size(hello));
  ASSERT_TRUE(codec::encode(hello, of_other_schema));
  of_other_schema[4] = std::byte{0x86};  // 902
  peer.send(kControlStream, of_other_schema);
  peer.send(kControlStream, with_wrong_mode(hello));
  peer.send(kControlStream, cut_short(hello));
  peer.send(kControlStream, std::vector<std::byte>(3, std::byte{0x55}));
  peer.send_message(kControlStream, hello_of(12'345, 8));
  std::set<std::uint32_t> answered;
  ASSERT_TRUE(eventually([&] {
    control.hear<ConsumerConfig>(
        [&](const ConsumerConfig& config) { answered.insert(config.consumer_id); });
    return answered.count(8) != 0;
  }));
  EXPECT_EQ(answered, (std::set<std::uint32_t>{8}));
  EXPECT_EQ(counter("Hellos"), 1U);
}

TEST_F(Supervised, a_driver_that_hands_out_ids_itself_drops_hellos_that_are_none) {
  TP_REQ("D255");
  Driver driver = start_driver(with_range("31000-31001"));
  Client client = attach_client();
  Producer producer = tenant(client);
  Consumer consumer = consume(client, reader());
  ASSERT_TRUE(joined(producer, consumer));
  std::uint32_t holder = 0;
  for (const auto& lease : leases()) {
    holder = lease["role"] == "consumer" ? lease["client_id"].get<std::uint32_t>() : holder;
  }
  RawListener control(client.aeron_dir());
  RawSender peer(client.aeron_dir());
  ConsumerHello hello = hello_of(producer.stream_id(), holder);
  hello.descriptor_stream_id = 31'001;
  peer.send(kControlStream, with_wrong_mode(hello));
  peer.send(kControlStream, cut_short(hello));
  hello.descriptor_stream_id = 31'000;
  peer.send_message(kControlStream, hello);
  std::vector<std::uint32_t> ids;
  ASSERT_TRUE(eventually([&] {
    control.hear<ConsumerConfig>(
        [&](const ConsumerConfig& config) { ids.push_back(config.descriptor_stream_id); });
    return !ids.empty();
  }));
  EXPECT_EQ(ids.front(), 31'000U);
}

TEST_F(Supervised, a_driver_that_hears_of_a_lease_that_never_was_takes_nothing_from_who_holds_one) {
  TP_REQ("D250", "D251");
  Driver driver = start_driver(with_range("31000-31001"));
  Client client = attach_client();
  RawListener control(client.aeron_dir());
  RawSender peer(client.aeron_dir());
  Producer producer = tenant(client);
  ConsumerOptions quiet = reader();  // whose hellos ask for nothing
  quiet.hello_interval = std::chrono::seconds(20);
  Consumer first = consume(client, quiet);
  Consumer second = consume(client, quiet);
  ASSERT_TRUE(joined(producer, first));
  ASSERT_TRUE(joined(producer, second));
  std::set<std::uint32_t> said;
  ASSERT_TRUE(eventually([&] {
    control.hear<ConsumerHello>(
        [&](const ConsumerHello& hello) { said.insert(hello.consumer_id); });
    return said.size() == 2;
  }));
  std::map<std::uint32_t, std::uint32_t> granted;
  const auto ask = [&](std::uint32_t consumer) {
    peer.send_message(kControlStream, hello_of(producer.stream_id(), consumer));
    EXPECT_TRUE(eventually([&] {
      control.hear<ConsumerConfig>([&](const ConsumerConfig& config) {
        granted[config.consumer_id] = config.descriptor_stream_id;
      });
      return granted.count(consumer) != 0;
    }));
  };
  const std::uint32_t holder = *said.begin();
  ask(holder);
  peer.send_message(kControlStream, layout::ShmLeaseKeepalive{.lease_id = 7,
                                                              .stream_id = producer.stream_id(),
                                                              .client_id = holder,
                                                              .role = layout::Role::kConsumer});
  ask(*said.rbegin());
  EXPECT_EQ(granted[holder], 31'000U);
  EXPECT_EQ(granted[*said.rbegin()], 31'001U);
}

TEST_F(Supervised, nobody_gets_the_shared_descriptors_of_another_stream) {
  TP_REQ("W306", "D299");
  Driver driver = start_driver(supervised("per_consumer_enabled = true\n"));
  Client client = attach_client();
  RawListener control(client.aeron_dir());
  RawSender peer(client.aeron_dir());
  const std::map<std::uint32_t, std::uint32_t> asked = {{7, 1101}, {8, 2101}, {9, 2102}};
  for (const auto& [consumer, id] : asked) {
    ConsumerHello hello = hello_of(12'345, consumer);
    hello.descriptor_stream_id = id;
    peer.send_message(kControlStream, hello);
  }
  std::map<std::uint32_t, std::uint32_t> granted;
  ASSERT_TRUE(eventually([&] {
    control.hear<ConsumerConfig>([&](const ConsumerConfig& config) {
      granted[config.consumer_id] = config.descriptor_stream_id;
    });
    return granted.size() == asked.size();
  }));
  EXPECT_EQ(granted, (std::map<std::uint32_t, std::uint32_t>{{7, 0}, {8, 0}, {9, 2102}}));
}

TEST_F(Supervised, a_fallback_reaches_the_application_with_all_that_it_needs) {
  TP_REQ("W405", "W248", "D295", "D297", "W331");
  Driver driver =
      start_driver(supervised("force_no_shm = true\n"
                              "payload_fallback_uri = "
                              "\"aeron:udp?endpoint=10.0.0.5:4000|stream-id=3000\"\n"));
  Client client = attach_client();
  Producer producer = tenant(client);
  EventLog events;
  ConsumerOptions wanted = quick_reader();
  wanted.on_event = events.sink();
  Consumer sut = consume(client, wanted);
  EXPECT_FALSE(sut.fallback().has_value());
  ASSERT_TRUE(eventually([&] {
    sut.poll([](const FrameView&) {});
    return sut.fallback().has_value();
  }));
  EXPECT_EQ(sut.state(), MappingState::kFallback);
  EXPECT_EQ(sut.fallback()->cause, FallbackCause::kTold);
  EXPECT_EQ(sut.fallback()->stream_id, producer.stream_id());
  EXPECT_EQ(sut.fallback()->channel, "aeron:udp?endpoint=10.0.0.5:4000");
  EXPECT_EQ(sut.fallback()->aeron_stream_id, 3000);
  const std::uint64_t configs = counter("ConfigPublished");
  ASSERT_TRUE(eventually([&] { return counter("ConfigPublished") >= configs + 5; }));
  ASSERT_EQ(events.count(ConsumerEvent::Kind::kFallback), 1U);  // said once
  const ConsumerEvent event = events.of(ConsumerEvent::Kind::kFallback).front();
  ASSERT_TRUE(event.fallback.has_value());
  EXPECT_EQ(event.fallback->uri, sut.fallback()->uri);
  EXPECT_EQ(event.text, sut.fallback()->uri);
}

}  // namespace
}  // namespace tensorpool::test
