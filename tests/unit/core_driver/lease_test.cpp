// Keepalives, expiry, detach, revocation.
#include <gtest/gtest.h>

#include "support/allocations.hpp"
#include "unit/core_driver/driver_fixture.hpp"

namespace tensorpool::test {
namespace {

using layout::ShmAttachResponse;

[[nodiscard]] layout::ShmLeaseKeepalive keepalive(const ShmAttachResponse& lease,
                                                  std::uint32_t client_id,
                                                  Role role = Role::kConsumer) {
  return {.lease_id = *lease.lease_id,
          .stream_id = *lease.stream_id,
          .client_id = client_id,
          .role = role};
}
[[nodiscard]] layout::ShmDetachRequest detach(const ShmAttachResponse& lease,
                                              std::uint32_t client_id,
                                              Role role = Role::kConsumer) {
  return {.correlation_id = -77,
          .lease_id = *lease.lease_id,
          .stream_id = *lease.stream_id,
          .client_id = client_id,
          .role = role};
}

TEST(Lease, keepalives_extend_by_the_time_of_the_driver) {
  TP_REQ("D133", "D135");
  DriverWorld world;
  const auto lease = world.lease(7);
  auto alive = keepalive(lease, 7);
  alive.client_timestamp_ns = ~0ULL;
  world.now += seconds(2);
  EXPECT_EQ(world.sut.on_keepalive(alive, world.now), seconds(2)) << "since the last sign of life";
  EXPECT_EQ(world.counters().keepalives, 1U);
  EXPECT_EQ(world.sut.snapshot().leases[0].expiry, world.now + seconds(3));
  EXPECT_TRUE(world.sut.snapshot().leases[0].kept_alive);
}

TEST(Lease, keepalives_have_to_match_in_every_field) {
  TP_REQ("D134", "D129");
  DriverWorld world;
  const auto lease = world.lease(7);
  world.clear();
  for (int field = 0; field < 5; ++field) {
    auto alive = keepalive(lease, 7);
    alive.lease_id += field == 0 ? 1 : 0;
    alive.stream_id += field == 1 ? 1 : 0;
    alive.client_id += field == 2 ? 1 : 0;
    alive.role = field == 3 ? Role::kProducer : field == 4 ? Role{255} : alive.role;
    EXPECT_FALSE(world.keep_alive(alive)) << field;
  }
  EXPECT_EQ(world.counters().keepalives, 0U);
  EXPECT_EQ(world.counters().keepalive_rejects, 5U);
  EXPECT_EQ(world.order(), "L") << "a notice for the lease that was never issued (D157)";
}

TEST(Lease, expires_in_the_first_check_after_its_expiry_and_never_earlier) {
  TP_REQ("D139", "D147", "D149", "D154");
  DriverWorld world;
  world.lease(1, Role::kProducer);
  const auto lease = world.lease(7);
  world.clear();
  world.now += seconds(3);
  world.check_expiry();
  EXPECT_EQ(world.order(), "");
  EXPECT_LE(world.sut.next_deadline(), world.now) << "announces are due";
  world.poll();
  EXPECT_EQ(world.sut.next_deadline(), world.now + Nanos{1});
  world.clear();
  world.keep_alive(
      keepalive({.lease_id = kFirstLease, .stream_id = kStaticStream}, 1, Role::kProducer));
  world.now += Nanos{1};
  world.check_expiry();
  EXPECT_EQ(world.order(), "L") << "the epoch stays";
  const LeaseNotice ended = world.only<LeaseNotice>();
  const layout::ShmLeaseRevoked expected{
      .timestamp_ns = static_cast<std::uint64_t>(world.now.count()),
      .lease_id = *lease.lease_id,
      .stream_id = kStaticStream,
      .client_id = 7,
      .role = Role::kConsumer,
      .reason = LeaseRevokeReason::kExpired,
      .error_message = "lease expired"};
  EXPECT_EQ(ended.notice, expected);
  EXPECT_EQ(ended.expiry, world.now - Nanos{1});
  EXPECT_EQ(world.counters().active_leases, 1U);
  EXPECT_FALSE(world.keep_alive(keepalive(lease, 7))) << "it is over";
}

TEST(Lease, a_keepalive_that_waits_for_a_stalled_driver_saves_the_lease) {
  TP_REQ("D136", "D137");
  DriverWorld world;
  const auto lease = world.lease(7);
  world.now += seconds(60);
  world.poll();
  EXPECT_EQ(world.counters().active_leases, 1U) << "only the expiry check ends leases";
  EXPECT_TRUE(world.keep_alive(keepalive(lease, 7)));
  world.check_expiry();
  EXPECT_EQ(world.counters().active_leases, 1U);
}

TEST(Lease, detaching_ends_it_and_is_answered_last) {
  TP_REQ("D147", "D149", "D159", "D162");
  DriverWorld world;
  const auto lease = world.lease(7);
  world.clear();
  world.detach(detach(lease, 7));
  EXPECT_EQ(world.order(), "LD");
  EXPECT_EQ(world.only<LeaseNotice>().notice.reason, LeaseRevokeReason::kDetached);
  EXPECT_EQ(world.only<LeaseNotice>().notice.error_message, "lease detached");
  EXPECT_EQ(world.only<DetachAnswer>().response,
            (layout::ShmDetachResponse{.correlation_id = -77, .code = ResponseCode::kOk}));
}

TEST(Lease, detach_requests_that_match_no_lease_are_refused) {
  TP_REQ("D160", "D161");
  DriverWorld world;
  const auto lease = world.lease(7);
  for (int field = 0; field < 5; ++field) {
    auto request = detach(lease, 7);
    request.lease_id += field == 0 ? 1 : 0;
    request.stream_id += field == 1 ? 1 : 0;
    request.client_id += field == 2 ? 1 : 0;
    request.role = field == 3 ? Role::kProducer : field == 4 ? Role{0} : request.role;
    world.clear();
    world.detach(request);
    EXPECT_EQ(world.order(), "D");
    const auto response = world.only<DetachAnswer>().response;
    EXPECT_EQ(response.correlation_id, -77);
    EXPECT_EQ(response.code, field == 4 ? ResponseCode::kInvalidParams : ResponseCode::kRejected);
    EXPECT_EQ(response.error_message, field == 4 ? "invalid role" : "unknown lease");
  }
  EXPECT_EQ(world.counters().active_leases, 1U);
  world.detach(detach(lease, 7));
  world.clear();
  world.detach(detach(lease, 7));
  EXPECT_EQ(world.only<DetachAnswer>().response.error_message, "unknown lease");
}

TEST(Lease, an_administrator_ends_it_with_a_text_of_his_own) {
  TP_REQ("D155", "D149", "D17");
  DriverWorld world;
  const auto lease = world.lease(7);
  EXPECT_FALSE(world.revoke(*lease.lease_id + 1));
  world.clear();
  EXPECT_TRUE(world.revoke(*lease.lease_id, "make room\n"));
  EXPECT_EQ(world.only<LeaseNotice>().notice.reason, LeaseRevokeReason::kRevoked);
  EXPECT_EQ(world.only<LeaseNotice>().notice.error_message, "make room?");
  EXPECT_FALSE(world.revoke(*lease.lease_id)) << "once";
}

TEST(Lease, its_end_is_told_once) {
  TP_REQ("D150");
  DriverWorld world;
  const auto lease = world.lease(7);
  world.clear();
  world.detach(detach(lease, 7));
  world.revoke(*lease.lease_id);
  world.keep_alive(keepalive(lease, 7));
  world.now += seconds(10);
  world.check_expiry();
  EXPECT_EQ(world.all<LeaseNotice>().size(), 1U);
}

TEST(Lease, its_end_frees_the_client_and_lets_the_node_id_rest) {
  TP_REQ("D148", "D97", "D98");
  DriverWorld world;
  const auto first = world.lease(7);
  world.detach(detach(first, 7));
  EXPECT_EQ(world.lease(8).node_id, 2U);
  const auto again = world.lease(7);
  EXPECT_EQ(again.node_id, first.node_id);
  EXPECT_NE(again.lease_id, first.lease_id);
}

TEST(Lease, orphans_of_an_earlier_life_are_told_once) {
  TP_REQ("D157", "D158", "D134");
  DriverWorld world;
  const layout::ShmLeaseKeepalive orphan{
      .lease_id = 99, .stream_id = kStaticStream, .client_id = 7, .role = Role::kProducer};
  world.keep_alive(orphan);
  world.keep_alive(orphan);
  const auto notice = world.only<LeaseNotice>();
  EXPECT_EQ(notice.notice.lease_id, 99U);
  EXPECT_EQ(notice.notice.client_id, 7U);
  EXPECT_EQ(notice.notice.role, Role::kProducer);
  EXPECT_EQ(notice.notice.reason, LeaseRevokeReason::kRevoked);
  EXPECT_EQ(notice.notice.error_message, "unknown lease");
  EXPECT_EQ(notice.expiry, std::nullopt);
  EXPECT_EQ(world.counters().keepalive_rejects, 2U);
}

TEST(Lease, orphans_whose_notice_nobody_heard_are_told_again) {
  TP_REQ("D157", "D158");
  DriverWorld world;
  const layout::ShmLeaseKeepalive orphan{
      .lease_id = 99, .stream_id = kStaticStream, .client_id = 7, .role = Role::kConsumer};
  world.keep_alive(orphan);
  world.sut.on_notice_unheard(99);
  world.keep_alive(orphan);
  world.keep_alive(orphan);
  EXPECT_EQ(world.order(), "LL");
}

TEST(Lease, foreign_keepalives_are_told_nothing_where_that_could_do_harm) {
  TP_REQ("D157");
  DriverWorld world;
  const auto producer = world.lease(1, Role::kProducer);
  world.clear();
  world.keep_alive(
      {.lease_id = 99, .stream_id = kStaticStream, .client_id = 7, .role = Role::kProducer});
  world.keep_alive({.lease_id = 98, .stream_id = 777, .client_id = 7, .role = Role::kConsumer});
  world.keep_alive({.lease_id = 97, .stream_id = kStaticStream, .client_id = 7, .role = Role{9}});
  world.keep_alive({.lease_id = *producer.lease_id, .stream_id = kStaticStream, .client_id = 7});
  EXPECT_EQ(world.order(), "");
  world.keep_alive(
      {.lease_id = 96, .stream_id = kStaticStream, .client_id = 7, .role = Role::kConsumer});
  world.keep_alive({.lease_id = 95, .stream_id = 20009, .client_id = 7, .role = Role::kProducer});
  EXPECT_EQ(world.order(), "LL") << "a consumer; a stream of the range";
}

TEST(Lease, keepalives_allocate_nothing) {
  if (!testing::kCounted) {
    GTEST_SKIP() << "needs: an allocator that counts";
  }
  DriverWorld world;
  const auto alive = keepalive(world.lease(7), 7);
  auto mismatch = alive;
  mismatch.client_id = 8;
  const std::size_t before = testing::allocations();
  for (int i = 0; i < 1000; ++i) {
    world.now += milliseconds(1);
    static_cast<void>(world.sut.on_keepalive(alive, world.now));
    static_cast<void>(world.sut.on_keepalive(mismatch, world.now));
    world.sut.on_inputs_drained(world.now);
  }
  EXPECT_EQ(testing::allocations(), before);
}

TEST(Lease, ids_start_where_the_host_says) {
  TP_REQ("D130");
  DriverWorld world;
  EXPECT_EQ(world.lease(1).lease_id, kFirstLease);
  EXPECT_EQ(world.lease(2).lease_id, kFirstLease + 1);
}

}  // namespace
}  // namespace tensorpool::test
