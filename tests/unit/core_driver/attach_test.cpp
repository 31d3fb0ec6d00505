// Attach requests whose regions are there within the same duty cycle.
#include <gtest/gtest.h>

#include <set>
#include <string>

#include "layout/limits.hpp"
#include "unit/core_driver/driver_fixture.hpp"

namespace tensorpool::test {
namespace {

using core::driver::Provision;
using Request = layout::ShmAttachRequest;

[[nodiscard]] Request consumer(std::uint32_t client_id, std::uint32_t stream_id = kStaticStream) {
  return {.correlation_id = 5,
          .stream_id = stream_id,
          .client_id = client_id,
          .role = Role::kConsumer,
          .publish_mode = PublishMode::kExistingOrCreate};
}
[[nodiscard]] Request producer(std::uint32_t client_id, std::uint32_t stream_id = kStaticStream) {
  Request request = consumer(client_id, stream_id);
  request.role = Role::kProducer;
  return request;
}

TEST(Attach, an_ok_carries_everything_a_client_needs) {
  TP_REQ("D70", "D71", "D72", "D73", "D74");
  DriverWorld world;
  const auto ok = world.answer_to(producer(7));
  EXPECT_EQ(ok.code, ResponseCode::kOk);
  EXPECT_EQ(ok.lease_id, kFirstLease);
  EXPECT_EQ(ok.lease_expiry_timestamp_ns,
            static_cast<std::uint64_t>((world.now + seconds(3)).count()));
  EXPECT_EQ(ok.stream_id, kStaticStream);
  EXPECT_EQ(ok.epoch, static_cast<std::uint64_t>(world.now.count()));
  EXPECT_EQ(ok.layout_version, 1U);
  EXPECT_EQ(ok.header_nslots, 8U);
  EXPECT_EQ(ok.header_slot_bytes, 256U);
  EXPECT_EQ(ok.node_id, 1U);
  EXPECT_TRUE(ok.header_region_uri.ends_with("header.ring"));
  EXPECT_EQ(ok.error_message, "");
  ASSERT_EQ(ok.payload_pools.size(), 2U);
  EXPECT_EQ(ok.payload_pools[0].pool_id, 7U) << "in the order of the configuration";
  EXPECT_EQ(ok.payload_pools[0].stride_bytes, 4096U);
  EXPECT_EQ(ok.payload_pools[1].pool_id, 3U);
  for (const layout::PayloadPool& pool : ok.payload_pools) {
    EXPECT_EQ(pool.pool_nslots, 8U);
    EXPECT_FALSE(pool.region_uri.empty());
  }
}

TEST(Attach, correlation_ids_are_echoed_whatever_they_are) {
  TP_REQ("D40", "D93");
  DriverWorld world;
  for (const std::int64_t id : {std::int64_t{0}, std::int64_t{-1},
                                std::numeric_limits<std::int64_t>::min(), std::int64_t{77}}) {
    Request request = consumer(0);
    request.correlation_id = id;
    EXPECT_EQ(world.answer_to(request).correlation_id, id);
  }
}

TEST(Attach, a_refusal_carries_its_text_and_nothing_else) {
  TP_REQ("D75", "D44");
  DriverWorld world;
  Request request = consumer(7);
  request.role = Role{255};
  const layout::ShmAttachResponse expected{
      .correlation_id = 5, .code = ResponseCode::kInvalidParams, .error_message = "invalid role"};
  EXPECT_EQ(world.answer_to(request), expected);
}

TEST(Attach, a_refused_request_changes_nothing) {
  TP_REQ("D42", "D184");
  DriverWorld world;
  world.lease(7, Role::kProducer);
  const std::uint64_t epoch = world.sut.snapshot().streams[0].epoch;
  const auto refused = [&](Request request) {
    EXPECT_NE(world.answer_to(request).code, ResponseCode::kOk);
    EXPECT_EQ(world.messages(), "A");
  };
  refused(producer(8));  // a second producer
  refused(consumer(7));  // the client has a lease
  refused(consumer(8, 30000));
  Request taken = consumer(8);
  taken.desired_node_id = 1;
  refused(taken);
  Request creates = consumer(8, 20003);
  creates.expected_layout_version = 9;
  refused(creates);
  const auto snapshot = world.sut.snapshot();
  EXPECT_EQ(snapshot.streams.size(), 1U);
  EXPECT_EQ(snapshot.streams[0].epoch, epoch);
  EXPECT_EQ(snapshot.leases.size(), 1U);
  EXPECT_EQ(world.lease(8, Role::kConsumer, 0).stream_id, 20000U) << "no id was used up";
}

TEST(Attach, response_comes_before_announce) {
  TP_REQ("D68", "D218", "D219", "D221");
  DriverWorld world;
  world.lease(7, Role::kProducer);
  EXPECT_EQ(world.messages(), "PAN");
  const auto first = world.only<Announce>().message;
  const auto ok = world.only<AttachAnswer>().response;
  EXPECT_EQ(first.producer_id, 7U);
  EXPECT_EQ(first.epoch, ok.epoch);
  EXPECT_EQ(first.header_region_uri, ok.header_region_uri);
  EXPECT_EQ(first.payload_pools, ok.payload_pools);
  EXPECT_EQ(first.header_nslots, ok.header_nslots);
  EXPECT_EQ(first.header_slot_bytes, 256U);
  EXPECT_EQ(first.layout_version, 1U);
  EXPECT_EQ(first.announce_clock_domain, layout::ClockDomain::kMonotonic);
  EXPECT_EQ(first.announce_timestamp_ns, static_cast<std::uint64_t>(world.now.count()));
  world.lease(8);
  EXPECT_EQ(world.messages(), "AN") << "also without a bump";
}

TEST(Attach, a_repeated_request_gets_the_same_lease_again) {
  TP_REQ("D51", "D184");
  DriverWorld world;
  Request request = producer(7);
  request.desired_node_id = 44;
  const auto first = world.answer_to(request);
  world.now += seconds(1);
  EXPECT_EQ(world.answer_to(request), first);
  EXPECT_EQ(world.order(), "A") << "no announce, no bump, no longer life";
}

TEST(Attach, a_repeated_request_of_a_consumer_gets_the_present_epoch) {
  TP_REQ("D51");
  DriverWorld world;
  const auto first = world.answer_to(consumer(7));
  world.now += seconds(1);
  const auto other = world.lease(8, Role::kProducer);
  const auto again = world.answer_to(consumer(7));
  EXPECT_EQ(again.lease_id, first.lease_id);
  EXPECT_EQ(again.lease_expiry_timestamp_ns, first.lease_expiry_timestamp_ns);
  EXPECT_EQ(again.epoch, other.epoch);
}

TEST(Attach, what_differs_from_the_lease_is_no_repetition) {
  TP_REQ("D52");
  DriverWorld world;
  ASSERT_EQ(world.answer_to(consumer(7)).code, ResponseCode::kOk);
  Request other_correlation = consumer(7);
  other_correlation.correlation_id = 6;
  for (const Request& request :
       {other_correlation, producer(7), consumer(7, 20000), consumer(7, 0)}) {
    const auto answer = world.answer_to(request);
    EXPECT_EQ(answer.code, ResponseCode::kRejected);
    EXPECT_EQ(answer.error_message, "client_id already attached");
  }
}

TEST(Attach, a_repetition_names_the_stream_that_was_requested) {
  TP_REQ("D51");
  DriverWorld world;
  const auto first = world.answer_to(consumer(7, 0));
  ASSERT_EQ(first.stream_id, 20000U);
  EXPECT_EQ(world.answer_to(consumer(7, 0)), first);
  EXPECT_EQ(world.answer_to(consumer(7, 20000)).error_message, "client_id already attached");
}

TEST(Attach, one_producer_and_any_number_of_consumers) {
  TP_REQ("D63", "D175", "D176");
  DriverWorld world;
  world.lease(1, Role::kProducer);
  for (std::uint32_t client = 2; client < 100; ++client) {
    world.lease(client);
  }
  EXPECT_EQ(world.answer_to(producer(100)).error_message, "producer already attached");
  EXPECT_EQ(world.counters().active_leases, 99U);
}

TEST(Attach, static_streams_need_no_permission_to_create) {
  TP_REQ("D46");
  DriverWorld world;
  Request request = consumer(7);
  request.publish_mode = std::nullopt;
  EXPECT_EQ(world.answer_to(request).code, ResponseCode::kOk);
}

TEST(Attach, dynamic_streams_are_created_by_either_role) {
  TP_REQ("D240", "D241", "D242");
  DriverWorld world;
  EXPECT_EQ(world.lease(1, Role::kConsumer, 20005).stream_id, 20005U);
  EXPECT_EQ(world.lease(2, Role::kProducer, 0).stream_id, 20000U);
  EXPECT_EQ(world.lease(3, Role::kConsumer, 0).stream_id, 20001U);
  Request require = consumer(4, 20005);
  require.publish_mode = PublishMode::kRequireExisting;
  EXPECT_EQ(world.answer_to(require).code, ResponseCode::kOk) << "it exists now";
}

TEST(Attach, refusals_of_dynamic_streams) {
  TP_REQ("D53", "D54", "D55", "D56");
  const auto text = [](core::driver::Settings settings, const Request& request) {
    DriverWorld world(std::move(settings));
    return std::string(world.answer_to(request).error_message);
  };
  auto settings = driver_settings();
  EXPECT_EQ(text(settings, consumer(1, 30000)), "stream_id outside stream_id_range");
  Request require = consumer(1, 0);
  require.publish_mode = std::nullopt;
  EXPECT_EQ(text(settings, require), "stream not provisioned");
  settings.stream_ids.clear();
  EXPECT_EQ(text(settings, consumer(1, 0)), "stream_id_range not configured");
  settings.policies.allow_dynamic_streams = false;
  EXPECT_EQ(text(settings, consumer(1, 0)), "stream not provisioned");
}

TEST(Attach, refusals_of_profiles) {
  TP_REQ("D58", "D60");
  auto settings = driver_settings();
  settings.streams[0].profile = "none such";
  EXPECT_EQ(DriverWorld(settings).answer_to(consumer(1)).error_message, "profile not found");
  EXPECT_EQ(DriverWorld(settings).answer_to(consumer(1, 0)).code, ResponseCode::kOk);
  settings.policies.default_profile = "none such either";
  EXPECT_EQ(DriverWorld(settings).answer_to(consumer(1, 0)).error_message, "profile not found");
  settings = driver_settings();
  settings.profiles[0].pools.clear();
  EXPECT_EQ(DriverWorld(settings).answer_to(consumer(1)).error_message,
            "stream has no payload pools");
}

TEST(Attach, when_ids_run_out_idle_streams_are_given_away_with_a_new_epoch) {
  TP_REQ("D57", "D245", "D246");
  auto settings = driver_settings();
  settings.stream_ids = {{.first = 20000, .last = 20001}};
  DriverWorld world(settings);
  const auto first = world.lease(1, Role::kConsumer, 0);
  world.lease(2, Role::kConsumer, 0);
  EXPECT_EQ(world.answer_to(consumer(3, 0)).error_message, "stream_id_range exhausted");
  world.detach(
      {.lease_id = *first.lease_id, .stream_id = 20000, .client_id = 1, .role = Role::kConsumer});
  world.now += seconds(1);
  const auto reclaimed = world.lease(3, Role::kConsumer, 0);
  EXPECT_EQ(reclaimed.stream_id, 20000U);
  EXPECT_GT(reclaimed.epoch, first.epoch);
  EXPECT_EQ(world.answer_to(consumer(4, 0)).error_message, "stream_id_range exhausted");
}

TEST(Attach, a_dynamic_stream_outlives_its_leases) {
  TP_REQ("D244");
  DriverWorld world;
  const auto first = world.lease(1, Role::kConsumer, 20005);
  world.detach(
      {.lease_id = *first.lease_id, .stream_id = 20005, .client_id = 1, .role = Role::kConsumer});
  world.clear();
  world.run(seconds(3));
  EXPECT_EQ(world.all<Announce>().size(), 3U);
  EXPECT_EQ(world.all<Announce>()[2].message.epoch, first.epoch);
  Request require = consumer(2, 20005);
  require.publish_mode = PublishMode::kRequireExisting;
  EXPECT_EQ(world.answer_to(require).epoch, first.epoch);
}

TEST(Attach, node_ids_are_as_requested_or_as_assigned) {
  TP_REQ("D64", "D94", "D96", "D97", "D100");
  DriverWorld world;
  Request request = consumer(1);
  request.desired_node_id = 5000;
  EXPECT_EQ(world.answer_to(request).node_id, 5000U);
  request.client_id = 2;
  EXPECT_EQ(world.answer_to(request).error_message, "node_id unavailable");
  request.desired_node_id = 0;
  EXPECT_EQ(world.answer_to(request).node_id, 1U);
  const auto lease = world.sut.snapshot().leases[0];
  world.detach(
      {.lease_id = lease.id, .stream_id = kStaticStream, .client_id = 1, .role = Role::kConsumer});
  request.client_id = 3;
  request.desired_node_id = 5000;
  EXPECT_EQ(world.answer_to(request).error_message, "node_id unavailable") << "it rests";
  world.now += seconds(1);
  EXPECT_EQ(world.answer_to(request).node_id, 5000U);
}

TEST(Attach, without_free_node_ids_leases_go_without) {
  TP_REQ("D74", "D99");
  DriverWorld world;
  for (std::uint32_t client = 1; client <= 1023; ++client) {
    ASSERT_EQ(world.lease(client).node_id, client);
  }
  EXPECT_EQ(world.lease(2000).node_id, std::nullopt);
  EXPECT_EQ(world.counters().node_id_exhausted, 1U);
}

TEST(Attach, leases_are_limited) {
  TP_REQ("D65");
  auto settings = driver_settings();
  settings.policies.max_leases = 2;
  DriverWorld world(settings);
  world.lease(1);
  world.lease(2);
  EXPECT_EQ(world.answer_to(consumer(3)).error_message, "lease limit reached");
  settings.policies.max_leases = 0;
  DriverWorld unlimited(settings);
  for (std::uint32_t client = 1; client <= 10; ++client) {
    unlimited.lease(client);
  }
}

TEST(Attach, hugepages_by_the_file_system_of_the_driver) {
  TP_REQ("D61", "D62");
  Request request = consumer(1);
  request.require_hugepages = layout::HugepagesPolicy::kHugepages;
  EXPECT_EQ(DriverWorld().answer_to(request).error_message, "hugepages required but unavailable");
  DriverWorld huge(driver_settings(), {.base_on_hugetlbfs = true, .hugepages_available = true});
  EXPECT_EQ(huge.answer_to(request).code, ResponseCode::kOk);
  request.client_id = 2;
  request.require_hugepages = layout::HugepagesPolicy::kStandard;
  EXPECT_EQ(huge.answer_to(request).error_message, "hugepages required by driver policy");
}

TEST(Attach, a_later_schema_version_is_answered_with_the_correlation_id_alone) {
  TP_REQ("D12");
  DriverWorld world;
  world.lease(1);
  for (const bool draining : {false, true}) {
    if (draining) {
      world.stop();
    }
    world.sut.on_unsupported_version(-9, world.now);
    const auto action = world.sut.next_action();
    ASSERT_TRUE(action);
    const auto& answer = std::get<AttachAnswer>(*action).response;
    EXPECT_EQ(answer.correlation_id, -9);
    EXPECT_EQ(answer.code, ResponseCode::kUnsupported);
    EXPECT_EQ(answer.error_message, "unsupported driver schema version");
    EXPECT_FALSE(world.sut.next_action());
  }
}

TEST(Attach, a_failed_provisioning_gives_no_lease_and_leaves_no_stream) {
  TP_REQ("D66");
  DriverWorld world;
  world.failure = make_error(Errc::kNoSpace, "", 4096, 100);
  for (const std::uint32_t stream : {kStaticStream, 20004U, 0U}) {
    const auto answer = world.answer_to(producer(1, stream));
    EXPECT_EQ(answer.code, ResponseCode::kInternalError);
    EXPECT_EQ(answer.error_message,
              "failed to provision SHM: insufficient space: need 4096 bytes, have 100");
    EXPECT_EQ(world.messages(), "PA");
  }
  EXPECT_EQ(world.counters().provision_failures, 3U);
  EXPECT_EQ(world.counters().active_leases, 0U);
  EXPECT_EQ(world.sut.snapshot().streams.size(), 1U) << "the configured one";
  world.failure.reset();
  EXPECT_EQ(world.lease(1).node_id, 1U) << "nor was a node id used";
}

TEST(Attach, hostile_requests_for_streams_that_cannot_be_provisioned_leave_nothing_behind) {
  DriverWorld world;
  world.failure = make_error(Errc::kNoSpace, "", 4096, 100);
  Request request = producer(1, 0);
  for (std::uint32_t i = 0; i < 10'000; ++i) {
    request.client_id = i + 1;
    request.desired_node_id = 2000 + i;
    world.clear();
    world.attach(request);
    world.now += milliseconds(1);
  }
  EXPECT_EQ(world.sut.snapshot().streams.size(), 1U);
}

}  // namespace
}  // namespace tensorpool::test
