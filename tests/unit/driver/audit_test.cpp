// What is written of decisions, and how much of it.
#include "driver/audit.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <vector>

namespace tensorpool::driver {
namespace {

using namespace std::chrono_literals;
using core::driver::AttachAnswer;
using core::driver::DetachAnswer;
using core::driver::LeaseNotice;
using layout::ResponseCode;
using layout::Role;
using ::testing::ElementsAre;
using ::testing::SizeIs;

[[nodiscard]] AttachAnswer granted() {
  return {.response = {.code = ResponseCode::kOk,
                       .lease_id = 12,
                       .stream_id = 20000,
                       .epoch = 9,
                       .node_id = 3},
          .request = {.stream_id = 0, .client_id = 77, .role = Role::kProducer}};
}
[[nodiscard]] AttachAnswer refused() {
  return {
      .response = {.code = ResponseCode::kRejected, .error_message = "producer already attached"},
      .request = {.stream_id = 20000, .client_id = 77, .role = Role::kProducer}};
}
[[nodiscard]] LeaseNotice ended() {
  return {.notice = {.lease_id = 12,
                     .stream_id = 20000,
                     .client_id = 77,
                     .role = Role::kConsumer,
                     .reason = layout::LeaseRevokeReason::kRevoked,
                     .error_message = "maintenance"},
          .expiry = Nanos{5}};
}

TEST(AuditLine, tells_who_did_what_and_what_came_of_it) {
  EXPECT_EQ(audit_line(granted()),
            "attach: producer of stream 20000, client 77: lease 12, epoch 9, node 3");
  EXPECT_EQ(audit_line(refused()),
            "refused: producer of stream 20000, client 77: REJECTED producer already attached");
  DetachAnswer detach{
      .response = {.code = ResponseCode::kOk},
      .request = {.lease_id = 12, .stream_id = 20000, .client_id = 77, .role = Role::kConsumer}};
  EXPECT_EQ(audit_line(detach), "detach: consumer of stream 20000, client 77, lease 12");
  detach.response = {.code = ResponseCode::kRejected, .error_message = "unknown lease"};
  EXPECT_EQ(audit_line(detach),
            "refused: detach of consumer of stream 20000, client 77, lease 12: REJECTED unknown "
            "lease");
  EXPECT_EQ(audit_line(ended()),
            "lease 12 ended: consumer of stream 20000, client 77: REVOKED maintenance");
  LeaseNotice unknown = ended();
  unknown.expiry.reset();
  unknown.notice.error_message = "unknown lease";
  EXPECT_EQ(audit_line(unknown),
            "refused: keepalive of consumer of stream 20000, client 77, lease 12: unknown lease");
}

TEST(LineBudget, gives_a_burst_and_then_so_many_a_second) {
  LineBudget sut({.burst = 5, .per_second = 2});
  const auto taken = [&](Nanos now) {
    int lines = 0;
    for (int k = 0; k < 10; ++k) {
      lines += sut.take(now) ? 1 : 0;
    }
    return lines;
  };
  EXPECT_EQ(taken(100s), 5);
  EXPECT_EQ(taken(100s + 499ms), 0);
  EXPECT_EQ(taken(100s + 500ms), 1);
  EXPECT_EQ(taken(101s), 1);
  EXPECT_EQ(taken(101s + 900ms), 1);
  EXPECT_EQ(taken(102s), 1) << "nothing is lost between";
  EXPECT_EQ(taken(1000s), 5) << "no more than the burst";
}

class AuditLogTest : public ::testing::Test {
 protected:
  std::vector<std::string> lines_;
  AuditLog sut_{[this](LogLevel, std::string_view line) { lines_.emplace_back(line); }};
};

TEST_F(AuditLogTest, writes_one_line_for_each_decision) {
  sut_.write(granted(), 1s);
  sut_.write(refused(), 1s);
  sut_.write(ended(), 1s);
  sut_.write_request("admin: x", false, 1s);
  sut_.poll(1s);
  EXPECT_THAT(lines_, SizeIs(4));
}

TEST_F(AuditLogTest, counts_what_it_leaves_out_and_says_so) {
  sut_.poll(1s);
  for (int k = 0; k < 100'000; ++k) {
    sut_.write(refused(), 1s);
    sut_.poll(1s);
  }
  EXPECT_THAT(lines_, SizeIs(AuditLog::kRefusals.burst));
  lines_.clear();
  sut_.poll(1s + AuditLog::kReportPeriod);
  EXPECT_THAT(lines_, ElementsAre("audit: 99800 refusals were not logged"));
  sut_.poll(1s + 2 * AuditLog::kReportPeriod);
  EXPECT_THAT(lines_, SizeIs(1)) << "said once";
}

TEST_F(AuditLogTest, a_flood_of_refusals_leaves_room_for_everything_else) {
  for (int k = 0; k < 100'000; ++k) {
    sut_.write(refused(), 1s);
  }
  lines_.clear();
  sut_.write(granted(), 1s);
  sut_.write(ended(), 1s);
  EXPECT_THAT(lines_, SizeIs(2));
}

TEST_F(AuditLogTest, cannot_fill_a_disk_however_long_it_is_tried) {
  for (Nanos now = 1s; now < 1001s; now += 10ms) {
    for (int k = 0; k < 10; ++k) {
      sut_.write(refused(), now);
    }
    sut_.poll(now);
  }
  const std::size_t reports = 1000s / AuditLog::kReportPeriod + 1;
  EXPECT_LE(lines_.size(),
            AuditLog::kRefusals.burst + 1000 * AuditLog::kRefusals.per_second + reports);
}

TEST(WarnedOf, admits_each_epoch_once_and_not_more_than_it_can_remember) {
  WarnedOf sut;
  EXPECT_TRUE(sut.admit(1, 7));
  EXPECT_FALSE(sut.admit(1, 7));
  EXPECT_TRUE(sut.admit(2, 7));
  for (std::uint64_t epoch = 100; epoch < 100 + WarnedOf::kMax; ++epoch) {
    static_cast<void>(sut.admit(3, epoch));
  }
  EXPECT_FALSE(sut.admit(4, 1));
}

}  // namespace
}  // namespace tensorpool::driver
