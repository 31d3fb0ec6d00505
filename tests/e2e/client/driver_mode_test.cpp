// Producers and consumers under a driver of the same process: attaching, losing, giving back.
#include <gmock/gmock.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <optional>

#include "driver_fixture.hpp"
#include "support/requirement.hpp"

namespace tensorpool::test {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::SizeIs;

class DriverMode : public DriverTest {
 protected:
  /// Publishes until a frame of the producer's present epoch arrives, and returns its number.
  [[nodiscard]] static std::optional<std::uint64_t> follow(Producer& producer, Consumer& consumer) {
    std::optional<std::uint64_t> got;
    EXPECT_TRUE(eventually([&] {
      static_cast<void>(producer.publish(info(), payload_of(producer.next_seq())));
      consumer.poll([&](const FrameView& view) {
        EXPECT_EQ(view.bytes()[1], payload_of(view.seq())[1]);
        if (view.epoch() == producer.epoch()) {
          got = view.seq();
        }
      });
      return got.has_value();
    }));
    return got;
  }
};

class Following : public DriverMode, public ::testing::WithParamInterface<FollowMode> {};
INSTANTIATE_TEST_SUITE_P(Both, Following,
                         ::testing::Values(FollowMode::kDescriptors, FollowMode::kDirect));

TEST_F(DriverMode, a_stream_that_takes_passes_is_attached_to_by_those_who_may) {
  DriverOptions closed = driver_options();  // [streams.fixed] comes last
  const std::string us = std::to_string(::geteuid());
  closed.config += "producers = [ \"" + us + "\" ]\nconsumers = [ \"" + us + "\" ]\n";
  const Driver driver = start_driver(closed);
  Client client = attach_client();
  StreamOptions wanted = stream();
  wanted.name = "fixed";
  Producer producer = tenant(client, wanted);
  ConsumerOptions reader_options = reader();
  reader_options.name = "fixed";
  Consumer consumer = consume(client, reader_options);
  ASSERT_TRUE(joined(producer, consumer));
  EXPECT_EQ(producer.stream_id(), 10000U);
  EXPECT_THAT(leases(), SizeIs(2));
}

TEST_P(Following, frames_go_from_a_producer_to_a_consumer_that_attach_by_name) {
  TP_REQ("D79");
  const Driver driver = start_driver();
  Client client = attach_client();
  Producer producer = tenant(client);
  Consumer consumer = consume(client, reader(GetParam()));
  ASSERT_TRUE(joined(producer, consumer, GetParam()));
  publish(producer, 5);
  std::uint64_t frames = 0;
  EXPECT_TRUE(eventually([&] {
    consumer.poll([&](const FrameView& view) {
      EXPECT_TRUE(std::ranges::equal(view.bytes(), payload_of(view.seq())));
      ++frames;
    });
    return frames == 5;
  }));
  EXPECT_EQ(producer.stream_id(), 20000U);
  EXPECT_EQ(consumer.stream_id(), 20000U);
  EXPECT_EQ(consumer.counters().drops_gap + consumer.counters().drops_late, 0U);
  const auto held = leases();
  ASSERT_THAT(held, SizeIs(2));
  EXPECT_NE(held[0]["client_id"], held[1]["client_id"]);
}

TEST_F(DriverMode, a_producer_that_waits_for_its_driver_publishes_nothing_and_says_so) {
  TP_REQ("D313");
  const Client host = connect();  // of the media driver
  Client client = attach_client();
  Producer sut = produce(client, stream());
  EXPECT_EQ(sut.publish(info(), payload_of(0)), PublishStatus::kNotAttached);
  EXPECT_EQ(sut.claim(10).error(), PublishStatus::kNotAttached);
  EXPECT_EQ(sut.wait_attached(std::chrono::milliseconds(500)).error().code, Errc::kNotFound);
  EXPECT_EQ(sut.epoch(), 0U);
  EXPECT_EQ(sut.payload_bytes_max(), 0U);

  const Driver driver = start_driver();  // clients and driver start in any order
  ASSERT_TRUE(sut.wait_attached(kPatience));
  EXPECT_EQ(sut.attach_state(), AttachState::kAttached);
  EXPECT_EQ(sut.publish(info(), payload_of(0)), PublishStatus::kPublished);
  EXPECT_EQ(sut.counters().frames_published, 1U);
}

TEST_F(DriverMode, the_geometry_is_what_the_producer_asked_for_by_name_or_else_the_profiles) {
  const Driver driver = start_driver();
  Client client = attach_client();
  StreamOptions large = stream("large");
  large.nslots = 32;
  large.pools = {{.pool_id = 1, .stride_bytes = 64}, {.pool_id = 2, .stride_bytes = 100'000}};
  EXPECT_EQ(tenant(client, large).payload_bytes_max(), 131'072U);
  EXPECT_EQ(tenant(client, {.name = "usual"}).payload_bytes_max(), 4096U);
  EXPECT_EQ(tenant(client, {.name = "fixed"}).stream_id(), 10000U);
  EXPECT_EQ(tenant(client, {}).stream_id(), 20002U);  // the driver's choice (D242, D247)

  Producer too_large = produce(client, {.name = "fixed", .nslots = 8, .pools = {{1, 8192}}});
  const Error refused = too_large.wait_attached(kPatience).error();
  EXPECT_EQ(refused.code, Errc::kNoPoolFits);
  EXPECT_EQ(refused.value, 8192U);
  EXPECT_EQ(refused.limit, 4096U);
}

TEST_F(DriverMode,
       a_client_that_was_there_before_its_driver_hears_announces_where_the_driver_says) {
  TP_REQ("D276");
  Client client = attach_client();
  DriverOptions elsewhere = driver_options();
  const std::string usual = "announce_stream_id = 1001";
  elsewhere.config.replace(elsewhere.config.find(usual), usual.size(), "announce_stream_id = 1777");
  const Driver driver = start_driver(elsewhere);
  const Producer producer = tenant(client);
  ASSERT_TRUE(eventually([&] { return !client.streams().empty(); }));
  EXPECT_EQ(client.streams()[0].stream_id, producer.stream_id());
}

TEST_F(DriverMode, a_second_producer_is_refused_with_the_drivers_words_until_the_first_has_gone) {
  TP_REQ("D63", "D311");
  const Driver driver = start_driver();
  Client client = attach_client();
  std::optional<Producer> first = tenant(client);
  ProducerLog events;
  StreamOptions wanted = stream();
  wanted.on_event = events.sink();
  Producer sut = produce(client, wanted);
  ASSERT_TRUE(eventually([&] { return events.count(ProducerEvent::Kind::kAttachFailed) > 0; }));
  const ProducerEvent refused = events.of(ProducerEvent::Kind::kAttachFailed)[0];
  EXPECT_EQ(refused.error.code, Errc::kAttachRefused);
  EXPECT_EQ(refused.text, "producer already attached");
  EXPECT_TRUE(refused.tries_again);
  EXPECT_EQ(sut.wait_attached(std::chrono::milliseconds(1)).error().code, Errc::kAttachRefused);
  EXPECT_EQ(sut.publish(info(), payload_of(0)), PublishStatus::kNotAttached);

  first.reset();
  EXPECT_TRUE(sut.wait_attached(kPatience));
  EXPECT_EQ(sut.publish(info(), payload_of(0)), PublishStatus::kPublished);
}

TEST_F(DriverMode, a_revoked_producer_is_told_once_and_goes_on_in_a_new_epoch) {
  TP_REQ("D145", "D155", "D168", "D193", "D314", "D306");
  const Driver driver = start_driver();
  Client client = attach_client();
  ProducerLog events;
  StreamOptions wanted = stream();
  wanted.on_event = events.sink();
  Producer sut = tenant(client, wanted);
  publish(sut, 7);
  const std::uint64_t lost_epoch = sut.epoch();
  auto open = sut.claim(100);
  ASSERT_TRUE(open);
  std::fill(open->payload().begin(), open->payload().end(), std::byte{1});

  revoke(producer_lease());
  ASSERT_TRUE(eventually([&] { return events.count(ProducerEvent::Kind::kAttached) == 2; }));
  EXPECT_EQ(open->commit(info()), CommitStatus::kStaleClaim);
  EXPECT_EQ(sut.publish(info(), payload_of(0)), PublishStatus::kLeaseLost);  // once, if late
  EXPECT_EQ(sut.next_seq(), 0U);
  EXPECT_EQ(sut.publish(info(), payload_of(0)), PublishStatus::kPublished);
  EXPECT_GT(sut.epoch(), lost_epoch);
  std::fill(open->payload().begin(), open->payload().end(), std::byte{2});  // still mapped
  EXPECT_EQ(open->commit(info()), CommitStatus::kStaleClaim);
  { const Claim dropped = std::move(*open); }
  EXPECT_EQ(sut.counters().frames_published, 8U);
  EXPECT_EQ(sut.counters().claims_dropped, 1U);

  const auto lost = events.of(ProducerEvent::Kind::kLeaseLost);
  ASSERT_THAT(lost, SizeIs(1));
  EXPECT_EQ(lost[0].error.code, Errc::kLeaseLost);
  EXPECT_EQ(lost[0].loss, LeaseLoss::kRevoked);
  EXPECT_EQ(lost[0].text, "maintenance");
  EXPECT_TRUE(lost[0].tries_again);
  const AttachCounters counted = sut.attach_counters();
  EXPECT_GE(counted.attach_attempts, 2U);
  EXPECT_EQ(counted.lease_lost, 1U);
  EXPECT_EQ(counted.attach_protocol_errors, 0U);
}

TEST_F(DriverMode, buffers_at_a_device_stay_mapped_when_the_lease_is_lost_and_come_back_stale) {
  TP_REQ("D314", "W183");
  const Driver driver = start_driver();
  Client client = attach_client();
  ProducerLog events;
  StreamOptions wanted = stream();
  wanted.on_event = events.sink();
  Producer producer = tenant(client, wanted);
  Result<BufferQueue> sut = BufferQueue::create(
      producer, {.info = info(), .frame_bytes = 1000, .buffers = 2, .reorder = Nanos{0}});
  ASSERT_TRUE(sut) << describe(sut.error());
  const auto first = sut->take();
  const auto late = sut->take();
  ASSERT_TRUE(first && late);
  const std::uint64_t lost_epoch = sut->epoch();

  revoke(producer_lease());
  ASSERT_TRUE(eventually([&] { return events.count(ProducerEvent::Kind::kAttached) == 2; }));
  std::fill(first->memory.begin(), first->memory.end(), std::byte{1});
  EXPECT_TRUE(sut->complete(first->id));
  EXPECT_EQ(sut->poll(), 0);
  EXPECT_EQ(sut->counters().stale, 1U);
  auto next = sut->take();
  if (!next) {
    EXPECT_EQ(next.error(), PublishStatus::kLeaseLost);  // once, if late
    next = sut->take();
  }
  ASSERT_TRUE(next);
  EXPECT_GT(sut->epoch(), lost_epoch);
  EXPECT_TRUE(sut->complete(next->id));
  EXPECT_EQ(sut->poll(), 1);
  EXPECT_EQ(sut->counters().late, 1U);  // the one of the lost epoch, which the device still has
  EXPECT_EQ(sut->at_device(), 1U);
  std::fill(late->memory.begin(), late->memory.end(), std::byte{2});
  EXPECT_TRUE(sut->complete(late->id));
  EXPECT_EQ(sut->poll(), 0);
  EXPECT_EQ(sut->counters().late_returns, 1U);
  EXPECT_EQ(producer.counters().frames_published, 1U);
}

TEST_F(DriverMode, a_producer_that_wants_no_other_lease_stays_without) {
  const Driver driver = start_driver();
  Client client = attach_client();
  StreamOptions wanted = stream();
  wanted.reattach = false;
  Producer sut = tenant(client, wanted);
  revoke(producer_lease());
  ASSERT_TRUE(
      eventually([&] { return sut.publish(info(), payload_of(0)) == PublishStatus::kLeaseLost; }));
  const Error why = sut.wait_attached(kPatience).error();
  EXPECT_EQ(why.code, Errc::kLeaseLost);
  EXPECT_EQ(why.subject_view(), "maintenance");
  EXPECT_EQ(sut.attach_state(), AttachState::kUnattached);
}

TEST_P(Following, a_consumer_follows_the_producer_into_its_next_epoch_with_a_discontinuity) {
  TP_REQ("D170", "D174", "D190", "D191");
  const Driver driver = start_driver();
  Client client = attach_client();
  Producer producer = tenant(client);
  EventLog events;
  ConsumerOptions wanted = reader(GetParam());
  wanted.on_event = events.sink();
  Consumer sut = consume(client, wanted);
  ASSERT_TRUE(joined(producer, sut, GetParam()));
  ASSERT_TRUE(follow(producer, sut));
  const std::uint64_t lost_epoch = sut.epoch();
  publish(producer, 1);
  std::optional<FrameLease> kept;
  ASSERT_TRUE(eventually([&] {
    sut.poll([&](const FrameView& view) { kept.emplace(view.keep()); });
    return kept.has_value();
  }));
  const std::uint64_t last = sut.last_seq();

  revoke(producer_lease());
  ASSERT_TRUE(eventually([&] {
    static_cast<void>(producer.publish(info(), payload_of(producer.next_seq())));
    return producer.epoch() > lost_epoch;
  }));
  EXPECT_TRUE(follow(producer, sut));
  EXPECT_EQ(sut.epoch(), producer.epoch());
  EXPECT_FALSE(kept->still_valid());
  EXPECT_EQ(kept->view().bytes().size(), 1000U);  // still mapped
  const auto of_lost_epoch = [&] {
    std::vector<ConsumerEvent> told = events.of(ConsumerEvent::Kind::kDiscontinuity);
    std::erase_if(told, [&](const ConsumerEvent& event) { return event.epoch != lost_epoch; });
    return told;
  };
  ASSERT_TRUE(eventually([&] { return of_lost_epoch().size() == 1; }));
  EXPECT_EQ(of_lost_epoch()[0].last_seq, last);
  EXPECT_EQ(events.count(ConsumerEvent::Kind::kAttached), 1U);  // its own lease went on
  EXPECT_EQ(events.count(ConsumerEvent::Kind::kLeaseLost), 0U);
}

TEST_F(DriverMode, a_consumer_that_lost_its_own_lease_says_so_and_attaches_again) {
  TP_REQ("D145", "D154", "D311");
  const Driver driver = start_driver();
  Client client = attach_client();
  Producer producer = tenant(client);
  EventLog events;
  ConsumerOptions wanted = reader();
  wanted.on_event = events.sink();
  Consumer sut = consume(client, wanted);
  ASSERT_TRUE(joined(producer, sut));
  const std::uint64_t epoch = producer.epoch();
  for (const auto& lease : leases()) {
    if (lease["role"] == "consumer") {
      revoke(lease["lease_id"], "go away");
    }
  }
  ASSERT_TRUE(eventually([&] { return events.count(ConsumerEvent::Kind::kAttached) == 2; }));
  ASSERT_TRUE(follow(producer, sut));
  const auto lost = events.of(ConsumerEvent::Kind::kLeaseLost);
  ASSERT_THAT(lost, SizeIs(1));
  EXPECT_EQ(lost[0].text, "go away");
  EXPECT_EQ(sut.attach_counters().lease_lost, 1U);
  EXPECT_TRUE(eventually([&] { return sut.attach_counters().keepalives_sent > 0; }));
  ASSERT_TRUE(eventually([&] { return events.count(ConsumerEvent::Kind::kDiscontinuity) == 1; }));
  EXPECT_EQ(events.of(ConsumerEvent::Kind::kDiscontinuity)[0].reason, UnmapReason::kLeaseLost);
  EXPECT_EQ(producer.epoch(), epoch);
  EXPECT_EQ(producer.attach_state(), AttachState::kAttached);
}

TEST_F(DriverMode, what_is_destroyed_gives_its_lease_back_at_once) {
  TP_REQ("D166", "D306");
  const Driver driver = start_driver();  // leases of a minute
  Client client = attach_client();
  {
    Producer producer = tenant(client);
    Consumer consumer = consume(client, reader());
    ASSERT_TRUE(joined(producer, consumer));
    EXPECT_THAT(leases(), SizeIs(2));
  }
  EXPECT_TRUE(eventually([&] { return leases().empty(); }));
  {
    Client other = attach_client();
    Producer producer = tenant(other);
    EXPECT_THAT(leases(), SizeIs(1));
  }  // the client goes before its producer's driver has answered
  EXPECT_TRUE(eventually([&] { return leases().empty(); }));
}

TEST_F(DriverMode, a_forked_child_is_answered_forked_and_the_lease_stays_the_parents) {
  std::optional<Driver> driver = start_driver();
  std::optional<Client> client = attach_client();
  std::optional<Producer> producer = tenant(*client);
  std::optional<Consumer> consumer = consume(*client, reader());
  ASSERT_TRUE(joined(*producer, *consumer));
  const pid_t child = ::fork();
  if (child == 0) {
    const bool kept = producer->publish(info(), payload_of(0)) == PublishStatus::kForked &&
                      producer->attach_state() == AttachState::kUnattached &&
                      producer->wait_attached(kPatience).error().code == Errc::kForked &&
                      driver->do_work() == 0 && driver->has_ended();
    consumer.reset();
    producer.reset();
    client.reset();
    driver.reset();
    ::_exit(kept ? 0 : 1);
  }
  int status = -1;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  EXPECT_THAT(leases(), SizeIs(2));
  EXPECT_TRUE(follow(*producer, *consumer));
}

TEST_F(DriverMode, a_driver_that_ends_takes_the_leases_with_it) {
  TP_REQ("D270");
  std::optional<Driver> driver = start_driver();
  const Client host = connect();  // the media driver stays
  Client client = attach_client();
  ProducerLog events;
  StreamOptions wanted = stream();
  wanted.on_event = events.sink();
  Producer producer = tenant(client, wanted);
  Consumer consumer = consume(client, reader());
  ASSERT_TRUE(joined(producer, consumer));
  driver->stop();
  ASSERT_TRUE(eventually([&] { return driver->has_ended(); }));
  ASSERT_TRUE(eventually([&] { return events.count(ProducerEvent::Kind::kLeaseLost) == 1; }));
  EXPECT_EQ(events.of(ProducerEvent::Kind::kLeaseLost)[0].loss, LeaseLoss::kDriverShutdown);
  EXPECT_EQ(producer.publish(info(), payload_of(0)), PublishStatus::kLeaseLost);
  EXPECT_EQ(producer.publish(info(), payload_of(0)), PublishStatus::kLeaseLost);
  EXPECT_TRUE(eventually([&] {
    consumer.poll([](const FrameView&) {});
    return consumer.epoch() == 0;
  }));
}

TEST_F(DriverMode, everything_is_in_one_process_with_an_embedded_driver) {
  TP_REQ("D278", "D281", "D282", "D279", "D280");
  std::ofstream(scratch_.path() + "/driver.toml") << configuration();
  const std::string uri = "tensorpool:embedded?aeron-dir=" + options().aeron_dir +
                          "|config=" + scratch_.path() +
                          "/driver.toml|allowed-dir=" + scratch_.path();
  {
    Result<Client> client = Client::connect(uri);
    ASSERT_TRUE(client) << describe(client.error());
    Producer producer = tenant(*client);
    Consumer consumer = consume(*client, reader());
    ASSERT_TRUE(joined(producer, consumer));
    EXPECT_TRUE(follow(producer, consumer));
    EXPECT_EQ(Client::connect(uri).error().code, Errc::kAlreadyExists);  // D282
    Client other = attach_client();                                      // comes to the same driver
    Consumer second = consume(other, reader());
    EXPECT_TRUE(joined(producer, second));
  }
  EXPECT_FALSE(std::filesystem::exists(options().aeron_dir));
}

TEST_F(DriverMode, an_embedded_driver_is_driven_by_do_work_alone_where_that_is_wanted) {
  TP_REQ("D281");
  ClientOptions wanted = options();
  wanted.mode = DeploymentMode::kEmbedded;
  wanted.threading = Threading::kInvoked;
  wanted.driver.config = configuration();
  Result<Client> client = Client::create(wanted);
  ASSERT_TRUE(client) << describe(client.error());
  Producer producer = produce(*client, stream());
  ASSERT_TRUE(producer.wait_attached(kPatience));
  Consumer consumer = consume(*client, reader());
  EXPECT_TRUE(eventually([&] {
    client->do_work();
    consumer.poll([](const FrameView&) {});
    return consumer.epoch() == producer.epoch();
  }));
}

TEST_F(DriverMode, a_configuration_that_is_refused_is_said_with_its_key) {
  std::vector<std::string> said;
  const Result<Driver> sut =
      Driver::start({.config = "[driver]\nqos_stream_id = 0\n",
                     .aeron_dir = options().aeron_dir,
                     .log = [&](LogLevel, std::string_view line) { said.emplace_back(line); }});
  ASSERT_FALSE(sut);
  EXPECT_THAT(said, Contains(HasSubstr("driver.qos_stream_id")));
}

}  // namespace
}  // namespace tensorpool::test
