// The media driver goes away while data threads use it, and comes back.
#include <atomic>
#include <cstdint>
#include <thread>
#include <vector>

#include "bus_fixture.hpp"
#include "peer.hpp"
#include "support/requirement.hpp"

namespace tensorpool::bus::testing {
namespace {

constexpr Nanos kQuickTimeout = std::chrono::seconds(1);
constexpr const char* kIpc = "aeron:ipc?term-length=64k";
constexpr const char* kUntethered = "aeron:ipc?term-length=64k|tether=false";

Peer start_host(const PrivateDir& dir) {
  Peer host({"rendezvous", dir.aeron(), "auto"});
  EXPECT_EQ(host.read_line(), "embedded");
  return host;
}

/// Two data threads that publish and poll for all they are worth through links.
class DataThreads {
 public:
  DataThreads(PublicationLink& out, SubscriptionLink& in)
      : publisher_([this, &out] { publish(out); }), poller_([this, &in] { poll(in); }) {}
  DataThreads(const DataThreads&) = delete;
  DataThreads& operator=(const DataThreads&) = delete;
  ~DataThreads() {
    stopping_.store(true);
    publisher_.join();
    poller_.join();
  }

  std::atomic<std::uint64_t> sent{0};
  std::atomic<std::uint64_t> closed{0};
  std::atomic<std::uint64_t> received{0};

 private:
  void publish(PublicationLink& out) {
    std::uint64_t number = 0;
    while (!stopping_.load()) {
      ExclusivePublication* publication = out.current();
      const OfferStatus status = publication == nullptr
                                     ? OfferStatus::kClosed
                                     : publication->try_claim_and_copy(&number, sizeof(number));
      sent += status == OfferStatus::kOk ? 1 : 0;
      closed += status == OfferStatus::kClosed ? 1 : 0;
      ++number;
    }
  }
  void poll(SubscriptionLink& in) {
    while (!stopping_.load()) {
      if (Subscription* subscription = in.current(); subscription != nullptr) {
        subscription->poll([this](const Message&) noexcept { ++received; }, 100);
      }
    }
  }

  std::atomic<bool> stopping_{false};
  std::thread publisher_;
  std::thread poller_;
};

struct Party {
  explicit Party(const PrivateDir& dir)
      : client(make_client(dir.aeron(), kQuickTimeout)),
        out(client, {.channel = channel(kIpc), .stream_id = 1100}),
        in(client, {.channel = channel(kUntethered), .stream_id = 1100}) {}

