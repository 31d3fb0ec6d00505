// When a stream gets another epoch, and what is announced and collected.
#include <gtest/gtest.h>

#include <variant>

#include "unit/core_driver/driver_fixture.hpp"

namespace tensorpool::test {
namespace {

using core::driver::Collect;
using core::driver::CollectAtStart;
using core::driver::Provision;
using core::driver::RefreshActivity;
using core::driver::RetireEpoch;
using layout::ShmAttachResponse;

[[nodiscard]] layout::ShmDetachRequest detach(const ShmAttachResponse& lease,
                                              std::uint32_t client_id, Role role) {
  return {.correlation_id = 9,
          .lease_id = *lease.lease_id,
          .stream_id = *lease.stream_id,
          .client_id = client_id,
          .role = role};
}

TEST(Epoch, each_producer_gets_exactly_one_new_epoch) {
  TP_REQ("D177", "D183", "D186");
  DriverWorld world;
  const auto first = world.lease(1, Role::kProducer);
  EXPECT_EQ(world.messages(), "PAN");
  world.detach(detach(first, 1, Role::kProducer));
  world.now += seconds(1);
  const auto second = world.lease(1, Role::kProducer);
  EXPECT_EQ(world.messages(), "PAN");
  EXPECT_GT(second.epoch, first.epoch);
  EXPECT_EQ(world.counters().epoch_bumps, 3U);
  EXPECT_EQ(world.counters().provisioned_streams, 1U);
}

TEST(Epoch, consumers_get_one_only_where_there_is_none) {
  TP_REQ("D184", "D273");
  DriverWorld world;
  const auto first = world.lease(1);
  EXPECT_EQ(world.messages(), "PAN");
  EXPECT_EQ(world.only<Announce>().message.producer_id, 0U);
  const auto second = world.lease(2);
  EXPECT_EQ(second.epoch, first.epoch);
  world.clear();
  world.detach(detach(first, 1, Role::kConsumer));
  EXPECT_EQ(world.order(), "LD");
}

TEST(Epoch, a_producer_that_detaches_leaves_a_new_one_behind) {
  TP_REQ("D151", "D153", "D159", "D190", "D218", "D219");
  DriverWorld world;
  world.lease(2);
  const auto lease = world.lease(1, Role::kProducer);
  world.clear();
  world.now += seconds(1);
  world.detach(detach(lease, 1, Role::kProducer));
  EXPECT_EQ(world.messages(), "LPND") << "notice, bump, announce, answer";
  const auto notice = world.only<LeaseNotice>().notice;
  const auto announce = world.only<Announce>().message;
  EXPECT_EQ(announce.producer_id, 0U);
  EXPECT_GT(announce.epoch, *lease.epoch);
  EXPECT_LE(notice.timestamp_ns, announce.announce_timestamp_ns);
  EXPECT_EQ(world.only<DetachAnswer>().response.correlation_id, 9);
  EXPECT_EQ(world.counters().active_leases, 1U) << "consumers stay";
}

TEST(Epoch, a_producer_that_expires_or_is_revoked_leaves_a_new_one_behind) {
  TP_REQ("D151", "D139", "D155");
  DriverWorld world;
  const auto first = world.lease(1, Role::kProducer);
  world.clear();
  world.now += seconds(4);
  world.check_expiry();
  EXPECT_EQ(world.messages(), "LPN");
  const auto second = world.lease(1, Role::kProducer);
  world.clear();
  world.now += seconds(1);
  world.revoke(*second.lease_id);
  EXPECT_EQ(world.messages(), "LPN");
  EXPECT_GT(world.only<Announce>().message.epoch, *second.epoch);
  EXPECT_GT(second.epoch, first.epoch);
}

TEST(Epoch, when_the_one_after_a_producer_fails_there_is_none) {
  TP_REQ("D187", "D189", "D222");
  DriverWorld world;
  const auto lease = world.lease(1, Role::kProducer);
  world.failure = make_error(Errc::kOsFailure, "open");
  world.clear();
  world.detach(detach(lease, 1, Role::kProducer));
  EXPECT_EQ(world.messages(), "LPD");
  EXPECT_EQ(world.counters().provision_failures, 1U);
  EXPECT_EQ(world.counters().provisioned_streams, 0U);
  world.clear();
  world.run(milliseconds(1050));
  EXPECT_EQ(world.messages(), "P")
      << "tried again in each announce period, announced when it works";
  world.failure.reset();
  world.clear();
  world.run(milliseconds(1050));
  EXPECT_EQ(world.messages(), "PN");
  EXPECT_EQ(world.only<Announce>().message.producer_id, 0U);
}

TEST(Epoch, after_a_failure_the_next_attach_tries_again) {
  TP_REQ("D187");
  DriverWorld world;
  const auto lease = world.lease(1, Role::kProducer);
  world.failure = make_error(Errc::kOsFailure, "open");
  world.revoke(*lease.lease_id);
  world.failure.reset();
  EXPECT_GT(world.lease(2).epoch, lease.epoch);
}

TEST(Epoch, when_that_of_a_new_producer_fails_the_old_one_stays) {
  TP_REQ("D188", "D66");
  DriverWorld world;
  const auto consumer = world.lease(2);
  world.failure = make_error(Errc::kOsFailure, "open");
  EXPECT_EQ(
      world.answer_to({.stream_id = kStaticStream, .client_id = 1, .role = Role::kProducer}).code,
      ResponseCode::kInternalError);
  EXPECT_EQ(world.all<RetireEpoch>().size(), 0U);
  EXPECT_EQ(world.lease(3).epoch, consumer.epoch);
  world.clear();
  world.run(milliseconds(1050));
  EXPECT_EQ(world.only<Announce>().message.epoch, consumer.epoch);
}

TEST(Epoch, numbers_never_come_again) {
  TP_REQ("D178");
  DriverWorld world;
  world.lease(1, Role::kProducer);
  ASSERT_EQ(world.all<Provision>().size(), 1U);
  EXPECT_EQ(world.only<Provision>().request.known_epoch, 0U) << "nothing is known at the start";
  const auto known = static_cast<std::uint64_t>(world.now.count());
  world.failure = make_error(Errc::kOsFailure, "open");
  world.clear();
  world.revoke(kFirstLease);
  EXPECT_EQ(world.only<Provision>().request.known_epoch, known);
  world.failure.reset();
  world.lease(1, Role::kProducer);
  EXPECT_EQ(world.only<Provision>().request.known_epoch, known + 1) << "a failed one counts";
}

TEST(Epoch, what_collection_has_seen_counts_as_known) {
  TP_REQ("D215");
  DriverWorld world;
  world.sut.on_collected(
      {.stream_id = kStaticStream, .known_epoch = 1ULL << 62U, .removed = {}, .kept = {}});
  world.lease(1);
  EXPECT_EQ(world.only<Provision>().request.known_epoch, 1ULL << 62U);
}

TEST(Epoch, files_that_are_gone_are_made_again_before_a_consumer_is_answered) {
  TP_REQ("D69");
  DriverWorld world;
  const auto first = world.lease(1);
  world.broken.insert(*first.epoch);
  world.now += seconds(1);
  const auto second = world.lease(2);
  EXPECT_GT(second.epoch, first.epoch);
  EXPECT_EQ(world.order(), "VRPANC");
  EXPECT_EQ(world.counters().active_leases, 2U);
}

TEST(Epoch, a_producer_whose_files_are_gone_loses_its_lease) {
  TP_REQ("D69", "D151");
  DriverWorld world;
  const auto producer = world.lease(1, Role::kProducer);
  world.broken.insert(*producer.epoch);
  world.now += seconds(1);
  const auto consumer = world.lease(2);
  EXPECT_EQ(world.messages(), "LPAN");
  EXPECT_EQ(world.only<LeaseNotice>().notice.reason, LeaseRevokeReason::kRevoked);
  EXPECT_EQ(world.only<LeaseNotice>().notice.lease_id, *producer.lease_id);
  EXPECT_EQ(world.only<Announce>().message.producer_id, 0U);
  EXPECT_GT(consumer.epoch, producer.epoch);
}

TEST(Epoch, is_announced_once_per_period_with_or_without_leases) {
  TP_REQ("D217", "D220", "D222");
  DriverWorld world;
  world.run(seconds(3));
  EXPECT_EQ(world.order(), "") << "nothing is provisioned";
  const auto lease = world.lease(1);
  world.clear();
  world.run(seconds(10));
  EXPECT_EQ(world.counters().active_leases, 0U) << "expired on the way";
  const auto announces = world.all<Announce>();
  ASSERT_EQ(announces.size(), 10U);
  for (std::size_t i = 1; i < announces.size(); ++i) {
    EXPECT_EQ(announces[i].message.epoch, *lease.epoch);
    EXPECT_EQ(
        announces[i].message.announce_timestamp_ns - announces[i - 1].message.announce_timestamp_ns,
        1'000'000'000U);
  }
}

TEST(Epoch, announces_keep_their_cadence_when_duty_cycles_come_a_little_late) {
  TP_REQ("D217");
  DriverWorld world;
  world.lease(1);
  world.clear();
  for (int cycle = 0; cycle < 10'000 / 30 + 1; ++cycle) {
    world.now += milliseconds(30);
    world.poll();
  }
  EXPECT_EQ(world.all<Announce>().size(), 10U);
}

TEST(Epoch, a_driver_that_was_stalled_announces_once_and_goes_on) {
  DriverWorld world;
  world.lease(1);
  world.clear();
  world.now += seconds(60);
  world.poll();
  EXPECT_EQ(world.all<Announce>().size(), 1U);
  EXPECT_EQ(world.sut.next_deadline(), world.now - seconds(57) + Nanos{1}) << "the lease";
  world.check_expiry();
  EXPECT_EQ(world.sut.next_deadline(), world.now + seconds(1));
}

TEST(Epoch, knows_the_time_between_two_announces_that_were_published) {
  DriverWorld world;
  world.lease(7);
  EXPECT_EQ(world.sut.on_announced(kStaticStream, world.now), std::nullopt);
  EXPECT_EQ(world.sut.on_announced(kStaticStream, world.now + seconds(2)), seconds(2));
  EXPECT_EQ(world.sut.on_announced(kStaticStream + 1, world.now), std::nullopt) << "no such stream";
}

TEST(Epoch, activity_is_refreshed_while_there_is_no_producer) {
  TP_REQ("D34", "D35");
  DriverWorld world;
  const auto lease = world.lease(1);
  world.clear();
  world.run(milliseconds(1050));
  EXPECT_EQ(world.only<RefreshActivity>().epoch, *lease.epoch);
  EXPECT_EQ(world.order(), "rN");
  world.lease(2, Role::kProducer);
  world.clear();
  world.run(milliseconds(2000));
  EXPECT_EQ(world.all<RefreshActivity>().size(), 0U);
  EXPECT_EQ(world.all<Announce>().size(), 2U);
}

TEST(Epoch, thousands_of_streams_do_not_hold_up_a_duty_cycle) {
  auto settings = driver_settings();
  settings.streams.clear();
  for (std::uint32_t id = 1; id <= 1000; ++id) {
    settings.streams.push_back({.name = {}, .stream_id = id, .profile = "small"});
  }
  DriverWorld world(settings);
  for (std::uint32_t id = 1; id <= 1000; ++id) {
    world.lease(id, Role::kProducer, id);
  }
  world.clear();
  world.now += seconds(1);
  world.poll();
  EXPECT_EQ(world.all<Announce>().size(), DriverMachine::kStreamsPerPoll);
  EXPECT_LE(world.sut.next_deadline(), world.now) << "there is more";
  for (int i = 0; i < 3; ++i) {
    world.poll();
  }
  EXPECT_EQ(world.all<Announce>().size(), 1000U);
  EXPECT_GT(world.sut.next_deadline(), world.now);
}

TEST(Epoch, garbage_is_collected_after_each_bump) {
  TP_REQ("D229", "D234");
  DriverWorld world;
  const auto first = world.lease(1, Role::kProducer);
  auto request = world.only<Collect>().request;
  EXPECT_EQ(request.current_epoch, first.epoch);
  EXPECT_FALSE(request.waive_age);
  EXPECT_EQ(world.order().back(), 'C');
  world.lease(2);
  EXPECT_EQ(world.all<Collect>().size(), 0U);
  auto settings = driver_settings();
  settings.policies.epoch_gc_enabled = false;
  DriverWorld disabled(settings);
  disabled.lease(1);
  EXPECT_EQ(disabled.all<Collect>().size(), 0U);
}

TEST(Epoch, collection_spares_what_leases_refer_to) {
  TP_REQ("D225");
  DriverWorld world;
  using Epochs = std::vector<std::uint64_t>;
  const auto keep_alive = [&](const ShmAttachResponse& lease, std::uint32_t client, Role role) {
    world.keep_alive({.lease_id = *lease.lease_id,
                      .stream_id = kStaticStream,
                      .client_id = client,
                      .role = role});
  };
  const auto consumer = world.lease(1);
  world.now += seconds(1);
  const auto producer = world.lease(2, Role::kProducer);
  EXPECT_EQ(world.only<Collect>().request.referenced, (Epochs{*consumer.epoch, *producer.epoch}));
  for (int second = 0; second < 3; ++second) {
    keep_alive(consumer, 1, Role::kConsumer);
    keep_alive(producer, 2, Role::kProducer);
    world.now += seconds(1);
  }
  EXPECT_EQ(world.sut.collect_requests(false, world.now)[0].referenced, (Epochs{*producer.epoch}))
      << "announced for three periods: the consumer has moved";
  world.clear();
  world.revoke(*producer.lease_id);
  EXPECT_EQ(world.only<Collect>().request.referenced, (Epochs{*producer.epoch}))
      << "the consumer may still map it";
}

TEST(Epoch, collection_spares_what_leases_will_refer_to_when_it_is_carried_out) {
  TP_REQ("D225");
  DriverWorld world;
  const auto consumer = world.lease(1);
  world.now += seconds(1);
  const auto producer = world.lease(2, Role::kProducer);
  world.clear();
  world.revoke(*producer.lease_id);
  EXPECT_EQ(world.only<Collect>().request.referenced,
            (std::vector<std::uint64_t>{*consumer.epoch, *producer.epoch}))
      << "in two seconds the consumer has moved to the producer's epoch";
  world.clear();
  world.detach({.correlation_id = 1,
                .lease_id = *consumer.lease_id,
                .stream_id = kStaticStream,
                .client_id = 1});
  EXPECT_EQ(world.sut.collect_requests(false, world.now)[0].referenced,
            std::vector<std::uint64_t>{});
}

TEST(Epoch, out_of_space_everything_may_be_looked_at_regardless_of_age) {
  TP_REQ("D231");
  DriverWorld world;
  const auto lease = world.lease(1, Role::kConsumer, 20003);
  const auto requests = world.sut.collect_requests(true, world.now);
  ASSERT_EQ(requests.size(), 2U);
  EXPECT_TRUE(requests[0].waive_age && requests[1].waive_age);
  EXPECT_EQ(requests[0].current_epoch, 0U) << "the highest there is";
  EXPECT_EQ(requests[1].stream_id, 20003U);
  EXPECT_EQ(requests[1].current_epoch, lease.epoch);
  EXPECT_EQ(requests[1].referenced.size(), 1U);
}

TEST(Epoch, collections_are_counted) {
  TP_REQ("D232", "D233");
  DriverWorld world;
  using core::driver::KeepReason;
  world.sut.on_collected({.stream_id = kStaticStream,
                          .removed = {1, 2, 3},
                          .kept = {{.epoch = 4, .reason = KeepReason::kRank, .detail = {}},
                                   {.epoch = 5, .reason = KeepReason::kForeignFile, .detail = "x"},
                                   {.epoch = 6, .reason = KeepReason::kFailed, .detail = "y"}}});
  EXPECT_EQ(world.counters().epochs_collected, 3U);
  EXPECT_EQ(world.counters().epoch_gc_failures, 2U);
}

TEST(Epoch, garbage_of_earlier_lives_is_collected_at_the_start_where_that_is_wanted) {
  TP_REQ("D230");
  auto settings = driver_settings();
  EXPECT_EQ(DriverWorld(settings).order(), "");
  settings.policies.epoch_gc_on_startup = true;
  DriverWorld world(settings);
  const auto all = world.only<CollectAtStart>();
  EXPECT_EQ(all.static_streams, std::vector<std::uint32_t>{kStaticStream});
  EXPECT_EQ(all.ranges, settings.stream_ids);
  settings.policies.epoch_gc_enabled = false;
  EXPECT_EQ(DriverWorld(settings).order(), "");
}

TEST(Epoch, an_old_one_is_given_up_when_the_next_is_there) {
  DriverWorld world;
  const auto first = world.lease(1);
  world.now += seconds(1);
  world.lease(2, Role::kProducer);
  EXPECT_EQ(world.order(), "PRANC");
  EXPECT_EQ(world.only<RetireEpoch>().epoch, *first.epoch);
}

TEST(Epoch, an_administrator_gives_a_dynamic_stream_another_shape) {
  DriverWorld world;
  core::driver::Profile shape{
      .name = "wide", .header_nslots = 16, .pools = {{.pool_id = 1, .stride_bytes = 1U << 20U}}};
  const auto id = world.sut.ensure(0, shape);
  ASSERT_TRUE(id);
  EXPECT_EQ(*id, 20000U);
  EXPECT_EQ(world.lease(1, Role::kProducer, *id).header_nslots, 16U);
  shape.header_nslots = 32;
  EXPECT_EQ(world.sut.ensure(*id, shape), *id);
  EXPECT_EQ(world.lease(2, Role::kConsumer, *id).header_nslots, 16U) << "from the next epoch on";
  world.now += seconds(1);
  world.revoke(kFirstLease);
  EXPECT_EQ(world.lease(3, Role::kConsumer, *id).header_nslots, 32U);
  EXPECT_EQ(world.lease(4, Role::kConsumer, 0).stream_id, 20001U) << "it is not given to others";
}

TEST(Epoch, what_was_provisioned_in_another_shape_is_not_handed_out) {
  DriverWorld world;
  world.jobs_take_time = true;
  core::driver::Profile shape = driver_settings().profiles[0];
  const layout::ShmAttachRequest request{.stream_id = 20000,
                                         .client_id = 1,
                                         .role = Role::kProducer,
                                         .publish_mode = PublishMode::kExistingOrCreate};
  world.attach(request);
  shape.header_nslots = 16;
  ASSERT_TRUE(world.sut.ensure(20000, shape));
  world.clear();
  world.finish_job();
  EXPECT_EQ(world.order(), "RP") << "again, in the new shape";
  world.run(milliseconds(5050));
  world.finish_job();  // nobody waits any more
  shape.header_nslots = 32;
  ASSERT_TRUE(world.sut.ensure(20000, shape));
  EXPECT_TRUE(std::holds_alternative<RetireEpoch>(*world.sut.next_action()));
  world.clear();
  world.attach(request);
  EXPECT_EQ(world.order(), "P");
  world.finish_job();
  EXPECT_EQ(world.only<AttachAnswer>().response.header_nslots, 32U);
}

TEST(Epoch, a_stream_that_is_reclaimed_for_another_shape_ends_at_once) {
  auto settings = driver_settings();
  settings.stream_ids = {{.first = 20000, .last = 20000}};
  DriverWorld world(settings);
  const auto first = world.lease(1, Role::kConsumer, 0);
  world.detach(detach(first, 1, Role::kConsumer));
  world.clear();
  core::driver::Profile shape = settings.profiles[0];
  shape.header_nslots = 16;
  EXPECT_EQ(world.sut.ensure(0, shape), 20000U);
  EXPECT_TRUE(std::holds_alternative<RetireEpoch>(*world.sut.next_action()));
  world.run(milliseconds(1050));
  EXPECT_EQ(world.order(), "") << "no announce";
  EXPECT_EQ(world.counters().provisioned_streams, 0U);
  EXPECT_EQ(world.lease(2, Role::kConsumer, 20000).header_nslots, 16U);
}

TEST(Epoch, shapes_and_ids_that_cannot_be_are_refused) {
  DriverWorld world;
  core::driver::Profile shape = driver_settings().profiles[0];
  EXPECT_EQ(world.sut.ensure(kStaticStream, shape).error().code, Errc::kAlreadyExists);
  EXPECT_EQ(world.sut.ensure(30000, shape).error().code, Errc::kInvalidArgument);
  for (int i = 0; i < 10; ++i) {
    EXPECT_TRUE(world.sut.ensure(0, shape));
  }
  for (std::uint32_t client = 1; client <= 10; ++client) {
    world.lease(client, Role::kConsumer, 20000 + client - 1);
  }
  EXPECT_EQ(world.sut.ensure(0, shape).error().code, Errc::kLimitReached);
  shape.header_nslots = 3;
  EXPECT_EQ(world.sut.ensure(0, shape).error().code, Errc::kInvalidArgument);
  world.stop();
  EXPECT_EQ(world.sut.ensure(0, shape).error().code, Errc::kAttachRefused);
}

}  // namespace
}  // namespace tensorpool::test
