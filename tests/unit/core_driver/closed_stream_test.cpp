// Streams that are not open to everybody, and streams that nobody got.
#include <gtest/gtest.h>

#include "unit/core_driver/driver_fixture.hpp"

namespace tensorpool::test {
namespace {

using core::driver::ForgetStream;
using core::driver::Passes;
using core::driver::Provision;

constexpr std::string_view kRefusal = "not permitted without a pass from the admin socket";

/// Producers need a pass, consumers none.
[[nodiscard]] core::driver::Settings closed() {
  auto settings = driver_settings();
  settings.streams.front().producers = {"alice"};
  return settings;
}

[[nodiscard]] layout::ShmAttachRequest producer(std::uint32_t client_id,
                                                std::uint32_t stream_id = kStaticStream) {
  return {.correlation_id = client_id,
          .stream_id = stream_id,
          .client_id = client_id,
          .role = Role::kProducer,
          .publish_mode = PublishMode::kExistingOrCreate};
}

void let(DriverWorld& world, std::uint32_t client_id, Role role = Role::kProducer) {
  EXPECT_TRUE(world.sut.let_attach(
      {.client_id = client_id, .stream_id = kStaticStream, .role = role}, world.now));
}

TEST(ClosedStream, refuses_those_without_a_pass_before_anything_is_changed) {
  DriverWorld world(closed());
  const auto answer = world.answer_to(producer(7));
  EXPECT_EQ(answer.code, ResponseCode::kRejected);
  EXPECT_EQ(answer.error_message, kRefusal);
  EXPECT_EQ(world.order(), "A");
}

TEST(ClosedStream, is_open_in_the_other_role_and_so_are_other_streams) {
  DriverWorld world(closed());
  EXPECT_EQ(world.lease(7, Role::kConsumer).code, ResponseCode::kOk);
  EXPECT_EQ(world.lease(8, Role::kProducer, 20000).code, ResponseCode::kOk);
}

TEST(ClosedStream, takes_a_client_with_a_pass_for_one_lease) {
  DriverWorld world(closed());
  let(world, 7);
  EXPECT_EQ(world.answer_to(producer(8)).error_message, kRefusal) << "somebody else";
  const auto lease = world.answer_to(producer(7));
  ASSERT_EQ(lease.code, ResponseCode::kOk);
  world.detach({.correlation_id = 5,
                .lease_id = *lease.lease_id,
                .stream_id = kStaticStream,
                .client_id = 7,
                .role = Role::kProducer});
  EXPECT_EQ(world.answer_to(producer(7)).error_message, kRefusal) << "it is used up";
}

TEST(ClosedStream, answers_the_replay_of_a_granted_attach) {
  TP_REQ("D51");
  DriverWorld world(closed());
  let(world, 7);
  const auto lease = world.answer_to(producer(7));
  EXPECT_EQ(world.answer_to(producer(7)).lease_id, lease.lease_id);
}

TEST(ClosedStream, forgets_a_pass_that_nobody_used) {
  DriverWorld world(closed());
  let(world, 7);
  world.now += Passes::kLifetime;
  EXPECT_EQ(world.answer_to(producer(7)).error_message, kRefusal);
}

TEST(ClosedStream, keeps_the_pass_of_a_client_that_is_refused_for_another_reason) {
  DriverWorld world(closed());
  let(world, 7);
  ASSERT_EQ(world.answer_to(producer(7)).code, ResponseCode::kOk);
  let(world, 8);
  EXPECT_EQ(world.answer_to(producer(8)).error_message, "producer already attached");
  EXPECT_TRUE(world.revoke(kFirstLease));
  EXPECT_EQ(world.answer_to(producer(8)).code, ResponseCode::kOk);
}

TEST(ForgottenStream, is_told_so_that_its_directory_need_not_be_held) {
  TP_REQ("D214");
  DriverWorld world;
  world.failure = make_error(Errc::kNoSpace);
  EXPECT_EQ(world.answer_to(producer(7, 20000)).code, ResponseCode::kInternalError);
  EXPECT_EQ(world.only<ForgetStream>().stream_id, 20000U);
  world.clear();
  EXPECT_EQ(world.answer_to(producer(7)).code, ResponseCode::kInternalError);
  EXPECT_TRUE(world.all<ForgetStream>().empty()) << "a configured stream stays";
}

TEST(NumaNode, of_a_profile_is_asked_for_with_each_epoch) {
  auto settings = driver_settings();
  settings.profiles.front().numa_node = 3;
  DriverWorld world(settings);
  world.lease(7, Role::kProducer);
  EXPECT_EQ(world.only<Provision>().request.numa_node, 3U);
}

}  // namespace
}  // namespace tensorpool::test
