// The media driver is killed while frames stream, and another one started.
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "client_fixture.hpp"
#include "support/requirement.hpp"

namespace tensorpool::test {
namespace {

/// Keeps what a client says.
class Log {
 public:
  [[nodiscard]] LogSink sink() {
    return [this](LogLevel level, std::string_view line) {
      const std::lock_guard lock(mutex_);
      lines_.emplace_back(level, line);
    };
  }
  [[nodiscard]] std::size_t count(LogLevel level, std::string_view beginning) const {
    const std::lock_guard lock(mutex_);
    return static_cast<std::size_t>(std::count_if(lines_.begin(), lines_.end(), [&](const auto& l) {
      return l.first == level && l.second.starts_with(beginning);
    }));
  }

 private:
  mutable std::mutex mutex_;
  std::vector<std::pair<LogLevel, std::string>> lines_;
};

class LostMediaDriver : public ClientTest {
 protected:
  [[nodiscard]] ChildProcess host() const {
    ChildProcess started(TP_BUS_PEER, {"rendezvous", options().aeron_dir, "auto"});
    EXPECT_EQ(started.read_line(), "embedded");
    return started;
  }
  [[nodiscard]] Client client(Log& log) const {
    ClientOptions wanted = options();
    wanted.media_driver = MediaDriverPolicy::kExternal;
    wanted.log = log.sink();
    Result<Client> made = Client::create(std::move(wanted));
    EXPECT_TRUE(made) << describe(made.error());
    return std::move(*made);
  }
};

/// One consumer with what it has seen.
struct Reader {
  Reader(Client& client, ConsumerOptions options) {
    options.on_event = events.sink();
    consumer.emplace(std::move(*client.create_consumer(options)));
  }
  void poll() {
    consumer->poll([this](const FrameView& view) { wrong += is_numbered(view) ? 0U : 1U; });
  }
  EventLog events;
  std::optional<Consumer> consumer;
  std::uint64_t wrong = 0;
};

TEST_F(LostMediaDriver, is_told_on_both_sides_stops_nobody_and_everything_goes_on_by_itself) {
  TP_REQ("W198", "W437");
  Log producer_log;
  Log consumer_log;
  std::optional<ChildProcess> driver(host());
  Client producing = client(producer_log);
  Client consuming = client(consumer_log);
  StreamOptions wide = stream();
  wide.nslots = 16384;  // seconds' worth
  wide.pools = {{.stride_bytes = 64}};
  Producer producer = produce(producing, wide);
  ConsumerOptions untold = reader();
  untold.recover_gaps = false;
  Reader direct(consuming, reader(FollowMode::kDirect));
  Reader recovering(consuming, reader());
  Reader by_descriptor_only(consuming, untold);
  Pacer pacer(producer, 1000);
  const auto step = [&] {
    pacer.publish_due();
    direct.poll();
    recovering.poll();
    by_descriptor_only.poll();
  };
  const auto all_follow = [&](std::uint64_t from) {
    return eventually([&] {
      step();
      return direct.consumer->last_seq() > from && recovering.consumer->last_seq() > from &&
             by_descriptor_only.consumer->last_seq() > from;
    });
  };
  ASSERT_TRUE(all_follow(100));

  for (std::size_t life = 1; life <= 2; ++life) {
    driver->kill();
    const std::uint64_t direct_before = direct.consumer->last_seq();
    ASSERT_TRUE(eventually([&] {
      step();
      return producing.connection() == ConnectionState::kLost &&
             consuming.connection() == ConnectionState::kLost &&
             producer_log.count(LogLevel::kWarning, "media driver lost") == life &&
             consumer_log.count(LogLevel::kWarning, "media driver lost") == life &&
             direct.events.count(ConsumerEvent::Kind::kBusLost) == life &&
             recovering.events.count(ConsumerEvent::Kind::kBusLost) == life;
    }));
    // Without a driver, frames go on into the ring and out of it.
    const std::uint64_t closed_before = producer.counters().descriptor_closed;
    const std::uint64_t during = producer.next_seq() + 200;
    ASSERT_TRUE(eventually([&] {
      step();
      return direct.consumer->last_seq() > during && recovering.consumer->last_seq() > during;
    }));
    EXPECT_GT(direct.consumer->last_seq(), direct_before);
    EXPECT_GE(producer.counters().descriptor_closed, closed_before + 200);

    driver.reset();
    driver.emplace(host());
    ASSERT_TRUE(eventually([&] {
      step();
      return producing.connection() == ConnectionState::kConnected &&
             consuming.connection() == ConnectionState::kConnected;
    }));
    ASSERT_TRUE(all_follow(producer.next_seq()));
    EXPECT_TRUE(
        eventually([&] { return producer_log.count(LogLevel::kInfo, "connected") == life + 1; }));
    EXPECT_EQ(direct.events.count(ConsumerEvent::Kind::kBusBack), life);
  }
  // One mapping through it all, and its accounts hold; only who relied on descriptors has lost.
  for (const Reader* one : {&direct, &recovering, &by_descriptor_only}) {
    EXPECT_EQ(one->wrong, 0U);
    EXPECT_EQ(one->events.count(ConsumerEvent::Kind::kMapped), 1U);
    EXPECT_EQ(one->events.count(ConsumerEvent::Kind::kDiscontinuity), 0U);
    EXPECT_EQ(one->consumer->counters().drops_late, 0U);
  }
  EXPECT_EQ(direct.consumer->counters().drops_gap, 0U);
  EXPECT_EQ(recovering.consumer->counters().drops_gap, 0U);
  EXPECT_GT(by_descriptor_only.consumer->counters().drops_gap, 0U);
  EXPECT_EQ(driver->finish(), 0);
}

TEST_F(LostMediaDriver, is_replaced_by_a_client_that_may_embed_one) {
  std::optional<Client> embedding(connect());  // hosts the driver
  Client left = connect();                     // joins it
  Producer producer = produce(left, stream());
  Consumer sut = consume(left, reader());
  ASSERT_TRUE(joined(producer, sut));
  embedding.reset();
  ASSERT_TRUE(eventually([&] { return left.connection() == ConnectionState::kLost; }));
  ASSERT_TRUE(eventually([&] { return left.connection() == ConnectionState::kConnected; }));
  ASSERT_TRUE(joined(producer, sut));
  const std::uint64_t seq = producer.next_seq();
  publish(producer);
  ASSERT_TRUE(eventually([&] {
    sut.poll([](const FrameView&) {});
    return sut.last_seq() == seq;
  }));
}

}  // namespace
}  // namespace tensorpool::test
