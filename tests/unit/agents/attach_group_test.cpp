// Many leases of one client: what concerns one of them reaches it, and nobody else.
#include "agents/attach_group.hpp"

#include <gmock/gmock.h>

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "support/requirement.hpp"

namespace tensorpool::agents {
namespace {

using core::attach::AttachReport;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr Nanos kSecond = std::chrono::seconds(1);

/// Keeps what it is given.
class FakeDriver final : public RequestSender {
 public:
  [[nodiscard]] bool is_control_connected() noexcept override { return connected; }
  [[nodiscard]] std::uint64_t connection_number() const noexcept override { return connection; }
  [[nodiscard]] bus::OfferStatus send_to_driver(const layout::ShmAttachRequest& message) override {
    return take(attaches, message);
  }
  [[nodiscard]] bus::OfferStatus send_to_driver(const layout::ShmLeaseKeepalive& message) override {
    ++tries;
    return take(keepalives, message);
  }
  [[nodiscard]] bus::OfferStatus send_to_driver(const layout::ShmDetachRequest& message) override {
    return take(detaches, message);
  }

  bool connected = true;
  std::uint64_t connection = 1;
  bus::OfferStatus answer = bus::OfferStatus::kOk;
  int tries = 0;  ///< to send a keepalive
  std::vector<layout::ShmAttachRequest> attaches;
  std::vector<layout::ShmLeaseKeepalive> keepalives;
  std::vector<layout::ShmDetachRequest> detaches;

 private:
  template <class Message>
  bus::OfferStatus take(std::vector<Message>& taken, const Message& message) {
    if (answer == bus::OfferStatus::kOk) {
      taken.push_back(message);
    }
    return answer;
  }
};

class Attached {
 public:
  Attached(AttachGroup& group, std::uint32_t stream_id)
      : agent(group, {.stream_id = stream_id},
              {.map = [](const auto&, Nanos) { return Status(); },
               .unmap = [](UnmapReason, Nanos) {},
               .report = [this](const AttachReport& report,
                                std::string_view) { reports.push_back(report.kind); }}) {}

  [[nodiscard]] AttachState state() const { return agent.machine().state(); }

  std::vector<AttachReport::Kind> reports;
  AttachAgent agent;
};

class AttachGroupTest : public ::testing::Test {
 protected:
  AttachGroupTest() { sut.do_work(now()); }

  [[nodiscard]] Nanos now() const { return now_.mono; }
  void wait(Nanos span) {
    now_.mono += span;
    sut.do_work(now());
  }
  std::unique_ptr<Attached> want(std::uint32_t stream_id) {
    auto wanted = std::make_unique<Attached>(sut, stream_id);
    wanted->agent.want_attach(now());
    sut.do_work(now());
    return wanted;
  }
  /// OK to a request, for a lease that lasts `duration`.
  void grant(const layout::ShmAttachRequest& request, std::uint64_t lease_id,
             Nanos duration = 3 * kSecond) {
    const layout::PayloadPool pool{.pool_id = 1,
                                   .pool_nslots = 8,
                                   .stride_bytes = 64,
                                   .region_uri = "shm:file?path=/dev/shm/x/1.pool"};
    sut.on_attach_response(
        {.correlation_id = request.correlation_id,
         .code = layout::ResponseCode::kOk,
         .lease_id = lease_id,
         .lease_expiry_timestamp_ns = static_cast<std::uint64_t>((now() + duration).count()),
         .stream_id = request.stream_id,
         .epoch = 7,
         .layout_version = 1,
         .header_nslots = 8,
         .header_slot_bytes = 256,
         .payload_pools = {&pool, 1},
         .header_region_uri = "shm:file?path=/dev/shm/x/header.ring"},
        now_);
  }
  std::unique_ptr<Attached> attach(std::uint32_t stream_id, std::uint64_t lease_id) {
    auto attached = want(stream_id);
    grant(driver.attaches.back(), lease_id);
    EXPECT_EQ(attached->state(), AttachState::kAttached);
    return attached;
  }
  void revoke(const Attached& whose, std::uint64_t lease_id) {
    sut.on_lease_revoked({.timestamp_ns = 1,
                          .lease_id = lease_id,
                          .stream_id = whose.agent.machine().stream_id(),
                          .client_id = whose.agent.machine().client_id(),
                          .role = layout::Role::kConsumer,
                          .reason = layout::LeaseRevokeReason::kRevoked},
                         now_);
  }

