// Provisionings that outlast duty cycles, and producers that are held back.
#include <gtest/gtest.h>

#include <string>

#include "unit/core_driver/driver_fixture.hpp"

namespace tensorpool::test {
namespace {

using core::driver::CancelProvisioning;
using core::driver::Provision;
using Request = layout::ShmAttachRequest;

[[nodiscard]] Request request(std::uint32_t client_id, Role role,
                              std::uint32_t stream_id = kStaticStream,
                              std::int64_t correlation_id = 5) {
  return {.correlation_id = correlation_id,
          .stream_id = stream_id,
          .client_id = client_id,
          .role = role,
          .publish_mode = PublishMode::kExistingOrCreate};
}
[[nodiscard]] Request producer(std::uint32_t client_id, std::uint32_t stream_id = kStaticStream) {
  return request(client_id, Role::kProducer, stream_id);
}
[[nodiscard]] Request consumer(std::uint32_t client_id, std::uint32_t stream_id = kStaticStream) {
  return request(client_id, Role::kConsumer, stream_id);
}

class SlowJobs : public ::testing::Test {
 protected:
  SlowJobs() { world.jobs_take_time = true; }

  /// The answers since clear(): "7:OK 8:late" and the like.
  [[nodiscard]] std::string answers() const {
    std::string text;
    for (const AttachAnswer& answer : world.all<AttachAnswer>()) {
      text += text.empty() ? "" : " ";
      text.append(std::to_string(answer.request.client_id)).append(":");
      text += answer.response.code == ResponseCode::kOk ? "OK" : answer.response.error_message;
    }
    return text;
  }
  void finish() { world.finish_job(); }

