#include "core/driver/pending_attaches.hpp"

#include <gtest/gtest.h>

#include "support/requirement.hpp"

namespace tensorpool::core::driver {
namespace {

using layout::Role;
using std::chrono::seconds;

constexpr Nanos kStart = seconds(1000);

[[nodiscard]] PendingAttach attach(std::uint32_t client_id, Role role = Role::kConsumer,
                                   std::uint32_t stream_id = 1, Nanos at = kStart) {
  return {.request = {.stream_id = stream_id, .client_id = client_id, .role = role},
          .stream_id = stream_id,
          .received_at = at};
}

TEST(PendingAttaches, are_found_by_client_and_by_stream_in_their_order) {
  PendingAttaches sut;
  sut.add(attach(9));
  sut.add(attach(3));
  sut.add(attach(7, Role::kProducer));
  sut.add(attach(1, Role::kConsumer, 2));
  const auto of_stream = sut.of_stream(1);
  ASSERT_EQ(of_stream.size(), 3U);
  EXPECT_EQ(of_stream[0]->request.client_id, 9U);
  EXPECT_EQ(of_stream[1]->request.client_id, 3U);
  EXPECT_EQ(sut.producer_of(1), of_stream[2]);
  EXPECT_EQ(sut.of_client(3), of_stream[1]);
  EXPECT_EQ(sut.take(of_stream[2]->ticket).request.client_id, 7U);
  EXPECT_EQ(sut.producer_of(1), nullptr);
  EXPECT_EQ(sut.of_client(7), nullptr);
  EXPECT_EQ(sut.size(), 3U);
  sut.take(sut.of_stream(2)[0]->ticket);
  EXPECT_FALSE(sut.any_of(2));
  EXPECT_TRUE(sut.any_of(1));
}

TEST(PendingAttaches, are_late_after_five_seconds) {
  TP_REQ("D345");
  PendingAttaches sut;
  EXPECT_EQ(sut.next_deadline(), std::nullopt);
  sut.add(attach(1));
  sut.add(attach(2, Role::kConsumer, 1, kStart + seconds(1)));
  EXPECT_EQ(sut.first_late(kStart + seconds(5)), nullptr);
  EXPECT_EQ(sut.next_deadline(), kStart + seconds(5) + Nanos{1});
  const PendingAttach* const late = sut.first_late(kStart + seconds(5) + Nanos{1});
  ASSERT_NE(late, nullptr);
  EXPECT_EQ(late->request.client_id, 1U);
}

TEST(PendingAttaches, those_of_leases_that_exist_become_none) {
  PendingAttaches sut;
  PendingAttach replay = attach(1, Role::kProducer);
  replay.replay_of = 77;
  sut.add(replay);
  sut.add(attach(2));
  EXPECT_EQ(sut.new_leases(), 1U);
  EXPECT_EQ(sut.producer_of(1), nullptr) << "the stream may still get a producer";
  sut.take(sut.of_client(1)->ticket);
  EXPECT_EQ(sut.new_leases(), 1U);
}

TEST(PendingAttaches, are_bounded) {
  PendingAttaches sut;
  for (std::uint32_t client = 1; !sut.full(); ++client) {
    sut.add(attach(client));
  }
  EXPECT_EQ(sut.size(), PendingAttaches::kMax);
}

}  // namespace
}  // namespace tensorpool::core::driver