  FakeDriver driver;
  AttachGroup sut{driver};
  base::Now now_{.mono = 1000 * kSecond};
};

TEST_F(AttachGroupTest, gives_a_response_to_whoever_has_asked) {
  TP_REQ("D86");
  const auto first = want(1);
  const auto second = want(2);
  ASSERT_THAT(driver.attaches, SizeIs(2));
  grant(driver.attaches[1], 71);
  EXPECT_EQ(first->state(), AttachState::kAttaching);
  EXPECT_EQ(second->state(), AttachState::kAttached);
}

// A media driver that comes back between two keepalives: the driver may have ended the lease
// meanwhile, its notice unheard, and gives no second one (D150).
TEST_F(AttachGroupTest, believes_in_no_lease_of_a_connection_that_was_replaced) {
  TP_REQ("D143", "D145");
  const auto sut_lease = attach(1, 71);
  ++driver.connection;
  wait(Nanos{1});
  EXPECT_EQ(sut_lease->state(), AttachState::kBackoff);
  EXPECT_THAT(sut_lease->reports, ::testing::Contains(AttachReport::Kind::kLost));
  const auto next = attach(2, 72);
  wait(Nanos{1});
  EXPECT_EQ(next->state(), AttachState::kAttached);
}

TEST_F(AttachGroupTest, counts_a_response_that_nobody_expects_once) {
  const auto first = attach(1, 71);
  const auto second = attach(2, 72);
  grant({.correlation_id = 1, .stream_id = 3}, 73);
  EXPECT_EQ(first->agent.machine().counters().stale_responses +
                second->agent.machine().counters().stale_responses,
            1U);
}

TEST_F(AttachGroupTest, gives_a_refusal_that_cannot_be_decoded_to_whoever_has_asked) {
  TP_REQ("D109");
  const auto first = want(1);
  const auto second = want(2);
  sut.on_bad_attach_response(driver.attaches[1].correlation_id,
                             static_cast<std::int32_t>(layout::ResponseCode::kRejected),
                             make_error(Errc::kMalformedMessage), now_);
  EXPECT_EQ(first->state(), AttachState::kAttaching);
  EXPECT_THAT(second->reports, ElementsAre(AttachReport::Kind::kRefused));
}

TEST_F(AttachGroupTest, gives_back_a_lease_that_is_granted_after_the_attempt_was_given_up) {
  TP_REQ("D92");
  const auto other = want(1);
  const auto late = want(2);
  const layout::ShmAttachRequest request = driver.attaches.back();
  late->agent.close(now());
  EXPECT_EQ(late->state(), AttachState::kUnattached);
  grant(request, 71);
  ASSERT_THAT(driver.detaches, SizeIs(1));
  EXPECT_EQ(driver.detaches[0].lease_id, 71U);
  EXPECT_EQ(other->state(), AttachState::kAttaching);
}

TEST_F(AttachGroupTest, ends_only_the_lease_that_was_revoked) {
  TP_REQ("D146");
  const auto first = attach(1, 71);
  const auto second = attach(2, 72);
  revoke(*second, 72);
  EXPECT_EQ(first->state(), AttachState::kAttached);
  EXPECT_EQ(second->state(), AttachState::kBackoff);
  revoke(*second, 72);  // once is enough
  EXPECT_EQ(second->agent.machine().counters().lease_lost, 1U);
}

TEST_F(AttachGroupTest, counts_a_notice_that_makes_no_sense_once) {
  TP_REQ("D167");
  const auto first = attach(1, 71);
  const auto second = attach(2, 72);
  sut.on_lease_revoked({.lease_id = 99, .role = layout::Role{7}}, now_);
  sut.on_bad_driver_message();
  EXPECT_EQ(first->agent.machine().counters().driver_event_rejects +
                second->agent.machine().counters().driver_event_rejects,
            2U);
}

TEST_F(AttachGroupTest, tells_all_leases_that_the_driver_goes_down) {
  const auto first = attach(1, 71);
  const auto second = attach(2, 72);
  sut.on_driver_shutdown({.timestamp_ns = 1}, now_);
  EXPECT_EQ(first->state(), AttachState::kBackoff);
  EXPECT_EQ(second->state(), AttachState::kBackoff);
}

TEST_F(AttachGroupTest, keeps_each_lease_alive_when_it_is_due) {
  TP_REQ("D140");
  const auto first = attach(1, 71);
  wait(kSecond / 2);
  const auto second = attach(2, 72);
  wait(kSecond / 2);
  ASSERT_THAT(driver.keepalives, SizeIs(1));
  EXPECT_EQ(driver.keepalives[0].lease_id, 71U);
  wait(kSecond / 2);
  ASSERT_THAT(driver.keepalives, SizeIs(2));
  EXPECT_EQ(driver.keepalives[1].lease_id, 72U);
  EXPECT_EQ(sut.next_deadline(), now() + kSecond / 2);
}

TEST_F(AttachGroupTest, tries_a_keepalive_that_finds_no_room_again_in_every_cycle) {
  TP_REQ("D144");
  const auto lease = attach(1, 71);
  driver.answer = bus::OfferStatus::kBackPressured;
  wait(kSecond);
  wait(Nanos{1});
  wait(Nanos{1});
  EXPECT_EQ(driver.tries, 3);
  driver.answer = bus::OfferStatus::kOk;
  wait(Nanos{1});
  EXPECT_THAT(driver.keepalives, SizeIs(1));
}

TEST_F(AttachGroupTest, takes_announces_of_its_own_stream_as_signs_of_life) {
  TP_REQ("D275", "D276");
  const auto heard = attach(1, 71);
  const auto silent = attach(2, 72);
  for (int second = 0; second < 5; ++second) {
    wait(kSecond);
    sut.on_announce({.stream_id = 1, .producer_id = 0, .epoch = 7}, now(), now_);
  }
  sut.do_work(now());
  EXPECT_EQ(heard->state(), AttachState::kAttached);
  EXPECT_EQ(silent->state(), AttachState::kBackoff);
}

TEST_F(AttachGroupTest, sends_the_first_request_when_the_driver_can_be_heard) {
  TP_REQ("D305");
  driver.connected = false;
  sut.do_work(now());
  const auto lease = want(1);
  EXPECT_THAT(driver.attaches, IsEmpty());
  driver.connected = true;
  sut.do_work(now());
  EXPECT_THAT(driver.attaches, SizeIs(1));
}

TEST_F(AttachGroupTest, forgets_an_agent_that_is_gone) {
  {
    const auto waiting = want(1);
    const auto holding = attach(2, 72);
  }
  EXPECT_EQ(sut.size(), 0U);
  EXPECT_EQ(sut.next_deadline(), kNoDeadline);
  grant(driver.attaches[0], 71);
  sut.on_announce({.stream_id = 2, .epoch = 7}, now(), now_);
  wait(10 * kSecond);
  EXPECT_THAT(driver.keepalives, IsEmpty());
}

TEST_F(AttachGroupTest, counts_as_work_what_waits_for_an_answer) {
  const auto lease = attach(1, 71);
  EXPECT_EQ(sut.do_work(now() + kSecond), 0);
  EXPECT_THAT(driver.keepalives, SizeIs(1));
  lease->agent.close(now() + kSecond);
  EXPECT_EQ(sut.do_work(now() + 2 * kSecond), 1);
}

}  // namespace
}  // namespace tensorpool::agents
