#include "core/driver/lease_table.hpp"

#include <gtest/gtest.h>

#include <vector>

#include "support/requirement.hpp"

namespace tensorpool::core::driver {
namespace {

using layout::Role;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr Nanos kStart = seconds(1000);
constexpr Nanos kDuration = seconds(3);

[[nodiscard]] LeaseGrant grant(std::uint32_t client_id, Role role = Role::kConsumer,
                               std::uint32_t stream_id = 1, std::uint64_t epoch = 1) {
  return {.stream_id = stream_id, .client_id = client_id, .role = role, .epoch = epoch};
}

TEST(LeaseTable, ids_count_from_the_number_that_was_drawn) {
  TP_REQ("D130", "D131");
  LeaseTable sut(LeaseTable::kFirstIdMax, kDuration);
  EXPECT_FALSE(sut.issued(LeaseTable::kFirstIdMax));
  const std::uint64_t first = sut.issue(grant(7), kStart).id;
  EXPECT_EQ(first, LeaseTable::kFirstIdMax);
  sut.remove(*sut.find(first));
  EXPECT_EQ(sut.issue(grant(7), kStart).id, first + 1);
  EXPECT_TRUE(sut.issued(first)) << "also when it has ended";
  EXPECT_FALSE(sut.issued(first + 2));
}

TEST(LeaseTable, finds_by_id_by_client_and_the_producer_of_a_stream) {
  TP_REQ("D129");
  LeaseTable sut(10, kDuration);
  const Lease& producer = sut.issue(grant(7, Role::kProducer), kStart);
  const Lease& consumer = sut.issue(grant(8), kStart);
  EXPECT_EQ(sut.find(10), &producer);
  EXPECT_EQ(sut.of_client(8), &consumer);
  EXPECT_EQ(sut.producer_of(1), &producer);
  EXPECT_EQ(sut.count_of(1), 2U);
  EXPECT_EQ(sut.find(12), nullptr);
  EXPECT_EQ(sut.of_client(9), nullptr);
  EXPECT_EQ(sut.producer_of(2), nullptr);
  EXPECT_TRUE(sut.check_invariants());
  const Lease ended = sut.remove(producer);
  EXPECT_EQ(ended.grant.client_id, 7U);
  EXPECT_EQ(sut.producer_of(1), nullptr);
  EXPECT_EQ(sut.find(10), nullptr);
  EXPECT_EQ(sut.of_client(7), nullptr);
  EXPECT_EQ(sut.count_of(1), 1U);
  EXPECT_TRUE(sut.check_invariants());
}

TEST(LeaseTable, a_lease_expires_right_after_its_expiry_and_never_earlier) {
  TP_REQ("D139");
  LeaseTable sut(10, kDuration);
  const Lease& lease = sut.issue(grant(7), kStart);
  EXPECT_EQ(lease.expiry, kStart + kDuration);
  EXPECT_EQ(sut.first_expired(kStart + kDuration), nullptr);
  EXPECT_EQ(sut.next_expiry(), kStart + kDuration + Nanos{1});
  EXPECT_EQ(sut.first_expired(kStart + kDuration + Nanos{1}), &lease);
}

TEST(LeaseTable, keepalives_put_off_the_expiry_and_tell_the_gap) {
  TP_REQ("D133");
  LeaseTable sut(10, kDuration);
  const Lease& first = sut.issue(grant(7), kStart);
  const Lease& second = sut.issue(grant(8), kStart + milliseconds(1));
  EXPECT_FALSE(first.kept_alive);
  EXPECT_EQ(sut.keep_alive(first, kStart + seconds(2)), seconds(2));
  EXPECT_TRUE(first.kept_alive);
  EXPECT_EQ(first.expiry, kStart + seconds(2) + kDuration);
  EXPECT_EQ(sut.first_expired(kStart + seconds(4)), &second);
  EXPECT_EQ(sut.keep_alive(first, kStart + milliseconds(2500)), milliseconds(500));
}

TEST(LeaseTable, ends_ten_thousand_leases_in_the_order_of_their_last_sign_of_life) {
  LeaseTable sut(1, kDuration);
  std::vector<std::uint64_t> ids;
  for (std::uint32_t client = 1; client <= 10'000; ++client) {
    ids.push_back(sut.issue(grant(client, Role::kConsumer, client % 1000), kStart).id);
  }
  for (std::size_t i = 0; i < ids.size(); i += 2) {
    sut.keep_alive(*sut.find(ids[i]), kStart + seconds(1));
  }
  EXPECT_TRUE(sut.check_invariants());
  std::size_t ended = 0;
  while (const Lease* const lease = sut.first_expired(kStart + milliseconds(3500))) {
    EXPECT_EQ(lease->id, ids[2 * ended + 1]);
    sut.remove(*lease);
    ++ended;
  }
  EXPECT_EQ(ended, 5000U);
  EXPECT_EQ(sut.size(), 5000U);
  EXPECT_TRUE(sut.check_invariants());
}

TEST(LeaseTable, epochs_are_referenced_until_consumers_have_moved_on) {
  TP_REQ("D225");
  LeaseTable sut(1, kDuration);
  const Lease& old_one = sut.issue(grant(1, Role::kConsumer, 1, 10), kStart);
  sut.issue(grant(2, Role::kConsumer, 1, 20), kStart);
  sut.issue(grant(3, Role::kConsumer, 1, 20), kStart);
  sut.issue(grant(4, Role::kProducer, 1, 30), kStart);
  sut.issue(grant(5, Role::kConsumer, 2, 99), kStart);
  using Epochs = std::vector<std::uint64_t>;
  EXPECT_EQ(sut.referenced_epochs(1, 0), (Epochs{10, 20, 30}));
  EXPECT_EQ(sut.referenced_epochs(1, 20), (Epochs{20, 30}));
  EXPECT_EQ(sut.referenced_epochs(1, 25), (Epochs{25, 30}));
  sut.remove(old_one);
  EXPECT_EQ(sut.referenced_epochs(1, 0), (Epochs{20, 30}));
  EXPECT_EQ(sut.referenced_epochs(3, 5), Epochs{});
}

}  // namespace
}  // namespace tensorpool::core::driver
