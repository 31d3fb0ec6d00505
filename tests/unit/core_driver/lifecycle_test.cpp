// Running, Draining, Stopped; the shutdown token; what the host may see.
#include <gtest/gtest.h>

#include <string>

#include "unit/core_driver/driver_fixture.hpp"

namespace tensorpool::test {
namespace {

using core::driver::CancelProvisioning;
using core::driver::RemoveOwnEpochs;
using layout::ShutdownReason;

[[nodiscard]] layout::ShmDriverShutdownRequest shutdown(std::string_view token = "open sesame") {
  return {.correlation_id = 1,
          .reason = ShutdownReason::kAdmin,
          .token = token,
          .error_message = "maintenance"};
}

TEST(Lifecycle, a_shutdown_request_needs_the_whole_token_and_a_known_reason) {
  TP_REQ("D259", "D260");
  DriverWorld world;
  for (const std::string_view wrong : {"", "open", "open sesamf", "Open sesame", "open sesame "}) {
    world.request_shutdown(shutdown(wrong));
  }
  world.request_shutdown(shutdown(std::string_view("open sesame\0", 12)));
  auto unknown = shutdown();
  unknown.reason = ShutdownReason{3};
  world.request_shutdown(unknown);
  EXPECT_EQ(world.sut.state(), DriverState::kRunning);
  EXPECT_EQ(world.order(), "");
  EXPECT_EQ(world.counters().shutdown_request_rejects, 7U);
}

TEST(Lifecycle, without_a_token_no_request_is_accepted) {
  TP_REQ("D259");
  auto settings = driver_settings();
  settings.policies.shutdown_token.clear();
  DriverWorld world(settings);
  world.request_shutdown(shutdown(""));
  EXPECT_EQ(world.sut.state(), DriverState::kRunning);
  EXPECT_EQ(world.counters().shutdown_request_rejects, 1U);
}

TEST(Lifecycle, draining_announces_serves_leases_and_ends_after_its_time) {
  TP_REQ("D262", "D263", "D265", "D266", "D267", "D163");
  DriverWorld world;
  world.lease(1, Role::kProducer);
  world.lease(2);
  world.clear();
  world.request_shutdown(shutdown());
  EXPECT_EQ(world.sut.state(), DriverState::kDraining);
  EXPECT_EQ(world.order(), "N");
  EXPECT_TRUE(world.keep_alive({.lease_id = kFirstLease,
                                .stream_id = kStaticStream,
                                .client_id = 1,
                                .role = Role::kProducer}));
  world.detach({.lease_id = kFirstLease + 1, .stream_id = kStaticStream, .client_id = 2});
  EXPECT_EQ(world.order(), "NLD");
  world.clear();
  world.run(milliseconds(1950));
  EXPECT_EQ(world.messages(), "N") << "the normal cadence";
  world.run(milliseconds(50));
  EXPECT_EQ(world.sut.state(), DriverState::kStopped);
  const layout::ShmDriverShutdown expected{
      .timestamp_ns = static_cast<std::uint64_t>(world.now.count()),
      .reason = ShutdownReason::kAdmin,
      .error_message = "maintenance"};
  EXPECT_EQ(world.only<ShutdownNotice>().message, expected);
  EXPECT_EQ(world.all<LeaseNotice>().size(), 0U) << "the notice speaks for all leases";
}

TEST(Lifecycle, nobody_attaches_while_draining) {
  TP_REQ("D43");
  DriverWorld world;
  world.lease(1);
  world.stop();
  const auto answer = world.answer_to(
      {.correlation_id = 3, .stream_id = kStaticStream, .client_id = 0, .role = Role{77}});
  EXPECT_EQ(answer.code, ResponseCode::kRejected);
  EXPECT_EQ(answer.error_message, "driver draining") << "before every other check";
}

TEST(Lifecycle, further_requests_while_draining_are_ignored) {
  TP_REQ("D260");
  DriverWorld world;
  world.lease(1);
  world.request_shutdown(shutdown());
  auto again = shutdown();
  again.error_message = "something else";
  again.reason = ShutdownReason::kError;
  world.now += seconds(1);
  world.request_shutdown(again);
  world.run(seconds(1));
  EXPECT_EQ(world.only<ShutdownNotice>().message.error_message, "maintenance");
  EXPECT_EQ(world.counters().shutdown_request_rejects, 1U);
}

TEST(Lifecycle, ends_early_when_the_last_lease_has_gone) {
  TP_REQ("D264");
  DriverWorld world;
  const auto lease = world.lease(1, Role::kProducer);
  world.stop();
  world.clear();
  world.jobs_take_time = true;
  world.detach({.lease_id = *lease.lease_id,
                .stream_id = kStaticStream,
                .client_id = 1,
                .role = Role::kProducer});
  EXPECT_EQ(world.messages(), "LPDS") << "the detach is answered, though its bump is cut short";
  EXPECT_EQ(world.all<CancelProvisioning>().size(), 1U);
  EXPECT_EQ(world.sut.state(), DriverState::kStopped);
  world.clear();
  world.finish_job();
  EXPECT_EQ(world.order(), "");
  EXPECT_EQ(world.sut.jobs(), 0U);
}

TEST(Lifecycle, leases_expire_and_epochs_follow_while_draining) {
  TP_REQ("D163", "D151");
  auto settings = driver_settings();
  settings.policies.shutdown_timeout = seconds(60);
  DriverWorld world(settings);
  world.lease(1, Role::kProducer);
  const auto lease = world.lease(2);
  world.stop();
  world.clear();
  world.now += seconds(3);
  world.keep_alive({.lease_id = *lease.lease_id, .stream_id = kStaticStream, .client_id = 2});
  world.now += Nanos{1};
  world.check_expiry();
  EXPECT_EQ(world.messages(), "LPN");
  EXPECT_EQ(world.sut.state(), DriverState::kDraining);
}

TEST(Lifecycle, a_time_of_zero_ends_at_once) {
  TP_REQ("D263");
  auto settings = driver_settings();
  settings.policies.shutdown_timeout = Nanos{};
  DriverWorld world(settings);
  world.lease(1);
  world.clear();
  world.request_shutdown(shutdown());
  EXPECT_EQ(world.order(), "NS");
  EXPECT_EQ(world.sut.state(), DriverState::kStopped);
}

TEST(Lifecycle, the_host_stops_at_once_when_it_asks_twice) {
  DriverWorld world;
  world.lease(1);
  world.stop();
  EXPECT_EQ(world.sut.state(), DriverState::kDraining);
  world.stop();
  EXPECT_EQ(world.sut.state(), DriverState::kStopped);
  EXPECT_EQ(world.only<ShutdownNotice>().message.reason, ShutdownReason::kNormal);
  EXPECT_EQ(world.only<ShutdownNotice>().message.error_message, "");
  world.stop();
  EXPECT_EQ(world.all<ShutdownNotice>().size(), 1U);
}

TEST(Lifecycle, texts_are_made_printable_and_cut) {
  TP_REQ("D17", "D262");
  DriverWorld world;
  const std::string text = std::string("a\tb").append(2000, 'x');
  auto request = shutdown();
  request.error_message = text;
  world.request_shutdown(request);
  EXPECT_EQ(world.only<ShutdownNotice>().message.error_message,
            std::string("a?b").append(1021, 'x'));
}

TEST(Lifecycle, a_fatal_error_is_told_and_ends_everything) {
  DriverWorld world;
  world.lease(1);
  world.sut.on_fatal_error("out of memory", world.now);
  const auto action = world.sut.next_action();
  ASSERT_TRUE(action);
  const auto& notice = std::get<ShutdownNotice>(*action).message;
  EXPECT_EQ(notice.reason, ShutdownReason::kError);
  EXPECT_EQ(notice.error_message, "out of memory");
  EXPECT_EQ(world.sut.state(), DriverState::kStopped);
  EXPECT_FALSE(world.sut.next_action());
}

TEST(Lifecycle, nothing_is_processed_when_stopped) {
  DriverWorld world;
  const auto lease = world.lease(1);
  world.stop();
  world.stop();
  world.clear();
  world.attach({.stream_id = kStaticStream, .client_id = 2, .role = Role::kConsumer});
  world.keep_alive({.lease_id = *lease.lease_id, .stream_id = kStaticStream, .client_id = 1});
  world.detach({.lease_id = *lease.lease_id, .stream_id = kStaticStream, .client_id = 1});
  world.request_shutdown(shutdown("wrong"));
  EXPECT_FALSE(world.revoke(*lease.lease_id));
  world.run(seconds(10));
  EXPECT_EQ(world.order(), "");
  EXPECT_EQ(world.counters().keepalives + world.counters().keepalive_rejects +
                world.counters().shutdown_request_rejects,
            0U);
  EXPECT_EQ(world.sut.next_deadline(), Nanos::max());
}

TEST(Lifecycle, own_epochs_are_removed_at_the_end_only_where_that_is_wanted) {
  TP_REQ("D268", "D269");
  for (const bool wanted : {false, true}) {
    auto settings = driver_settings();
    settings.policies.cleanup_shm_on_exit = wanted;
    DriverWorld world(settings);
    world.lease(1);
    world.stop();
    world.clear();
    world.stop();
    EXPECT_EQ(world.order(), wanted ? "SO" : "S") << "after the notice";
  }
}

TEST(Lifecycle, own_epochs_are_removed_after_the_last_job_has_ended) {
  TP_REQ("D268");
  auto settings = driver_settings();
  settings.policies.cleanup_shm_on_exit = true;
  DriverWorld world(settings);
  world.jobs_take_time = true;
  world.attach({.stream_id = kStaticStream, .client_id = 1, .role = Role::kConsumer});
  world.stop();
  EXPECT_EQ(world.sut.state(), DriverState::kStopped);
  EXPECT_EQ(world.all<RemoveOwnEpochs>().size(), 0U);
  world.clear();
  world.finish_job();
  EXPECT_EQ(world.order(), "O");
}

TEST(Lifecycle, the_host_sees_streams_and_leases) {
  TP_REQ("D283");
  DriverWorld world;
  const auto producer = world.lease(1, Role::kProducer);
  const auto consumer = world.lease(2);
  world.lease(3, Role::kConsumer, 20007);
  world.keep_alive({.lease_id = *consumer.lease_id, .stream_id = kStaticStream, .client_id = 2});
  world.stop();
  const auto snapshot = world.sut.snapshot();
  EXPECT_EQ(snapshot.instance_id, "driver-01");
  EXPECT_EQ(snapshot.state, DriverState::kDraining);
  ASSERT_EQ(snapshot.leases.size(), 3U);
  ASSERT_EQ(snapshot.streams.size(), 2U);
  const auto& stream = snapshot.streams[0];
  EXPECT_EQ(stream.name, "cam");
  EXPECT_EQ(stream.profile, "small");
  EXPECT_EQ(stream.epoch, producer.epoch);
  EXPECT_EQ(stream.header_ring_uri, producer.header_region_uri);
  EXPECT_EQ(stream.pool_uris.size(), 2U);
  EXPECT_EQ(stream.producer_lease, producer.lease_id);
  EXPECT_EQ(stream.consumer_leases, std::vector<std::uint64_t>{*consumer.lease_id});
  EXPECT_TRUE(snapshot.streams[1].dynamic);
  EXPECT_EQ(snapshot.streams[1].producer_lease, 0U);
}

}  // namespace
}  // namespace tensorpool::test
