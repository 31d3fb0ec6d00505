// Producer and driver as processes that are killed, stopped and started again.
#include <csignal>
#include <fstream>
#include <optional>

#include "driver_fixture.hpp"
#include "support/requirement.hpp"
#include "tenant_peer.hpp"

namespace tensorpool::test {
namespace {

/// Leases of 1.5 s: long enough for a busy machine, short enough to wait for.
constexpr int kKeepaliveMs = 500;

class LostTenant : public DriverTest {
 protected:
  void SetUp() override {
    ClientOptions host = options();  // of the media driver, which outlives driver and clients
    Result<Client> client = Client::create(host);
    ASSERT_TRUE(client) << describe(client.error());
    host_.emplace(std::move(*client));
    std::ofstream(scratch_.path() + "/driver.toml") << configuration(kKeepaliveMs);
    events_.emplace();
    start_peers();
  }
  void start_peers() {
    driver_.emplace(TP_TENANT_PEER, std::vector<std::string>{"drive", options().aeron_dir,
                                                             scratch_.path() + "/driver.toml"});
    ASSERT_EQ(driver_->read_line(), "ready");
  }
  [[nodiscard]] ChildProcess start_producer(const char* how = "publish") const {
    ChildProcess peer(TP_TENANT_PEER, {how, options().aeron_dir, scratch_.path()});
    EXPECT_EQ(peer.read_line(), "ready");
    return peer;
  }
  void start_consumer() {
    client_.emplace(attach_client());
    ConsumerOptions wanted = reader();
    wanted.on_event = events_->sink();
    consumer_.emplace(consume(*client_, wanted));
  }
  /// Reads what there is; every frame has to be of the epoch that it is said to be of, and no epoch
  /// comes back once a later one was seen.
  void read() {
    consumer_->poll([&](const FrameView& view) {
      TenantPayload payload{};
      if (view.copy_to(std::as_writable_bytes(std::span(payload))) == CopyStatus::kCopied) {
        EXPECT_EQ(payload[0], view.epoch());
        EXPECT_EQ(payload[7], view.epoch());
      }
      EXPECT_GE(view.epoch(), newest_);
      newest_ = std::max(newest_, view.epoch());
      ++frames_;
    });
  }
  /// Waits for a hundred frames of an epoch later than `epoch`.
  [[nodiscard]] bool follows_beyond(std::uint64_t epoch) {
    if (!eventually([&] {
          read();
          return newest_ > epoch;
        })) {
      return false;
    }
    const std::uint64_t before = frames_;
    return eventually([&] {
      read();
      return frames_ >= before + 100;
    });
  }

  std::optional<EventLog> events_;
  std::optional<Client> host_;
  std::optional<ChildProcess> driver_;
  std::optional<Client> client_;
  std::optional<Consumer> consumer_;
  std::uint64_t newest_ = 0;
  std::uint64_t frames_ = 0;
};

TEST_F(LostTenant, that_is_killed_is_followed_by_the_next_one_and_its_consumer_by_the_consumer) {
  TP_REQ("D170");
  start_consumer();
  std::optional<ChildProcess> first = start_producer();
  ASSERT_TRUE(follows_beyond(0));
  const std::uint64_t lost = newest_;
  first->kill();
  ChildProcess second = start_producer();  // is let in when the first one's lease is over
  ASSERT_TRUE(follows_beyond(lost));
  EXPECT_EQ(second.ask<TenantReport>().epoch, newest_);
  EXPECT_TRUE(eventually([&] { return events_->count(ConsumerEvent::Kind::kDiscontinuity) >= 1; }));
  EXPECT_EQ(events_->count(ConsumerEvent::Kind::kLeaseLost), 0U);
  EXPECT_EQ(second.finish(), 0);
}

TEST_F(LostTenant, and_its_consumer_outlive_a_killed_driver_without_being_started_again) {
  TP_REQ("D272", "D273", "D132");
  start_consumer();
  ChildProcess producer = start_producer();
  ASSERT_TRUE(follows_beyond(0));
  const std::uint64_t lost = newest_;
  driver_->kill();
  start_peers();
  ASSERT_TRUE(follows_beyond(lost));
  const auto report = producer.ask<TenantReport>();
  EXPECT_EQ(report.epoch, newest_);
  EXPECT_EQ(report.epochs, 2U);
  EXPECT_EQ(consumer_->stream_id(), 20000U);  // the name has kept its number
  EXPECT_GE(events_->count(ConsumerEvent::Kind::kLeaseLost), 1U);
  EXPECT_EQ(producer.finish(), 0);
}

/// Stopped for longer than its lease, then continued.
class Stopped : public LostTenant, public ::testing::WithParamInterface<const char*> {};
INSTANTIATE_TEST_SUITE_P(Both, Stopped, ::testing::Values("publish", "claim"));

TEST_P(Stopped, for_longer_than_its_lease_it_writes_nothing_more_in_the_lost_epoch) {
  TP_REQ("D142", "D314");
  start_consumer();
  ChildProcess sut = start_producer(GetParam());
  ASSERT_TRUE(follows_beyond(0));
  const std::uint64_t lost = newest_;
  const std::uint64_t lease = producer_lease();
  sut.signal(SIGSTOP);
  ASSERT_TRUE(eventually([&] {
    read();
    return producer_lease() != lease;  // the driver has ended it
  }));
  ASSERT_TRUE(eventually([&] {
    read();
    return consumer_->epoch() > lost;
  }));
  const std::uint64_t before = frames_;
  sut.signal(SIGCONT);
  ASSERT_TRUE(follows_beyond(lost));
  EXPECT_GT(frames_, before);
  const auto report = sut.ask<TenantReport>();
  EXPECT_GT(report.epoch, lost);
  EXPECT_EQ(report.after_pause, GetParam() == std::string("claim")
                                    ? static_cast<int>(CommitStatus::kStaleClaim)
                                    : static_cast<int>(PublishStatus::kLeaseLost));
  EXPECT_EQ(sut.finish(), 0);
}

}  // namespace
}  // namespace tensorpool::test
