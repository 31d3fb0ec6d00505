#include "agents/lease_report.hpp"

#include <gtest/gtest.h>

#include "support/requirement.hpp"

namespace tensorpool::test {
namespace {

using agents::error_of;
using core::attach::AttachReport;
using Kind = AttachReport::Kind;
using layout::ResponseCode;

TEST(LeaseReport, a_refusal_that_may_end_is_told_from_one_that_stays) {
  const auto code_for = [](ResponseCode code) {
    return error_of({.kind = Kind::kRefused, .code = code}, "words").code;
  };
  EXPECT_EQ(code_for(ResponseCode::kRejected), Errc::kAttachRefused);
  EXPECT_EQ(code_for(ResponseCode::kInternalError), Errc::kAttachRefused);
  EXPECT_EQ(code_for(ResponseCode::kUnsupported), Errc::kUnsupportedVersion);
  EXPECT_EQ(code_for(ResponseCode::kInvalidParams), Errc::kInvalidArgument);
}

TEST(LeaseReport, a_refusal_keeps_the_drivers_words) {
  TP_REQ("D311");
  const Error refused =
      error_of({.kind = Kind::kRefused, .code = ResponseCode::kRejected}, "driver draining");
  EXPECT_EQ(refused.subject_view(), "driver draining");
}

TEST(LeaseReport, a_lost_lease_says_the_drivers_words_or_else_how_it_was_lost) {
  TP_REQ("D311");
  const AttachReport lost{.kind = Kind::kLost, .loss = LeaseLoss::kDriverSilent};
  EXPECT_EQ(error_of(lost, "").code, Errc::kLeaseLost);
  EXPECT_EQ(error_of(lost, "").subject_view(), to_string(LeaseLoss::kDriverSilent));
  EXPECT_EQ(error_of(lost, "maintenance").subject_view(), "maintenance");
}

TEST(LeaseReport, a_driver_that_does_not_answer_is_a_timeout_whether_it_said_goodbye_or_not) {
  EXPECT_EQ(error_of({.kind = Kind::kTimedOut}, "").code, Errc::kTimeout);
  EXPECT_EQ(error_of({.kind = Kind::kInterrupted}, "").code, Errc::kTimeout);
}

TEST(LeaseReport, an_answer_that_cannot_be_trusted_keeps_its_own_error) {
  const Error mistrust = make_error(Errc::kLayoutUnsupported, "x", 2, 1);
  EXPECT_EQ(error_of({.kind = Kind::kProtocolError, .error = mistrust}, "").code,
            Errc::kLayoutUnsupported);
}

}  // namespace
}  // namespace tensorpool::test
