// The counters of producers and consumers among those of a real media driver, as another process
// reads them: whose they are, what they say, and what happens where there are none to be had.
#include <algorithm>
#include <atomic>
#include <filesystem>
#include <memory>
#include <optional>
#include <set>

#include "bus/counters_file.hpp"
#include "core/telemetry/identity.hpp"
#include "core/telemetry/readings.hpp"
#include "driver_fixture.hpp"
#include "e2e/bus/bus_fixture.hpp"
#include "os/process_stat.hpp"
#include "support/requirement.hpp"

namespace tensorpool::test {
namespace {

namespace telemetry = core::telemetry;
using layout::CounterRole;

class ShownCounters : public DriverTest {
 protected:
  struct Shown {
    telemetry::Identity who = {};
    telemetry::ConsumerReading consumer = {};
    telemetry::ProducerReading producer = {};
    std::string ring = {};
    std::set<std::string> names = {};
  };

  /// Everybody of this role that shows counters.
  [[nodiscard]] std::vector<Shown> all(CounterRole role) const {
    const bool consumers = role == CounterRole::kConsumer;
    const std::int32_t base =
        consumers ? telemetry::kConsumerTypeIdBase : telemetry::kProducerTypeIdBase;
    const auto readings = bus::read_counters(options().aeron_dir, base + 1, base + 99);
    std::vector<Shown> found;
    for (const bus::CounterReading& counter :
         readings.value_or(std::vector<bus::CounterReading>())) {
      const auto who = telemetry::from_key(counter.key);
      EXPECT_TRUE(who.has_value()) << counter.label;
      auto same = std::find_if(found.begin(), found.end(),
                               [&](const Shown& one) { return one.who == *who; });
      if (same == found.end()) {
        same = found.insert(found.end(), Shown{.who = *who});
      }
      if (consumers) {
        take(telemetry::kConsumerRows, base, counter, same->consumer, *same);
      } else {
        take(telemetry::kProducerRows, base, counter, same->producer, *same);
      }
    }
    return found;
  }
  template <class Rows, class Reading>
  static void take(const Rows& rows, std::int32_t base, const bus::CounterReading& counter,
                   Reading& reading, Shown& shown) {
    for (const auto& row : rows) {
      if (base + row.number == counter.type_id) {
        reading.*row.value = static_cast<std::uint64_t>(counter.value);
        shown.names.insert(std::string(row.name));
        EXPECT_EQ(counter.label.rfind(std::string(row.name) + ": ", 0), 0U) << counter.label;
        const std::string_view ring = telemetry::ring_of(counter.label);
        shown.ring = ring.empty() ? shown.ring : std::string(ring);
        return;
      }
    }
    ADD_FAILURE() << "no counter of ours: " << counter.label;
  }
  /// The only one; nothing when there is none, or when there are two.
  [[nodiscard]] std::optional<Shown> one(CounterRole role) const {
    const std::vector<Shown> found = all(role);
    return found.size() == 1 ? std::optional(found.front()) : std::nullopt;
  }
};

/// The counters of `a` and `b`, by the rows of the table.
void expect_equal(const ConsumerCounters& a, const ConsumerCounters& b) {
  telemetry::ConsumerReading left;
  telemetry::ConsumerReading right;
  static_cast<ConsumerCounters&>(left) = a;
  static_cast<ConsumerCounters&>(right) = b;
  for (const auto& row : telemetry::kConsumerRows) {
    EXPECT_EQ(left.*row.value, right.*row.value) << row.name;
  }
}

TEST_F(ShownCounters, say_of_a_consumer_what_it_says_itself) {
  TP_REQ("W281");
  Client client = connect();
  Producer producer = produce(client, stream());
  ConsumerOptions wanted = reader();
  wanted.consumer_id = 77;
  wanted.recover_gaps = false;
  wanted.max_outstanding_seq_gap = 0;
  Consumer sut = consume(client, wanted);
  ASSERT_TRUE(joined(producer, sut));
  publish(producer, 5);
  ASSERT_TRUE(eventually([&] {
    sut.poll([](const FrameView&) {});
    return sut.counters().frames_ok >= 5;
  }));
  publish(producer, 100);  // the ring has 16 slots
  std::optional<Shown> shown;
  ASSERT_TRUE(eventually([&] {
    sut.poll([](const FrameView&) {});
    shown = one(CounterRole::kConsumer);
    return shown && shown->consumer.last_seq == 104 &&
           shown->consumer.frames_ok == sut.counters().frames_ok &&
           shown->consumer.drops_late == sut.counters().drops_late && shown->consumer.behind == 0;
  }));
  EXPECT_GE(sut.counters().drops_late + sut.counters().drops_gap, 84U);
  ConsumerCounters said = sut.counters();
  expect_equal(shown->consumer, said);
  EXPECT_EQ(shown->consumer.epoch, sut.epoch());
  EXPECT_EQ(shown->who.client_id, 77U);
  EXPECT_EQ(shown->who.stream_id, producer.stream_id());
  EXPECT_EQ(shown->who.name, "cam1");
  EXPECT_EQ(shown->who.pid, os::own_process().pid);
  EXPECT_EQ(shown->who.process_start, os::own_process().start_ticks);
  EXPECT_FALSE(shown->names.contains("drops_duplicate")) << "0 takes no counter";
  EXPECT_EQ(client.counters_refused(), 0U);
}

TEST_F(ShownCounters, say_of_a_producer_what_it_says_itself_also_when_no_frame_follows) {
  Client client = connect();
  Producer sut = produce(client, stream());
  publish(sut, 20);
  ASSERT_TRUE(sut.claim(100).has_value());  // and let go
  ASSERT_EQ(sut.publish(info(), std::vector<std::byte>(5000)), PublishStatus::kNoPoolFits);
  std::optional<Shown> shown;
  ASSERT_TRUE(eventually([&] {
    shown = one(CounterRole::kProducer);
    return shown && shown->producer.frames_published == 20 && shown->producer.claims_dropped == 1 &&
           shown->producer.drops_no_pool == 1;
  }));
  EXPECT_EQ(shown->producer.epoch, sut.epoch());
  EXPECT_EQ(shown->who.stream_id, sut.stream_id());
  EXPECT_EQ(shown->who.name, "cam1");
  ASSERT_TRUE(std::filesystem::is_regular_file(shown->ring)) << shown->ring;
  EXPECT_EQ(std::filesystem::path(shown->ring).filename(), "header.ring");
}

TEST_F(ShownCounters, are_of_each_consumer_its_own) {
  Client client = connect();
  Producer producer = produce(client, stream());
  Consumer first = consume(client, reader());
  Consumer second = consume(client, reader(FollowMode::kDirect));
  ASSERT_TRUE(eventually([&] { return all(CounterRole::kConsumer).size() == 2; }));
  const std::vector<Shown> shown = all(CounterRole::kConsumer);
  EXPECT_NE(shown[0].who.instance, shown[1].who.instance);
  EXPECT_NE(shown[0].who.client_id, shown[1].who.client_id);
  const auto ways = [](const Shown& one) {
    return telemetry::ConsumerWays::unpack(one.consumer.ways);
  };
  ASSERT_TRUE(eventually([&] {
    const std::vector<Shown> now = all(CounterRole::kConsumer);
    return now.size() == 2 && ways(now[0]) && ways(now[1]) &&
           ways(now[0])->direct != ways(now[1])->direct;
  }));
}

TEST_F(ShownCounters, show_one_who_does_not_poll_falling_behind) {
  Client client = connect();
  Producer producer = produce(client, stream());
  Consumer sut = consume(client, reader());
  ASSERT_TRUE(joined(producer, sut));
  publish(producer);
  ASSERT_TRUE(eventually([&] {
    sut.poll([](const FrameView&) {});
    const auto shown = one(CounterRole::kConsumer);
    return sut.counters().frames_ok > 0 && shown && shown->consumer.frames_ok > 0 &&
           shown->consumer.polled_at_ns != 0;
  }));
  const std::uint64_t polled_at = one(CounterRole::kConsumer)->consumer.polled_at_ns;
  publish(producer, 12);
  ASSERT_TRUE(eventually([&] {
    const auto shown = one(CounterRole::kConsumer);
    return shown && shown->consumer.behind == 12 && shown->consumer.frame_age_ns > 0;
  }));
  EXPECT_TRUE(sut.wait(std::chrono::milliseconds(1)));
  sut.poll([](const FrameView&) {});
  ASSERT_TRUE(eventually([&] {
    sut.poll([](const FrameView&) {});
    const auto shown = one(CounterRole::kConsumer);
    return shown && shown->consumer.polled_at_ns > polled_at && shown->consumer.behind == 0;
  }));
}

TEST_F(ShownCounters, say_how_a_consumer_waits) {
  Client client = connect();
  Producer producer = produce(client, stream());
  ConsumerOptions wanted = reader();
  wanted.wait = {.kind = WaitKind::kPark};
  Consumer sut = consume(client, wanted);
  const auto waits = [&] {
    const auto shown = one(CounterRole::kConsumer);
    const auto ways = shown ? telemetry::ConsumerWays::unpack(shown->consumer.ways) : std::nullopt;
    return ways ? std::optional(ways->waits) : std::nullopt;
  };
  ASSERT_TRUE(joined(producer, sut));
  ASSERT_TRUE(eventually([&] { return waits() == telemetry::Waits::kNot; }));
  ASSERT_TRUE(eventually([&] {
    static_cast<void>(sut.wait(std::chrono::milliseconds(5)));
    sut.poll([](const FrameView&) {});
    return waits() == telemetry::Waits::kPark;
  }));
}

TEST_F(ShownCounters, go_with_their_consumer) {
  Client client = connect();
  Producer producer = produce(client, stream());
  {
    Consumer gone = consume(client, reader());
    ASSERT_TRUE(eventually([&] { return one(CounterRole::kConsumer).has_value(); }));
  }
  EXPECT_TRUE(eventually([&] { return all(CounterRole::kConsumer).empty(); }));
}

TEST_F(ShownCounters, are_not_there_where_they_are_not_wanted) {
  ClientOptions quiet = options();
  quiet.show_counters = false;
  Result<Client> client = Client::create(quiet);
  ASSERT_TRUE(client);
  Producer producer = produce(*client, stream());
  Consumer sut = consume(*client, reader());
  ASSERT_TRUE(joined(producer, sut));
  EXPECT_TRUE(all(CounterRole::kConsumer).empty());
  EXPECT_TRUE(all(CounterRole::kProducer).empty());
}

TEST_F(ShownCounters, follow_a_producer_into_its_next_epoch_under_a_driver) {
  const Driver host = start_driver();
  Client client = attach_client();
  Producer sut = tenant(client);
  publish(sut, 3);
  std::optional<Shown> shown;
  ASSERT_TRUE(eventually([&] {
    shown = one(CounterRole::kProducer);
    return shown && shown->producer.frames_published == 3 && shown->producer.epoch == sut.epoch();
  }));
  const std::string ring = shown->ring;
  revoke(producer_lease());
  ASSERT_TRUE(eventually([&] {
    static_cast<void>(sut.publish(info(), payload_of(0)));
    shown = one(CounterRole::kProducer);
    return shown && sut.epoch() != 0 && shown->producer.epoch == sut.epoch() && shown->ring != ring;
  }));
  EXPECT_GE(shown->producer.frames_published, 3U) << "counters go on";
}

TEST_F(ShownCounters, are_done_without_where_the_media_driver_has_no_room) {
  TP_REQ("W281");
  std::atomic<int> said = 0;
  ClientOptions wanted = options();
  wanted.log = [&said](LogLevel, std::string_view line) {
    said += line.find("for want of counters") != std::string_view::npos ? 1 : 0;
  };
  Result<Client> client = Client::create(wanted);
  ASSERT_TRUE(client);
  // Somebody else takes all but the last quarter.
  bus::Client bus = bus::testing::make_client(options().aeron_dir);
  ASSERT_TRUE(bus::testing::bring_up(bus));
  std::vector<std::unique_ptr<bus::Counter>> taken;
  const std::int32_t places = bus.counter_places();
  ASSERT_GT(places, 0);
  const auto is_full = [&] { return !taken.empty() && taken.back()->id() >= places - places / 4; };
  while (!is_full()) {
    std::vector<Result<bus::Pending<bus::Counter>>> asked;
    for (int k = 0; k < 64; ++k) {
      asked.push_back(bus.begin_add_counter(2000, "", "taken"));
    }
    for (Result<bus::Pending<bus::Counter>>& one : asked) {
      auto counter = bus::testing::wait_for(bus, std::move(one));
      ASSERT_TRUE(counter.has_value());
      taken.push_back(std::move(*counter));
    }
  }
  Producer producer = produce(*client, stream());
  Consumer sut = consume(*client, reader());
  ASSERT_TRUE(joined(producer, sut));
  publish(producer, 5);
  ASSERT_TRUE(eventually([&] {
    sut.poll([](const FrameView&) {});
    return sut.counters().frames_ok >= 5 && client->counters_refused() > 0;
  }));
  EXPECT_EQ(said, 1);
  EXPECT_TRUE(eventually([&] {  // what was given is given back
    return all(CounterRole::kConsumer).empty() && all(CounterRole::kProducer).empty();
  }));
}

}  // namespace
}  // namespace tensorpool::test