  DriverWorld world;
};

TEST_F(SlowJobs, an_attach_waits_and_is_answered_when_the_regions_are_there) {
  TP_REQ("D345", "D68");
  world.attach(producer(7));
  EXPECT_EQ(world.order(), "P");
  world.clear();
  world.run(seconds(2));
  EXPECT_EQ(world.order(), "");
  finish();
  EXPECT_EQ(world.messages(), "AN");
  EXPECT_EQ(answers(), "7:OK");
  EXPECT_EQ(world.only<AttachAnswer>().response.lease_expiry_timestamp_ns,
            static_cast<std::uint64_t>((world.now + seconds(3)).count()))
      << "of issue";
}

TEST_F(SlowJobs, a_repetition_of_what_waits_is_dropped) {
  TP_REQ("D345");
  world.attach(producer(7));
  world.clear();
  for (int i = 0; i < 4; ++i) {
    world.now += seconds(1);
    world.attach(producer(7));
  }
  EXPECT_EQ(world.order(), "");
  finish();
  EXPECT_EQ(answers(), "7:OK");
}

TEST_F(SlowJobs, other_producers_are_rejected_and_consumers_wait_for_the_same_job) {
  TP_REQ("D345");
  world.attach(producer(7));
  world.attach(consumer(8));
  world.attach(producer(9));
  EXPECT_EQ(world.order(), "PA");
  EXPECT_EQ(answers(), "9:producer already attached");
  world.clear();
  finish();
  EXPECT_EQ(answers(), "7:OK 8:OK");
  EXPECT_EQ(world.messages(), "AAN") << "one announce after both";
  EXPECT_EQ(world.only<Announce>().message.producer_id, 7U);
}

TEST_F(SlowJobs, a_producer_takes_what_a_consumer_has_asked_for) {
  TP_REQ("D183");
  world.attach(consumer(8));
  world.attach(producer(7));
  world.clear();
  finish();
  EXPECT_EQ(answers(), "8:OK 7:OK");
  EXPECT_EQ(world.jobs.size(), 0U) << "one bump for both";
  EXPECT_EQ(world.only<Announce>().message.producer_id, 7U);
}

TEST_F(SlowJobs, after_five_seconds_there_is_no_lease_but_the_regions_are_kept_for_the_next) {
  TP_REQ("D345", "D40", "D184");
  world.attach(producer(7));
  world.run(seconds(5));
  EXPECT_EQ(answers(), "");
  world.run(milliseconds(50));
  EXPECT_EQ(answers(), "7:the regions were not ready within 5 s: try again");
  world.clear();
  finish();
  EXPECT_EQ(world.order(), "") << "nobody wants them now";
  EXPECT_EQ(world.counters().active_leases, 0U);
  EXPECT_EQ(world.counters().epoch_bumps, 1U);
  world.attach(producer(9));
  EXPECT_EQ(world.order(), "rANC") << "no other provisioning; fresh activity before anybody maps";
  EXPECT_EQ(answers(), "9:OK");
}

TEST_F(SlowJobs, a_request_that_is_late_when_the_job_ends_gets_no_lease) {
  TP_REQ("D345");
  world.attach(producer(7));
  world.now += seconds(5) + Nanos{1};
  finish();
  EXPECT_EQ(answers(), "7:the regions were not ready within 5 s: try again");
  EXPECT_EQ(world.counters().active_leases, 0U);
}

TEST_F(SlowJobs, a_client_that_starts_over_joins_the_job_of_its_first_attempt) {
  TP_REQ("D40");
  world.attach(producer(7));
  world.now += seconds(4);
  world.attach(request(7, Role::kProducer, kStaticStream, 6));
  EXPECT_EQ(answers(), "7:given up for a newer request of this client");
  EXPECT_EQ(world.only<AttachAnswer>().response.correlation_id, 5);
  world.clear();
  world.now += seconds(4);
  finish();
  EXPECT_EQ(answers(), "7:OK");
  EXPECT_EQ(world.only<AttachAnswer>().response.correlation_id, 6);
}

TEST_F(SlowJobs, a_client_that_waits_counts_as_attached) {
  TP_REQ("D52");
  world.attach(producer(7));
  world.clear();
  world.attach(producer(7, 20000));
  world.attach(consumer(7));
  EXPECT_EQ(answers(), "7:client_id already attached 7:client_id already attached");
}

TEST_F(SlowJobs, what_waits_has_its_node_id_and_its_place) {
  TP_REQ("D64", "D65", "D101");
  auto settings = driver_settings();
  settings.policies.max_leases = 2;
  DriverWorld small(settings);
  small.jobs_take_time = true;
  Request first = producer(7);
  first.desired_node_id = 5;
  small.attach(first);
  Request second = consumer(8);
  second.desired_node_id = 5;
  EXPECT_EQ(small.answer_to(second).error_message, "node_id unavailable");
  small.attach(consumer(8));
  EXPECT_EQ(small.answer_to(consumer(9)).error_message, "lease limit reached");
  small.clear();
  small.finish_job();
  EXPECT_EQ(small.all<AttachAnswer>()[0].response.node_id, 5U);
}

TEST_F(SlowJobs, what_came_to_nothing_gives_its_node_id_back) {
  TP_REQ("D42", "D97");
  Request first = producer(7);
  first.desired_node_id = 5;
  world.attach(first);
  world.run(milliseconds(5050));
  ASSERT_EQ(answers(), "7:the regions were not ready within 5 s: try again");
  world.clear();
  Request second = consumer(8);
  second.desired_node_id = 5;
  world.attach(second);
  finish();
  EXPECT_EQ(world.only<AttachAnswer>().response.node_id, 5U) << "without any rest";
}

TEST_F(SlowJobs, a_failure_is_told_to_everybody_who_needed_the_epoch) {
  TP_REQ("D66", "D188");
  world.attach(consumer(1));
  finish();
  world.failure = make_error(Errc::kEpochExhausted, "");
  world.attach(producer(7));
  world.attach(consumer(8));
  world.clear();
  finish();
  EXPECT_EQ(answers(), "7:failed to provision SHM: epoch space exhausted 8:OK")
      << "the consumer has the old one";
  EXPECT_EQ(world.counters().provision_failures, 1U);
  DriverWorld empty;
  empty.jobs_take_time = true;
  empty.failure = world.failure;
  empty.attach(consumer(8));
  empty.attach(producer(7));
  empty.clear();
  empty.finish_job();
  EXPECT_EQ(empty.all<AttachAnswer>().size(), 2U);
  EXPECT_EQ(empty.counters().active_leases, 0U);
}

TEST_F(SlowJobs, the_old_epoch_is_announced_while_a_producer_waits) {
  TP_REQ("D188", "D217");
  world.attach(consumer(1));
  finish();
  const std::uint64_t old = world.sut.snapshot().streams[0].epoch;
  world.attach(producer(7));
  world.clear();
  world.run(milliseconds(1050));
  EXPECT_EQ(world.only<Announce>().message.epoch, old);
}

TEST_F(SlowJobs, the_epoch_after_a_producer_is_announced_before_the_next_one_gets_his) {
  TP_REQ("D151", "D159", "D183");
  world.attach(producer(7));
  finish();
  world.now += seconds(1);
  world.clear();
  world.detach({.lease_id = kFirstLease,
                .stream_id = kStaticStream,
                .client_id = 7,
                .role = Role::kProducer});
  EXPECT_EQ(world.messages(), "LP");
  world.attach(producer(8));
  world.attach(consumer(9));
  world.run(milliseconds(2000));
  EXPECT_EQ(world.messages(), "LP") << "no epoch, no announce, no answer";
  world.clear();
  finish();
  EXPECT_EQ(world.messages(), "ANDP");
  EXPECT_EQ(answers(), "9:OK");
  const auto between = world.only<Announce>().message;
  EXPECT_EQ(between.producer_id, 0U);
  world.clear();
  world.now += seconds(1);
  finish();
  EXPECT_EQ(answers(), "8:OK");
  EXPECT_EQ(world.only<Announce>().message.producer_id, 8U);
  EXPECT_GT(world.only<Announce>().message.epoch, between.epoch);
}

TEST_F(SlowJobs, repetitions_for_a_lease_whose_stream_has_no_epoch_wait_for_it) {
  TP_REQ("D51", "D182", "D184");
  world.attach(consumer(9));
  finish();
  world.attach(producer(7));
  finish();
  world.revoke(kFirstLease + 1);
  world.clear();
  world.attach(consumer(9));
  world.attach(consumer(9));
  EXPECT_EQ(world.order(), "");
  finish();
  EXPECT_EQ(answers(), "9:OK");
  EXPECT_EQ(world.only<AttachAnswer>().response.lease_id, kFirstLease);
  EXPECT_EQ(world.counters().active_leases, 1U);
}

TEST_F(SlowJobs, a_repetition_does_not_start_a_job) {
  TP_REQ("D184");
  world.attach(consumer(9));
  finish();
  world.attach(producer(7));
  finish();
  world.failure = make_error(Errc::kOsFailure, "open");
  world.revoke(kFirstLease + 1);
  finish();
  world.clear();
  world.attach(consumer(9));
  EXPECT_EQ(world.order(), "");
  world.run(milliseconds(1050));
  EXPECT_EQ(world.messages(), "P") << "the retry of D189";
  world.failure.reset();
  finish();
  EXPECT_EQ(answers(), "9:OK");
}

TEST_F(SlowJobs, draining_answers_what_waits_and_cancels_its_job) {
  TP_REQ("D345", "D43", "D42");
  world.attach(consumer(1));
  finish();
  world.attach(producer(7));
  world.attach(consumer(8, 20003));
  world.clear();
  world.stop();
  EXPECT_EQ(answers(), "7:driver draining 8:driver draining");
  EXPECT_EQ(world.all<CancelProvisioning>().size(), 2U);
  EXPECT_EQ(world.sut.jobs(), 2U);
  world.clear();
  finish();  // too late to be stopped
  world.failure = make_error(Errc::kClosed);
  finish();
  EXPECT_EQ(world.order(), "F") << "20003 is forgotten";
  EXPECT_EQ(world.counters().provision_failures, 0U) << "it was not wanted any more";
  EXPECT_EQ(world.sut.snapshot().streams.size(), 1U) << "20003 has never been";
}

TEST_F(SlowJobs, an_id_whose_regions_came_too_late_is_given_to_the_next_who_asks_for_any) {
  world.attach(producer(7, 0));
  world.run(milliseconds(5050));
  ASSERT_EQ(answers(), "7:the regions were not ready within 5 s: try again");
  world.clear();
  world.attach(producer(8, 0));
  EXPECT_EQ(world.order(), "") << "it waits for the same job";
  finish();
  EXPECT_EQ(world.only<AttachAnswer>().response.stream_id, 20000U);
  EXPECT_EQ(world.sut.snapshot().streams.size(), 2U);
}

TEST_F(SlowJobs, a_reclaimed_stream_stays_as_it_is_until_its_new_epoch_is_there) {
  TP_REQ("D245", "D246", "D188");
  auto settings = driver_settings();
  settings.stream_ids = {{.first = 20000, .last = 20000}};
  DriverWorld one(settings);
  const auto first = one.lease(1, Role::kConsumer, 0);
  one.detach(
      {.lease_id = *first.lease_id, .stream_id = 20000, .client_id = 1, .role = Role::kConsumer});
  one.jobs_take_time = true;
  one.attach(consumer(2, 0));
  one.clear();
  one.now += seconds(1);
  one.poll();
  EXPECT_EQ(one.only<Announce>().message.epoch, first.epoch);
  EXPECT_EQ(one.answer_to(consumer(3, 0)).error_message, "stream_id_range exhausted");
  one.clear();
  one.finish_job();
  EXPECT_GT(one.only<AttachAnswer>().response.epoch, first.epoch);
}

TEST_F(SlowJobs, lost_files_while_a_producer_waits_end_the_old_epoch_at_once) {
  TP_REQ("D69");
  world.attach(consumer(1));
  finish();
  const std::uint64_t old = world.sut.snapshot().streams[0].epoch;
  world.attach(producer(7));
  world.clear();
  world.sut.on_verified(kStaticStream, old, fail(Errc::kNotFound, "header.ring"), world.now);
  while (world.sut.next_action()) {
  }
  EXPECT_TRUE(world.sut.check_invariants());
  EXPECT_EQ(world.counters().provisioned_streams, 0U);
  world.run(milliseconds(1050));
  EXPECT_EQ(world.all<Announce>().size(), 0U);
  finish();
  EXPECT_EQ(answers(), "7:OK");
}

TEST_F(SlowJobs, waiting_attaches_are_bounded) {
  TP_REQ("D67");
  Request flood = consumer(0);
  for (std::uint32_t client = 1; client <= core::driver::PendingAttaches::kMax; ++client) {
    flood.client_id = client;
    world.sut.on_attach(flood, world.now);
    if (client == 1) {
      ASSERT_TRUE(world.sut.next_action());
    }
    ASSERT_FALSE(world.sut.next_action());
  }
  const auto answer = world.answer_to(consumer(1'000'000));
  EXPECT_EQ(answer.code, ResponseCode::kInternalError);
  EXPECT_EQ(answer.error_message, "too many attaches wait for their regions");
}

// -- Producers that die in a loop ----------------------------------------------------------------

/// A producer that attaches and is never heard of again.
void die(DriverWorld& world, std::uint32_t client_id) {
  world.lease(client_id, Role::kProducer);
  world.now += seconds(3) + Nanos{1};
  world.check_expiry();
}

TEST(CrashLoopOfProducers, the_third_start_waits_a_second_for_its_regions) {
  DriverWorld world;
  die(world, 1);
  die(world, 2);
  world.poll();
  world.clear();
  world.attach(producer(3));
  EXPECT_EQ(world.messages(), "") << "pending";
  EXPECT_EQ(world.sut.next_deadline(), world.now + seconds(1));
  world.run(milliseconds(950));
  EXPECT_EQ(world.all<Provision>().size(), 0U);
  world.run(milliseconds(100));
  EXPECT_EQ(world.only<AttachAnswer>().response.code, ResponseCode::kOk);
}

TEST(CrashLoopOfProducers, the_epoch_after_a_death_is_announced_all_the_same) {
  TP_REQ("D151");
  DriverWorld world;
  die(world, 1);
  die(world, 2);
  EXPECT_EQ(world.messages(), "PANLPN");
}

TEST(CrashLoopOfProducers, consumers_do_not_wait_for_a_producer_that_is_held_back) {
  DriverWorld world;
  die(world, 1);
  die(world, 2);
  world.attach(producer(3));
  EXPECT_EQ(world.lease(4).code, ResponseCode::kOk);
  EXPECT_EQ(world.messages(), "AN");
}

TEST(CrashLoopOfProducers, a_hold_longer_than_five_seconds_is_told_at_once) {
  TP_REQ("D66");
  DriverWorld world;
  for (std::uint32_t client = 1; client <= 5; ++client) {
    world.clear();
    world.attach(producer(client));
    while (world.all<AttachAnswer>().empty()) {
      world.run(milliseconds(50));
    }
    ASSERT_EQ(world.all<AttachAnswer>()[0].response.code, ResponseCode::kOk);
    world.now += seconds(3) + Nanos{1};
    world.check_expiry();
  }
  const auto answer = world.answer_to(producer(6));
  EXPECT_EQ(answer.code, ResponseCode::kInternalError);
  EXPECT_EQ(answer.error_message,
            "failed to provision SHM: held back for 8 s, because 5 producers in a row died soon "
            "after they attached");
  EXPECT_EQ(world.counters().provision_failures, 1U);
  EXPECT_EQ(world.lease(7).code, ResponseCode::kOk) << "consumers may come";
  world.run(seconds(8));
  EXPECT_EQ(world.lease(8, Role::kProducer).code, ResponseCode::kOk);
}

TEST(CrashLoopOfProducers, detaching_and_attaching_again_is_never_held_back) {
  DriverWorld world;
  for (int i = 0; i < 100; ++i) {
    const auto lease = world.lease(1, Role::kProducer);
    world.detach({.lease_id = *lease.lease_id,
                  .stream_id = kStaticStream,
                  .client_id = 1,
                  .role = Role::kProducer});
  }
}

}  // namespace
}  // namespace tensorpool::test