  template <class Condition>
  [[nodiscard]] bool until(Condition&& condition) {
    return eventually([&] {
      client.do_work(mono_now());
      out.do_work(mono_now());
      in.do_work(mono_now());
      return condition();
    });
  }
  Client client;
  PublicationLink out;
  SubscriptionLink in;
};

TEST(LostDriver, is_noticed_survived_by_busy_data_threads_and_replaced_again_and_again) {
  TP_REQ("W198");
  const PrivateDir dir;
  Party party(dir);
  DataThreads data(party.out, party.in);
  EXPECT_EQ(party.client.state(), ClientState::kConnecting);
  for (std::uint64_t life = 1; life <= 3; ++life) {
    Peer host = start_host(dir);
    ASSERT_TRUE(party.until([&] { return party.client.is_up(); }));
    EXPECT_EQ(party.client.generation(), life);
    const std::uint64_t before = data.received.load();
    ASSERT_TRUE(party.until([&] { return data.received.load() > before + 1000; }));

    host.kill();
    const std::uint64_t closed_before = data.closed.load();
    ASSERT_TRUE(party.until([&] { return party.client.state() == ClientState::kLost; }));
    EXPECT_EQ(party.client.last_error().code, Errc::kMediaDriverUnavailable);
    ASSERT_TRUE(party.until([&] { return data.closed.load() > closed_before; }));
    EXPECT_FALSE(party.out.is_up());
  }
}

TEST(LostDriver, that_shuts_down_in_order_is_noticed_too) {
  const PrivateDir dir;
  Peer host = start_host(dir);
  Party party(dir);
  ASSERT_TRUE(party.until([&] { return party.out.is_up() && party.in.is_up(); }));
  EXPECT_EQ(host.finish(), 0);
  ASSERT_TRUE(party.until([&] { return party.client.state() == ClientState::kLost; }));
}

TEST(LostDriver, leaves_objects_that_are_safe_to_use_and_to_destroy_at_any_time) {
  const PrivateDir dir;
  Peer host = start_host(dir);
  auto client = std::make_unique<Client>(make_client(dir.aeron(), kQuickTimeout));
  ASSERT_TRUE(bring_up(*client));
  auto out = wait_for(*client, client->begin_add_publication(channel(kIpc), 1100));
  auto in = wait_for(*client, client->begin_add_subscription(channel(kIpc), 1100));
  auto counter = wait_for(*client, client->begin_add_counter(2000, "", "test"));
  ASSERT_TRUE(out && in && counter);
  ASSERT_TRUE(eventually([&] {
    client->do_work(mono_now());
    return (*out)->try_claim_and_copy("x", 1) == OfferStatus::kOk;
  }));
  auto asked = client->begin_add_publication(channel(kIpc), 1300);
  host.kill();
  ASSERT_TRUE(eventually([&] {
    client->do_work(mono_now());
    return client->state() == ClientState::kLost;
  }));
  Peer next = start_host(dir);
  ASSERT_TRUE(bring_up(*client));
  EXPECT_EQ(client->generation(), 2U);

  EXPECT_EQ((*out)->try_claim_and_copy("y", 1), OfferStatus::kClosed);
  EXPECT_EQ((*out)->offer(bytes_of("y")).value(), OfferStatus::kClosed);
  EXPECT_TRUE((*out)->is_closed());
  EXPECT_FALSE((*out)->is_connected());
  EXPECT_TRUE((*in)->is_closed());
  EXPECT_EQ((*in)->poll([](const Message&) noexcept {}, 10), 0);
  (*counter)->set(5);
  EXPECT_EQ((*counter)->value(), 5);
  const auto answer = asked->poll();
  ASSERT_FALSE(answer.has_value());
  EXPECT_EQ(answer.error().code, Errc::kClosed);

  out->reset();
  client.reset();  // before the rest of what it made
  EXPECT_EQ((*in)->poll([](const Message&) noexcept {}, 10), 0);
}

TEST(LostDriver, adds_are_refused_while_there_is_none) {
  const PrivateDir dir;
  Client client = make_client(dir.aeron());
  client.do_work(mono_now());
  EXPECT_EQ(client.state(), ClientState::kConnecting);
  EXPECT_EQ(client.last_error().code, Errc::kMediaDriverUnavailable);
  EXPECT_EQ(client.begin_add_publication(channel(kIpc), 1).error().code, Errc::kClosed);
  EXPECT_EQ(client.begin_add_subscription(channel(kIpc), 1).error().code, Errc::kClosed);
  EXPECT_EQ(client.begin_add_counter(1, "", "x").error().code, Errc::kClosed);
}

TEST(LostDriver, is_looked_for_with_growing_pauses) {
  const PrivateDir dir;
  Result<Client> client = Client::create({.aeron_dir = dir.aeron(),
                                          .retry_min = std::chrono::milliseconds(10),
                                          .retry_max = std::chrono::milliseconds(40)});
  ASSERT_TRUE(client.has_value());
  std::vector<std::int64_t> attempts_ms;
  for (std::int64_t now_ms = 0; now_ms < 200; ++now_ms) {
    if (client->do_work(std::chrono::milliseconds(now_ms)) > 0) {
      attempts_ms.push_back(now_ms);
    }
  }
  EXPECT_EQ(attempts_ms, (std::vector<std::int64_t>{0, 10, 30, 70, 110, 150, 190}));
}

TEST(Link, renews_on_demand_while_the_old_one_serves) {
  const PrivateDir dir;
  Peer host = start_host(dir);
  Party party(dir);
  ASSERT_TRUE(party.until([&] { return party.in.is_up(); }));
  Subscription* first = party.in.current();
  ASSERT_NE(first, nullptr);
  party.in.renew();
  ASSERT_TRUE(party.until([&] {
    EXPECT_NE(party.in.newest(), nullptr);
    return party.in.generation() == 2;
  }));
  Subscription* second = party.in.current();
  ASSERT_NE(second, nullptr);
  EXPECT_NE(second, first);
  ASSERT_TRUE(party.until([&] { return party.out.is_up() && second->image_count() == 1; }));
}

TEST(Link, tries_again_after_a_refusal) {
  const PrivateDir dir;
  Peer host = start_host(dir);
  Client client = make_client(dir.aeron());
  ASSERT_TRUE(bring_up(client));
  auto holder = wait_for(
      client, client.begin_add_publication(channel("aeron:ipc?session-id=9|term-length=64k"), 5));
  ASSERT_TRUE(holder.has_value());
  PublicationLink sut(client, {.channel = channel("aeron:ipc?session-id=9|term-length=128k"),
                               .stream_id = 5,
                               .retry_pause = std::chrono::milliseconds(10)});
  const auto step = [&] {
    client.do_work(mono_now());
    sut.do_work(mono_now());
  };
  ASSERT_TRUE(eventually([&] {
    step();
    return sut.last_error().has_value();
  }));
  EXPECT_EQ(sut.last_error()->code, Errc::kBusFailure);
  EXPECT_EQ(sut.current(), nullptr);
  holder->reset();
  ASSERT_TRUE(eventually([&] {
    step();
    return sut.is_up();
  }));
  EXPECT_EQ(sut.last_error(), std::nullopt);
}

TEST(TwoProcesses, exchange_messages_over_the_driver_of_a_third) {
  const PrivateDir dir;
  Peer host = start_host(dir);
  Peer publisher({"publish", dir.aeron(), "1100"});
  Peer subscriber({"subscribe", dir.aeron(), "1100"});
  EXPECT_EQ(subscriber.read_line(), "received");
  EXPECT_EQ(publisher.read_line(), "connected");
  EXPECT_EQ(publisher.finish(), 0);
  EXPECT_EQ(subscriber.finish(), 0);
}

}  // namespace
}  // namespace tensorpool::bus::testing
