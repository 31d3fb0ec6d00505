// Every value of §1.24 that standalone mode uses can be set, and takes effect.
#include <sys/stat.h>

#include <functional>
#include <optional>
#include <string>

#include "client_fixture.hpp"
#include "layout/messages_900.hpp"
#include "raw_listener.hpp"
#include "support/requirement.hpp"

namespace tensorpool::test {
namespace {

using Kind = ConsumerEvent::Kind;
using std::chrono::milliseconds;

using Settings = ClientTest;

TEST_F(Settings, of_a_client_limit_what_it_maps) {
  TP_REQ("W127", "W136", "W439");
  const Client owner = connect();
  StreamOptions two_pools = stream();
  two_pools.pools.push_back({.pool_id = 2, .stride_bytes = 64});
  Client producing = connect();
  Producer producer = produce(producing, two_pools);
  const struct {
    std::function<void(ClientOptions&)> set;
    Errc refused;
  } table[] = {
      {[](ClientOptions& o) { o.regions.forbidden_mode_bits = 0020; }, Errc::kPermissionRejected},
      {[](ClientOptions& o) { o.regions.expected_uid = 4'000'000; }, Errc::kPermissionRejected},
      {[](ClientOptions& o) { o.regions.expected_gid = 4'000'000; }, Errc::kPermissionRejected},
      {[](ClientOptions& o) { o.regions.hugepages = Hugepages::kRequired; },
       Errc::kHugepagesRequired},
      {[](ClientOptions& o) { o.regions.max_region_bytes = 4096; }, Errc::kRegionTooLarge},
      {[](ClientOptions& o) { o.regions.max_pools = 1; }, Errc::kAnnounceInvalid},
      {[](ClientOptions& o) { o.allowed_base_dirs = {"/tmp"}; }, Errc::kPathRejected},
  };
  for (const auto& [set, refused] : table) {
    ClientOptions limited = options();
    set(limited);
    Result<Client> client = Client::create(limited);
    ASSERT_TRUE(client) << describe(client.error());
    EventLog events;
    ConsumerOptions wanted = reader();
    wanted.on_event = events.sink();
    const Consumer sut = consume(*client, wanted);
    ASSERT_TRUE(eventually([&] { return events.count(Kind::kError) != 0; }));
    EXPECT_EQ(events.of(Kind::kError)[0].error.code, refused)
        << describe(events.of(Kind::kError)[0].error);
    EXPECT_EQ(sut.state(), MappingState::kUnmapped);
  }
  for (const std::uint32_t pools : {0U, 257U}) {
    ClientOptions wrong = options();
    wrong.regions.max_pools = pools;
    EXPECT_EQ(Client::create(wrong).error().code, Errc::kInvalidArgument);
  }
}

TEST_F(Settings, of_a_stream_say_where_its_files_lie_and_who_may_open_them) {
  TP_REQ("W149", "W150", "W439");
  Client client = connect();
  StreamOptions wanted = stream();
  wanted.name_space = "night";
  wanted.private_files = true;
  {
    const Producer producer = produce(client, wanted);
    ASSERT_EQ(region_files().size(), 2U);
    for (const std::string& path : region_files()) {
      EXPECT_NE(path.find("/night/"), std::string::npos) << path;
      struct stat found {};
      ASSERT_EQ(::stat(path.c_str(), &found), 0);
      EXPECT_EQ(found.st_mode & 07777U, 0600U);
    }
  }
  wanted.require_hugepages = true;
  const auto refused = client.create_producer(wanted);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::kHugepagesRequired);
}

TEST_F(Settings, of_periods_set_how_often_each_message_comes) {
  TP_REQ("W439");
  Client client = connect();
  RawListener control(client.aeron_dir());
  RawListener metadata(client.aeron_dir(), kMetadataStream);
  StreamOptions often = stream();
  often.announce_period = milliseconds(400);
  often.metadata_period = milliseconds(20);
  ConsumerOptions talkative = reader();
  talkative.hello_interval = milliseconds(20);
  const Producer producer = produce(client, often);
  const Consumer consumer = consume(client, talkative);
  int announces = 0;
  int names = 0;
  int hellos = 0;
  ASSERT_TRUE(eventually([&] {
    control.hear<layout::ShmPoolAnnounce>([&](const auto&) { ++announces; });
    metadata.hear<layout::DataSourceAnnounce>([&](const auto&) { ++names; });
    return announces >= 4;
  }));
  EXPECT_GT(names, 2 * announces);
  RawListener again(client.aeron_dir());
  announces = 0;
  ASSERT_TRUE(eventually([&] {
    again.hear<layout::ConsumerHello>([&](const auto&) { ++hellos; });
    control.hear<layout::ShmPoolAnnounce>([&](const auto&) { ++announces; });
    return announces >= 3;
  }));
  EXPECT_GT(hellos, 2 * announces);
}

TEST_F(Settings, of_patience_decide_when_a_silent_owner_is_given_up) {
  TP_REQ("W439", "W440");
  Client client = connect();
  StreamOptions kept = stream();
  kept.unlink_on_close = false;
  std::optional<Producer> producer(produce(client, kept));
  ConsumerOptions patient = reader();
  patient.liveness_timeout = std::chrono::hours(1);
  Consumer waits = consume(client, patient);
  Consumer leaves = consume(client, reader());
  ASSERT_TRUE(joined(*producer, waits));
  ASSERT_TRUE(joined(*producer, leaves));
  producer.reset();
  ASSERT_TRUE(eventually([&] {
    waits.poll([](const FrameView&) {});
    leaves.poll([](const FrameView&) {});
    return leaves.state() == MappingState::kUnmapped;
  }));
  EXPECT_EQ(waits.state(), MappingState::kMapped);

  const auto refused = [&](const std::function<void(ConsumerOptions&)>& set) {
    ConsumerOptions wrong = reader();
    set(wrong);
    const auto consumer = client.create_consumer(wrong);
    return !consumer && consumer.error().code == Errc::kInvalidArgument;
  };
  EXPECT_TRUE(refused([](ConsumerOptions& o) { o.freshness_window = milliseconds(1); }));
  EXPECT_TRUE(refused([](ConsumerOptions& o) { o.liveness_timeout = milliseconds(1); }));
  EXPECT_TRUE(refused([](ConsumerOptions& o) { o.hello_interval = Nanos{0}; }));
  EXPECT_TRUE(refused([](ConsumerOptions& o) { o.announce_period = -milliseconds(1); }));
  StreamOptions wrong = stream();
  wrong.metadata_period = Nanos{0};
  EXPECT_EQ(client.create_producer(wrong).error().code, Errc::kInvalidArgument);
}

TEST_F(Settings, of_freshness_decide_how_old_an_announce_may_be) {
  TP_REQ("W439");
  Client client = connect();
  RawSender peer(client.aeron_dir());
  const auto ten_seconds_ago = [] {
    return static_cast<std::uint64_t>(
        (std::chrono::system_clock::now() - std::chrono::seconds(10)).time_since_epoch().count());
  };
  layout::PayloadPool pool{.pool_id = 1,
                           .pool_nslots = 16,
                           .stride_bytes = 64,
                           .region_uri = "shm:file?path=/dev/shm/nowhere"};
  layout::ShmPoolAnnounce old;
  old.stream_id = 4711;
  old.epoch = 5;
  old.announce_clock_domain = layout::ClockDomain::kRealtimeSynced;
  old.header_nslots = 16;
  old.payload_pools = layout::ListView<layout::PayloadPool>(&pool, 1);
  old.header_region_uri = pool.region_uri;

  EventLog strict_events;
  EventLog lenient_events;
  ConsumerOptions wanted = reader();
  wanted.stream_id = old.stream_id;
  wanted.on_event = strict_events.sink();
  const Consumer strict = consume(client, wanted);
  wanted.freshness_window = std::chrono::minutes(1);
  wanted.liveness_timeout = std::chrono::minutes(2);
  wanted.on_event = lenient_events.sink();
  const Consumer lenient = consume(client, wanted);
  ASSERT_TRUE(eventually([&] {
    old.announce_timestamp_ns = ten_seconds_ago();
    peer.send_message(kControlStream, old);
    return lenient_events.count(Kind::kError) != 0;  // it was looked at; nothing is there
  }));
  EXPECT_EQ(strict_events.count(Kind::kError), 0U);
}

TEST_F(Settings, names_are_plain_text) {
  TP_REQ("W93");
  Client client = connect();
  for (const char* text : {"caf\xC3\xA9", "two\nlines", "bell\a"}) {
    StreamOptions wanted = stream(text);
    EXPECT_EQ(client.create_producer(wanted).error().code, Errc::kInvalidArgument);
    wanted = stream();
    wanted.summary = text;
    EXPECT_EQ(client.create_producer(wanted).error().code, Errc::kInvalidArgument);
  }
  EXPECT_TRUE(client.create_producer(stream("Cam 1 (~left~)")));
}

}  // namespace
}  // namespace tensorpool::test
