// Every row of the attach client's table (§2.20), and the client rules of §2.7, §2.8 and §2.10.
#include "core/attach/attach_machine.hpp"

#include <gtest/gtest.h>

#include <limits>

#include "attach_harness.hpp"
#include "support/requirement.hpp"

namespace tensorpool::core::attach {
namespace {

using layout::ResponseCode;
using std::chrono::milliseconds;
using std::chrono::seconds;
using Kind = AttachReport::Kind;
using State = AttachState;

constexpr std::uint32_t kClient = 77;
constexpr const char* kTaken = "client_id already attached";

class Attach : public ::testing::Test {
 protected:
  using Options = AttachMachine::Options;
  explicit Attach(const Options& options = {.stream_id = kStream, .client_id = kClient})
      : on(options), sut(on.sut) {}

  AttachHarness on;
  AttachMachine& sut;
};

// -- Rows of the table ---------------------------------------------------------------------------

TEST_F(Attach, asks_when_a_lease_is_wanted) {
  TP_REQ("D80", "D47", "D95");
  EXPECT_EQ(sut.state(), State::kUnattached);
  on.poll();
  EXPECT_TRUE(on.happened().empty());
  on.want();
  EXPECT_EQ(on.happened(), Log{"request"});
  EXPECT_EQ(sut.state(), State::kAttaching);
  EXPECT_EQ(on.requests.back(),
            (layout::ShmAttachRequest{.correlation_id = 42,
                                      .stream_id = kStream,
                                      .client_id = kClient,
                                      .role = layout::Role::kConsumer,
                                      .expected_layout_version = 1,
                                      .publish_mode = layout::PublishMode::kRequireExisting}));
  EXPECT_EQ(sut.counters().attach_attempts, 1U);
}

TEST_F(Attach, wanting_it_again_changes_nothing) {
  for (const State state : {State::kAttaching, State::kAttached, State::kBackoff}) {
    AttachHarness again({.stream_id = kStream});
    again.lead_to(state);
    again.want();
    EXPECT_TRUE(again.happened().empty());
    EXPECT_EQ(again.sut.state(), state);
  }
}

TEST_F(Attach, repeats_the_identical_request_at_the_retry_interval) {
  TP_REQ("D88", "D89", "D310");
  on.lead_to(State::kAttaching);
  on.wait(milliseconds(999));
  EXPECT_TRUE(on.happened().empty());
  on.wait(milliseconds(1));
  EXPECT_EQ(on.happened(), Log{"request"});
  EXPECT_EQ(on.requests[1], on.requests[0]);
  EXPECT_EQ(sut.counters().attach_attempts, 1U);
}

TEST_F(Attach, maps_before_it_is_attached) {
  TP_REQ("D107", "D124", "D308");
  on.lead_to(State::kAttaching);
  on.grant();
  EXPECT_EQ(on.happened(), (Log{"map", "attached"}));
  EXPECT_EQ(sut.state(), State::kAttached);
  EXPECT_EQ(sut.grant().plan.epoch(), kEpoch);
  EXPECT_EQ(sut.lease_deadline(), on.now + seconds(3));
}

TEST_F(Attach, an_impossible_response_is_a_protocol_error_and_its_lease_given_back) {
  TP_REQ("D125", "D126", "D127", "D311");
  on.lead_to(State::kAttaching);
  GoodResponse response(on.requests.back(), on.now, seconds(3));
  response.pools[1].stride_bytes = 100;
  on.hear(response.message);
  EXPECT_EQ(on.happened(), (Log{"detach", "protocol error"}));
  EXPECT_EQ(sut.state(), State::kBackoff);
  EXPECT_EQ(on.report.error.code, Errc::kStrideInvalid);
  EXPECT_TRUE(on.report.tries_again);
  EXPECT_EQ(on.detaches.back().lease_id, kLease);
  EXPECT_EQ(on.detaches.back().client_id, kClient);
  EXPECT_EQ(sut.counters().attach_protocol_errors, 1U);
}

TEST_F(Attach, regions_that_cannot_be_mapped_are_a_protocol_error) {
  TP_REQ("D124", "D125", "D126", "D311");
  on.mapping = fail(Errc::kPathRejected, "/dev/shm/x");
  on.lead_to(State::kAttaching);
  on.grant();
  EXPECT_EQ(on.happened(), (Log{"map", "detach", "protocol error"}));
  EXPECT_EQ(sut.state(), State::kBackoff);
  EXPECT_EQ(on.report.error.code, Errc::kPathRejected);
  EXPECT_EQ(on.detaches.back().lease_id, kLease);
  EXPECT_EQ(sut.counters().attach_protocol_errors, 1U);
  EXPECT_EQ(sut.grant().lease_id, 0U);
  EXPECT_EQ(sut.lease_deadline(), Nanos::max());
}

TEST_F(Attach, a_lease_that_has_no_id_is_not_given_back) {
  TP_REQ("D110", "D126");
  on.lead_to(State::kAttaching);
  GoodResponse response(on.requests.back(), on.now, seconds(3));
  response.message.lease_id.reset();
  on.hear(response.message);
  EXPECT_EQ(on.happened(), Log{"protocol error"});
}

TEST_F(Attach, a_response_that_cannot_be_read_is_a_protocol_error) {
  TP_REQ("D4", "D16", "D108");
  for (const std::optional<std::int32_t> code :
       {std::optional<std::int32_t>(), std::optional(0), std::optional(5), std::optional(-1)}) {
    AttachHarness one({.stream_id = kStream});
    one.lead_to(State::kAttaching);
    one.hear_malformed(one.requests.back().correlation_id, code);
    EXPECT_EQ(one.happened(), Log{"protocol error"});
    EXPECT_EQ(one.sut.state(), State::kBackoff);
    EXPECT_EQ(one.sut.counters().attach_protocol_errors, 1U);
    EXPECT_EQ(one.sut.counters().driver_event_rejects, 0U);
  }
}

TEST_F(Attach, an_unknown_code_is_a_protocol_error) {
  TP_REQ("D108");
  for (const int code : {5, -1, std::numeric_limits<std::int32_t>::min()}) {
    AttachHarness one({.stream_id = kStream});
    one.lead_to(State::kAttaching);
    one.refuse(static_cast<ResponseCode>(code));
    EXPECT_EQ(one.happened(), Log{"protocol error"});
    EXPECT_EQ(one.sut.state(), State::kBackoff);
  }
}

TEST_F(Attach, a_refusal_is_believed_without_the_rest_of_the_message) {
  TP_REQ("D109");
  on.lead_to(State::kAttaching);
  on.hear_malformed(on.requests.back().correlation_id, 3);
  EXPECT_EQ(on.happened(), Log{"refused"});
  EXPECT_EQ(on.report.code, ResponseCode::kRejected);
  EXPECT_EQ(on.text, "");
  EXPECT_EQ(sut.counters().attach_protocol_errors, 0U);
}

TEST_F(Attach, a_malformed_message_of_somebody_else_is_dropped_and_counted) {
  TP_REQ("D4", "D16");
  on.lead_to(State::kAttaching);
  on.hear_malformed(4711, 3);
  sut.on_malformed_event();
  EXPECT_TRUE(on.happened().empty());
  EXPECT_EQ(sut.state(), State::kAttaching);
  EXPECT_EQ(sut.counters().driver_event_rejects, 2U);
}

TEST_F(Attach, refusals_that_may_pass_are_tried_again) {
  TP_REQ("D109", "D311");
  for (const ResponseCode code : {ResponseCode::kRejected, ResponseCode::kInternalError}) {
    AttachHarness one({.stream_id = kStream, .client_id = kClient});
    one.lead_to(State::kAttaching);
    one.refuse(code, "producer already attached");
    EXPECT_EQ(one.happened(), Log{"refused"});
    EXPECT_EQ(one.report.code, code);
    EXPECT_TRUE(one.report.tries_again);
    EXPECT_EQ(one.text, "producer already attached");
    EXPECT_EQ(one.sut.state(), State::kBackoff);
    one.sit_out_backoff();
    ASSERT_EQ(one.requests.size(), 2U);
    EXPECT_NE(one.requests[1].correlation_id, one.requests[0].correlation_id);
  }
}

TEST_F(Attach, the_delay_doubles_with_each_failure_until_it_is_attached) {
  TP_REQ("D308", "D309");
  on.lead_to(State::kAttaching);
  for (const int delay_ms : {100, 200, 400, 800, 1600, 3200, 3200}) {
    on.refuse(ResponseCode::kRejected);
    EXPECT_GE(sut.next_deadline() - on.now, milliseconds(delay_ms));
    EXPECT_LE(sut.next_deadline() - on.now, milliseconds(delay_ms) * 120 / 100);
    on.sit_out_backoff();
  }
  on.grant();
  on.hear(on.own_notice());
  EXPECT_LE(sut.next_deadline() - on.now, milliseconds(120));
}

TEST_F(Attach, refusals_that_cannot_pass_end_it) {
  TP_REQ("D109", "D311");
  for (const ResponseCode code : {ResponseCode::kUnsupported, ResponseCode::kInvalidParams}) {
    AttachHarness one({.stream_id = kStream, .client_id = kClient});
    one.lead_to(State::kAttaching);
    one.refuse(code, "profile not found");
    EXPECT_EQ(one.happened(), Log{"refused"});
    EXPECT_FALSE(one.report.tries_again);
    EXPECT_EQ(one.sut.state(), State::kUnattached);
    one.wait(seconds(100));
    EXPECT_TRUE(one.happened().empty());
    one.want();
    EXPECT_EQ(one.happened(), Log{"request"}) << "the application may try";
  }
}

TEST_F(Attach, no_answer_is_a_timeout) {
  TP_REQ("D307");
  on.lead_to(State::kAttaching);
  on.wait(seconds(5) - Nanos{1});
  EXPECT_EQ(on.happened(), Log{"request"});
  on.wait(Nanos{1});
  EXPECT_EQ(on.happened(), Log{"timed out"});
  EXPECT_EQ(sut.state(), State::kBackoff);
  EXPECT_EQ(sut.counters().attach_timeouts, 1U);
}

TEST_F(Attach, a_shutdown_interrupts_the_attempt) {
  TP_REQ("D270");
  on.lead_to(State::kAttaching);
  on.shut_down();
  EXPECT_EQ(on.happened(), Log{"interrupted"});
  EXPECT_EQ(sut.state(), State::kBackoff);
  EXPECT_EQ(sut.counters().lease_lost, 0U);
}

TEST_F(Attach, closing_abandons_the_attempt) {
  on.lead_to(State::kAttaching);
  on.close();
  EXPECT_TRUE(on.happened().empty());
  EXPECT_EQ(sut.state(), State::kUnattached);
  on.wait(seconds(100));
  EXPECT_TRUE(on.happened().empty());
}

TEST_F(Attach, keepalives_go_out_at_their_interval) {
  TP_REQ("D140", "D141");
  on.lead_to(State::kAttached);
  on.wait(seconds(1) - Nanos{1});
  EXPECT_TRUE(on.happened().empty());
  on.wait(Nanos{1});
  EXPECT_EQ(on.happened(), Log{"keepalive"});
  EXPECT_EQ(on.keepalives.back(),
            (layout::ShmLeaseKeepalive{
                .lease_id = kLease,
                .stream_id = kStream,
                .client_id = kClient,
                .role = layout::Role::kConsumer,
                .client_timestamp_ns = static_cast<std::uint64_t>(on.now.count())}));
  EXPECT_EQ(sut.lease_deadline(), on.now + seconds(3));
  EXPECT_EQ(sut.counters().keepalives_sent, 1U);
}

TEST_F(Attach, every_route_of_loss_unmaps_first_and_leads_to_another_attempt) {
  TP_REQ("D142", "D143", "D145", "D168", "D270", "D275", "D277", "D311");
  const struct {
    const char* word;
    void (*lose)(AttachHarness&);
  } routes[] = {
      {"lost revoked", [](AttachHarness& one) { one.hear(one.own_notice()); }},
      {"lost expired", [](AttachHarness& one) { one.wait(seconds(3)); }},
      {"lost keepalive_failed",
       [](AttachHarness& one) {
         one.sending = SendResult::kNotConnected;
         one.wait(seconds(1));
       }},
      {"lost keepalive_failed",
       [](AttachHarness& one) {
         one.sending = SendResult::kClosed;
         one.wait(seconds(1));
       }},
      {"lost keepalive_failed",
       [](AttachHarness& one) {
         one.sending = SendResult::kMaxPosition;
         one.wait(seconds(1));
       }},
      {"lost keepalive_failed", [](AttachHarness& one) { one.replace_connection(); }},
      {"lost driver_shutdown", [](AttachHarness& one) { one.shut_down(); }},
      {"lost driver_silent",
       [](AttachHarness& one) {
         for (int k = 0; k < 5; ++k) {
           one.wait(seconds(1));
         }
       }},
  };
  for (const auto& route : routes) {
    AttachHarness one({.stream_id = kStream, .client_id = kClient});
    one.lead_to(State::kAttached);
    route.lose(one);
    Log log = one.happened();
    std::erase(log, "keepalive");
    EXPECT_EQ(log, (Log{"unmap lease_lost", route.word}));
    EXPECT_EQ(one.sut.state(), State::kBackoff);
    EXPECT_TRUE(one.report.tries_again);
    EXPECT_EQ(one.sut.counters().lease_lost, 1U);
    EXPECT_EQ(one.sut.grant().lease_id, 0U);
    one.sending = SendResult::kOk;
    one.sit_out_backoff();
    one.grant();
    EXPECT_EQ(one.happened(), (Log{"request", "map", "attached"}));
  }
}

TEST_F(Attach, a_lost_lease_is_not_sought_again_when_that_is_not_wished) {
  AttachHarness one({.stream_id = kStream, .reattach = false});
  one.lead_to(State::kAttached);
  one.hear(one.own_notice());
  EXPECT_FALSE(one.report.tries_again);
  EXPECT_EQ(one.sut.state(), State::kUnattached);
  one.wait(seconds(100));
  one.want();
  EXPECT_EQ(one.sut.state(), State::kAttaching);
}

TEST_F(Attach, a_lease_that_cannot_be_used_is_given_back_for_another) {
  TP_REQ("D316");
  on.lead_to(State::kAttached);
  on.give_up();
  EXPECT_EQ(on.happened(), (Log{"unmap lease_lost", "detach", "detached"}));
  EXPECT_EQ(sut.state(), State::kBackoff);
  EXPECT_EQ(sut.counters().lease_lost, 0U);
  on.hear(layout::ShmDetachResponse{.correlation_id = on.detaches.back().correlation_id});
  EXPECT_EQ(sut.counters().stale_responses, 0U);
  on.sit_out_backoff();
  EXPECT_EQ(sut.state(), State::kAttaching);
}

TEST_F(Attach, giving_up_without_a_lease_does_nothing) {
  for (const State state :
       {State::kUnattached, State::kAttaching, State::kDetaching, State::kBackoff}) {
    AttachHarness one({.stream_id = kStream});
    one.lead_to(state);
    one.give_up();
    EXPECT_TRUE(one.happened().empty());
    EXPECT_EQ(one.sut.state(), state);
  }
}

TEST_F(Attach, closing_unmaps_before_it_detaches) {
  TP_REQ("D165", "D166", "D247");
  on.lead_to(State::kAttached);
  on.close();
  EXPECT_EQ(on.happened(), (Log{"unmap closed", "detach"}));
  EXPECT_EQ(sut.state(), State::kDetaching);
  EXPECT_EQ(on.detaches.back(), (layout::ShmDetachRequest{.correlation_id = 43,
                                                          .lease_id = kLease,
                                                          .stream_id = kStream,
                                                          .client_id = kClient,
                                                          .role = layout::Role::kConsumer}));
}

TEST_F(Attach, every_end_of_detaching_leads_to_unattached) {
  TP_REQ("D164", "D166", "D169", "D270");
  using End = void (*)(AttachHarness&);
  const End ends[] = {
      [](AttachHarness& one) {
        one.hear(layout::ShmDetachResponse{.correlation_id = one.detaches.back().correlation_id});
      },
      [](AttachHarness& one) {
        one.hear(layout::ShmDetachResponse{.correlation_id = one.detaches.back().correlation_id,
                                           .code = ResponseCode::kRejected,
                                           .error_message = "unknown lease"});
      },
      [](AttachHarness& one) { one.hear(one.own_notice()); },
      [](AttachHarness& one) { one.shut_down(); },
      [](AttachHarness& one) {
        for (int k = 0; k < 10; ++k) {
          one.wait(milliseconds(500));  // the detach timeout
        }
      },
      [](AttachHarness& one) { one.wait(seconds(3)); },  // the lease's deadline
      [](AttachHarness& one) {
        one.sending = SendResult::kClosed;
        one.wait(seconds(1));
      },
      [](AttachHarness& one) { one.replace_connection(); },
  };
  for (const End end : ends) {
    AttachHarness one({.stream_id = kStream});
    one.lead_to(State::kDetaching);
    end(one);
    Log log = one.happened();
    std::erase(log, "keepalive");
    EXPECT_EQ(log, Log{"detached"});
    EXPECT_FALSE(one.report.tries_again);
    EXPECT_EQ(one.sut.state(), State::kUnattached);
    EXPECT_EQ(one.sut.counters().lease_lost, 0U);
    one.sending = SendResult::kOk;
    one.wait(seconds(100));
    EXPECT_TRUE(one.happened().empty()) << "keepalives have stopped, nothing is wanted";
  }
}

TEST_F(Attach, the_lease_is_kept_alive_until_it_is_given_back) {
  TP_REQ("D140");
  on.lead_to(State::kDetaching);
  on.wait(seconds(1));
  EXPECT_EQ(on.happened(), Log{"keepalive"});
  EXPECT_EQ(sut.state(), State::kDetaching);
}

TEST_F(Attach, a_detach_that_nobody_can_hear_ends_at_once) {
  TP_REQ("D166");
  on.lead_to(State::kAttached);
  on.sending = SendResult::kNotConnected;
  on.close();
  EXPECT_EQ(on.happened(), (Log{"unmap closed", "detach", "detached"}));
  EXPECT_EQ(sut.state(), State::kUnattached);
}

TEST_F(Attach, a_detach_under_back_pressure_is_tried_again) {
  TP_REQ("D166");
  on.lead_to(State::kAttached);
  on.sending = SendResult::kBackPressured;
  on.close();
  on.poll();
  on.sending = SendResult::kOk;
  on.poll();
  on.poll();
  EXPECT_EQ(on.happened(), (Log{"unmap closed", "detach", "detach", "detach"}));
  EXPECT_EQ(on.detaches.size(), 1U);
}

TEST_F(Attach, wanting_it_while_detaching_attaches_afterwards) {
  on.lead_to(State::kDetaching);
  on.want();
  on.hear(layout::ShmDetachResponse{.correlation_id = on.detaches.back().correlation_id});
  EXPECT_EQ(on.happened(), Log{"detached"});
  EXPECT_TRUE(on.report.tries_again);
  on.wait(seconds(1));
  EXPECT_EQ(on.happened(), Log{"request"});
}

TEST_F(Attach, closing_in_backoff_ends_it) {
  on.lead_to(State::kBackoff);
  on.close();
  EXPECT_EQ(sut.state(), State::kUnattached);
  on.wait(seconds(100));
  EXPECT_TRUE(on.happened().empty());
}

TEST_F(Attach, shutdowns_and_revocations_mean_nothing_without_a_lease) {
  TP_REQ("D172", "D271");
  for (const State state : {State::kUnattached, State::kBackoff}) {
    AttachHarness one({.stream_id = kStream, .client_id = kClient});
    one.lead_to(state);
    one.shut_down();
    one.hear(layout::ShmLeaseRevoked{.lease_id = kLease, .client_id = kClient});
    EXPECT_TRUE(one.happened().empty());
    EXPECT_EQ(one.sut.state(), state);
  }
}

// -- Sending -------------------------------------------------------------------------------------

TEST_F(Attach, the_first_request_waits_for_the_connection_at_most_until_the_timeout) {
  TP_REQ("D305");
  sut.on_connection(false);
  on.want();
  on.wait(seconds(4));
  EXPECT_TRUE(on.happened().empty());
  sut.on_connection(true);
  on.poll();
  EXPECT_EQ(on.happened(), Log{"request"});

  AttachHarness never({.stream_id = kStream});
  never.sut.on_connection(false);
  never.want();
  never.wait(seconds(5));
  EXPECT_EQ(never.happened(), Log{"timed out"});
}

TEST_F(Attach, a_request_that_was_not_sent_is_tried_in_the_next_duty_cycle) {
  TP_REQ("D310");
  on.sending = SendResult::kBackPressured;
  on.want();
  on.poll();
  on.sending = SendResult::kOk;
  on.poll();
  EXPECT_EQ(on.happened(), (Log{"request", "request", "request"}));
  EXPECT_EQ(on.requests.size(), 1U);
  on.poll();
  EXPECT_TRUE(on.happened().empty());
}

TEST_F(Attach, a_new_attempt_asks_no_sooner_than_the_retry_interval_after_the_last_request) {
  TP_REQ("D310");
  on.lead_to(State::kAttaching);
  const Nanos asked_at = on.now;
  on.refuse(ResponseCode::kRejected);
  on.wait(milliseconds(200));
  EXPECT_EQ(sut.state(), State::kAttaching) << "the backoff is over";
  EXPECT_EQ(on.happened(), Log{"refused"});
  EXPECT_EQ(sut.next_deadline(), asked_at + seconds(1));
  on.wait(milliseconds(800));
  EXPECT_EQ(on.happened(), Log{"request"});
}

TEST_F(Attach, a_keepalive_under_back_pressure_is_tried_again_for_one_interval) {
  TP_REQ("D144");
  on.lead_to(State::kAttached);
  on.sending = SendResult::kBackPressured;
  on.wait(seconds(1));
  on.wait(seconds(1) - Nanos{1});
  EXPECT_EQ(on.happened(), (Log{"keepalive", "keepalive"}));
  EXPECT_EQ(sut.state(), State::kAttached);
  on.wait(Nanos{1});
  EXPECT_EQ(on.happened(), (Log{"keepalive", "unmap lease_lost", "lost keepalive_failed"}));
}

TEST_F(Attach, a_keepalive_that_gets_out_late_saves_the_lease) {
  TP_REQ("D141", "D144");
  on.lead_to(State::kAttached);
  on.sending = SendResult::kBackPressured;
  on.wait(milliseconds(1000));
  on.sending = SendResult::kOk;
  on.wait(milliseconds(900));
  EXPECT_EQ(sut.lease_deadline(), on.now + seconds(3));
  EXPECT_EQ(sut.next_deadline(), on.now + seconds(1));
}

TEST_F(Attach, a_process_that_was_stopped_for_less_than_its_lease_keeps_it) {
  TP_REQ("D142", "D144");
  on.lead_to(State::kAttached);
  on.wait(milliseconds(2999));
  EXPECT_EQ(on.happened(), Log{"keepalive"});
  EXPECT_EQ(sut.state(), State::kAttached);
}

// -- Leases --------------------------------------------------------------------------------------

TEST_F(Attach, a_lease_that_has_expired_on_arrival_is_lost_without_mapping) {
  TP_REQ("D120");
  for (const Nanos left : {Nanos{0}, -Nanos(seconds(1))}) {
    AttachHarness one({.stream_id = kStream});
    one.lead_to(State::kAttaching);
    one.grant(left);
    EXPECT_EQ(one.happened(), Log{"lost expired"});
    EXPECT_EQ(one.sut.state(), State::kBackoff);
    EXPECT_EQ(one.sut.counters().lease_lost, 1U);
    EXPECT_EQ(one.sut.counters().attach_protocol_errors, 0U);
  }
}

TEST_F(Attach, a_lease_that_expires_while_its_regions_are_mapped_is_lost_at_once) {
  TP_REQ("D142", "D145");
  on.mapping_takes = seconds(3);
  on.lead_to(State::kAttaching);
  on.grant();
  EXPECT_EQ(on.happened(), (Log{"map", "attached", "unmap lease_lost", "lost expired"}));
  EXPECT_EQ(sut.state(), State::kBackoff);
}

TEST_F(Attach, a_keepalive_that_became_due_during_mapping_is_sent_at_once) {
  TP_REQ("D140");
  on.mapping_takes = seconds(2);
  on.lead_to(State::kAttached);
  on.poll();
  EXPECT_EQ(on.happened(), Log{"keepalive"});
}

TEST_F(Attach, a_lease_without_expiry_is_held_and_kept_alive) {
  TP_REQ("D121");
  AttachHarness one({.stream_id = kStream, .silence_timeout = Nanos{0}});
  one.lead_to(State::kAttaching);
  GoodResponse response(one.requests.back(), one.now, seconds(3));
  response.message.lease_expiry_timestamp_ns.reset();
  one.hear(response.message);
  EXPECT_EQ(one.happened(), (Log{"map", "attached"}));
  one.wait(std::chrono::hours(1));
  EXPECT_EQ(one.happened(), Log{"keepalive"});
  EXPECT_EQ(one.sut.state(), State::kAttached);
}

TEST_F(Attach, an_announce_of_the_stream_ends_the_silence) {
  TP_REQ("D275");
  on.lead_to(State::kAttached);
  const auto keep_on = [&](Nanos span) {
    for (Nanos waited{}; waited < span; waited += milliseconds(500)) {
      on.wait(milliseconds(500));
    }
  };
  keep_on(seconds(4));
  on.announce(kEpoch, 0);
  keep_on(milliseconds(4500));
  EXPECT_EQ(sut.state(), State::kAttached);
  on.announce(kEpoch, 0, kStream + 1);
  keep_on(milliseconds(500));
  EXPECT_EQ(sut.state(), State::kBackoff) << "another stream's announce does not count";
  EXPECT_EQ(on.report.loss, LeaseLoss::kDriverSilent);
}

TEST_F(Attach, silence_may_be_allowed) {
  TP_REQ("D275");
  AttachHarness one({.stream_id = kStream, .silence_timeout = Nanos{0}});
  one.lead_to(State::kAttached);
  for (int k = 0; k < 100; ++k) {
    one.wait(seconds(1));
  }
  EXPECT_EQ(one.sut.state(), State::kAttached);
}

TEST_F(Attach, only_lease_and_client_together_make_a_notice_ones_own) {
  TP_REQ("D168", "D172", "D173");
  on.lead_to(State::kAttached);
  layout::ShmLeaseRevoked other_client = on.own_notice();
  ++other_client.client_id;
  layout::ShmLeaseRevoked other_lease = on.own_notice();
  ++other_lease.lease_id;
  const layout::ShmLeaseRevoked own = on.own_notice();
  on.hear(other_client);
  on.hear(other_lease);
  EXPECT_TRUE(on.happened().empty());
  on.hear(own);
  EXPECT_EQ(on.happened(), (Log{"unmap lease_lost", "lost revoked"}));
  EXPECT_EQ(on.text, "lease expired");
  on.hear(own);
  EXPECT_TRUE(on.happened().empty()) << "repeated";
}

TEST_F(Attach, a_notice_with_an_unknown_role_or_reason_is_dropped_and_counted) {
  TP_REQ("D167");
  on.lead_to(State::kAttached);
  for (const int unknown : {0, 4, 255}) {
    layout::ShmLeaseRevoked notice = on.own_notice();
    notice.reason = static_cast<layout::LeaseRevokeReason>(unknown);
    on.hear(notice);
    notice = on.own_notice();
    notice.role = static_cast<layout::Role>(unknown);
    on.hear(notice);
  }
  EXPECT_TRUE(on.happened().empty());
  EXPECT_EQ(sut.state(), State::kAttached);
  EXPECT_EQ(sut.counters().driver_event_rejects, 6U);
}

TEST_F(Attach, a_shutdown_for_an_unknown_reason_is_one) {
  TP_REQ("D270");
  on.lead_to(State::kAttached);
  sut.on_shutdown({.reason = static_cast<layout::ShutdownReason>(200)}, on.now);
  on.carry_out();
  EXPECT_EQ(on.happened(), (Log{"unmap lease_lost", "lost driver_shutdown"}));
}

TEST_F(Attach, the_loss_of_one_lease_leaves_others_alone) {
  TP_REQ("D146");
  AttachHarness other({.stream_id = kStream, .client_id = kClient + 1});
  on.lead_to(State::kAttached);
  other.lead_to(State::kAttached);
  const layout::ShmLeaseRevoked notice = on.own_notice();
  on.hear(notice);
  other.hear(notice);
  EXPECT_EQ(sut.state(), State::kBackoff);
  EXPECT_EQ(other.sut.state(), State::kAttached);
}

class Producer : public Attach {
 protected:
  Producer()
      : Attach({.role = layout::Role::kProducer, .stream_id = kStream, .client_id = kClient}) {}
};

TEST_F(Producer, announces_of_itself_or_of_the_past_change_nothing) {
  TP_REQ("D192");
  on.lead_to(State::kAttached);
  on.announce(kEpoch, kClient);
  on.announce(kEpoch - 1, kClient + 1);
  on.announce(kEpoch + 1, kClient + 1, kStream + 1);
  on.announce(~std::uint64_t{0}, kClient + 1);  // no epoch at all (W214)
  EXPECT_TRUE(on.happened().empty());
  EXPECT_EQ(sut.state(), State::kAttached);
}

TEST_F(Producer, a_later_epoch_or_another_producer_ends_its_lease) {
  TP_REQ("D192");
  const std::pair<std::uint64_t, std::uint32_t> announces[] = {
      {kEpoch + 1, kClient}, {kEpoch + 1, 0}, {kEpoch, kClient + 1}, {kEpoch, 0}};
  for (const auto& [epoch, producer_id] : announces) {
    AttachHarness one(
        {.role = layout::Role::kProducer, .stream_id = kStream, .client_id = kClient});
    one.lead_to(State::kAttached);
    one.announce(epoch, producer_id);
    EXPECT_EQ(one.happened(), (Log{"unmap lease_lost", "lost newer_epoch"}));
    EXPECT_EQ(one.sut.state(), State::kBackoff);
  }
}

TEST_F(Attach, a_consumer_outlives_epochs) {
  TP_REQ("D174");
  on.lead_to(State::kAttached);
  on.announce(kEpoch + 1, 0);
  EXPECT_TRUE(on.happened().empty());
  EXPECT_EQ(sut.state(), State::kAttached);
}

// -- Late, repeated and foreign answers ----------------------------------------------------------

TEST_F(Attach, a_late_grant_of_an_abandoned_attempt_is_given_back) {
  TP_REQ("D90", "D92");
  AttachHarness one({.stream_id = kStream});
  one.lead_to(State::kAttaching);
  const layout::ShmAttachRequest first = one.requests.back();
  one.refuse(ResponseCode::kRejected, kTaken);
  one.sit_out_backoff();
  static_cast<void>(one.happened());
  const std::size_t already = one.detaches.size();
  one.hear(GoodResponse(first, one.now, seconds(3)).message);
  EXPECT_EQ(one.happened(), Log{"detach"});
  ASSERT_EQ(one.detaches.size(), already + 1);
  EXPECT_EQ(one.detaches.back().lease_id, kLease);
  EXPECT_EQ(one.detaches.back().client_id, first.client_id) << "of that attempt, not of this";
  EXPECT_EQ(one.sut.state(), State::kAttaching);
  EXPECT_EQ(one.sut.counters().stale_responses, 0U);
  one.hear(layout::ShmDetachResponse{.correlation_id = one.detaches.back().correlation_id});
  EXPECT_EQ(one.sut.counters().stale_responses, 0U);
}

TEST_F(Attach, every_attempt_that_was_given_up_may_still_be_granted) {
  TP_REQ("D92", "D271");
  using End = void (*)(AttachHarness&);
  const End ends[] = {[](AttachHarness& one) { one.wait(seconds(5)); },
                      [](AttachHarness& one) { one.close(); },
                      [](AttachHarness& one) { one.shut_down(); }};
  for (const End end : ends) {
    AttachHarness one({.stream_id = kStream});
    one.lead_to(State::kAttaching);
    const layout::ShmAttachRequest request = one.requests.back();
    end(one);
    static_cast<void>(one.happened());
    EXPECT_TRUE(one.sut.expects(request.correlation_id));
    one.hear(GoodResponse(request, one.now, seconds(3)).message);
    EXPECT_EQ(one.happened(), Log{"detach"});
  }
}

TEST_F(Attach, answers_that_nobody_waits_for_are_counted_and_ignored) {
  TP_REQ("D90", "D107");
  on.lead_to(State::kAttaching);
  layout::ShmAttachRequest foreign = on.requests.back();
  foreign.correlation_id = 4711;
  on.hear(GoodResponse(foreign, on.now, seconds(3)).message);
  on.hear(layout::ShmDetachResponse{.correlation_id = 4712});
  EXPECT_TRUE(on.happened().empty());
  EXPECT_EQ(sut.state(), State::kAttaching);
  EXPECT_EQ(sut.counters().stale_responses, 2U);
  EXPECT_FALSE(sut.expects(4711));
}

TEST_F(Attach, an_answer_to_a_request_that_was_never_sent_is_none) {
  TP_REQ("D107");
  sut.on_connection(false);
  on.want();
  on.hear(GoodResponse({.correlation_id = 42}, on.now, seconds(3)).message);
  EXPECT_TRUE(on.happened().empty());
  EXPECT_EQ(sut.state(), State::kAttaching);
}

TEST_F(Attach, further_answers_to_an_accepted_request_change_nothing) {
  TP_REQ("D91");
  on.lead_to(State::kAttached);
  on.grant();
  on.refuse(ResponseCode::kRejected);
  on.hear_malformed(on.requests.back().correlation_id, 3);
  EXPECT_TRUE(on.happened().empty());
  EXPECT_EQ(sut.state(), State::kAttached);
  const layout::ShmAttachRequest accepted = on.requests.back();
  on.hear(on.own_notice());
  static_cast<void>(on.happened());
  on.hear(GoodResponse(accepted, on.now, seconds(3)).message);
  EXPECT_TRUE(on.happened().empty()) << "nor after the lease was lost";
}

// -- Who asks, for what --------------------------------------------------------------------------

class Anonymous : public Attach {
 protected:
  Anonymous() : Attach({.stream_id = kStream}) {}
};

TEST_F(Anonymous, draws_a_client_id_and_keeps_it) {
  TP_REQ("D81");
  on.lead_to(State::kAttached);
  const std::uint32_t drawn = sut.client_id();
  EXPECT_GE(drawn, 1U);
  EXPECT_LE(drawn, 2147483647U);
  on.hear(on.own_notice());
  on.sit_out_backoff();
  EXPECT_EQ(on.requests.back().client_id, drawn);
  on.refuse(ResponseCode::kRejected, "producer already attached");
  on.sit_out_backoff();
  EXPECT_EQ(on.requests.back().client_id, drawn);
}

TEST_F(Anonymous, draws_another_client_id_when_its_own_is_taken) {
  TP_REQ("D82", "D344");
  on.lead_to(State::kAttaching);
  const layout::ShmAttachRequest first = on.requests.back();
  on.refuse(ResponseCode::kRejected, kTaken);
  on.sit_out_backoff();
  EXPECT_NE(on.requests.back().client_id, first.client_id);
  EXPECT_NE(on.requests.back().correlation_id, first.correlation_id);
}

TEST_F(Anonymous, only_the_exact_text_under_rejected_changes_its_client_id) {
  TP_REQ("D82", "D344");
  on.lead_to(State::kAttaching);
  const std::uint32_t drawn = sut.client_id();
  const std::pair<ResponseCode, const char*> refusals[] = {
      {ResponseCode::kInternalError, kTaken},
      {ResponseCode::kRejected, "client_id already attached."},
      {ResponseCode::kRejected, "Client_id already attached"}};
  for (const auto& [code, text] : refusals) {
    on.refuse(code, text);
    on.sit_out_backoff();
    EXPECT_EQ(on.requests.back().client_id, drawn) << text;
  }
}

TEST_F(Attach, a_configured_client_id_is_never_changed) {
  TP_REQ("D83");
  on.lead_to(State::kAttaching);
  on.refuse(ResponseCode::kRejected, kTaken);
  on.sit_out_backoff();
  EXPECT_EQ(on.requests.back().client_id, kClient);
}

TEST_F(Attach, two_clients_draw_different_ids) {
  TP_REQ("D79", "D81");
  CorrelationIds ids(1);
  AttachMachine one({.stream_id = kStream}, ids, base::Random(1));
  AttachMachine other({.stream_id = kStream}, ids, base::Random(2));
  one.want_attach(seconds(1));
  other.want_attach(seconds(1));
  EXPECT_NE(one.client_id(), other.client_id());
}

TEST_F(Attach, two_clients_of_a_process_share_no_correlation_id) {
  TP_REQ("D86", "D87");
  CorrelationIds ids(1);
  AttachMachine one({.stream_id = kStream}, ids, base::Random(1));
  AttachMachine other({.stream_id = kStream}, ids, base::Random(2));
  for (AttachMachine* machine : {&one, &other}) {
    machine->on_connection(true);
    machine->want_attach(seconds(1));
  }
  const auto first = std::get<layout::ShmAttachRequest>(*one.next_action());
  const auto second = std::get<layout::ShmAttachRequest>(*other.next_action());
  EXPECT_NE(first.correlation_id, second.correlation_id);
}

TEST_F(Attach, the_node_id_of_the_last_lease_is_asked_for_once) {
  TP_REQ("D104", "D105");
  EXPECT_EQ(sut.node_id(), 0U);
  on.lead_to(State::kAttached);
  EXPECT_FALSE(on.requests.back().desired_node_id);
  EXPECT_EQ(sut.node_id(), kNode);
  on.hear(on.own_notice());
  EXPECT_EQ(sut.node_id(), 0U) << "no trace ids without a lease";
  on.sit_out_backoff();
  EXPECT_EQ(on.requests.back().desired_node_id, kNode);
  on.refuse(ResponseCode::kRejected, "node_id unavailable");
  on.sit_out_backoff();
  EXPECT_FALSE(on.requests.back().desired_node_id);
}

TEST_F(Attach, the_node_id_of_the_last_lease_survives_an_attempt_without_answer) {
  TP_REQ("D105");
  on.lead_to(State::kAttached);
  on.hear(on.own_notice());
  on.sit_out_backoff();
  on.wait(seconds(5));
  on.sit_out_backoff();
  EXPECT_EQ(on.requests.back().desired_node_id, kNode);
}

TEST_F(Attach, a_node_id_that_the_application_set_is_always_asked_for) {
  TP_REQ("D105");
  AttachHarness one({.stream_id = kStream, .node_id = 9});
  one.lead_to(State::kAttaching);
  EXPECT_EQ(one.requests.back().desired_node_id, 9U);
  one.refuse(ResponseCode::kRejected);
  one.sit_out_backoff();
  EXPECT_EQ(one.requests.back().desired_node_id, 9U);
}

TEST_F(Attach, reattaches_with_what_it_asked_for_first) {
  TP_REQ("D312");
  const AttachMachine::Options options{.role = layout::Role::kProducer,
                                       .stream_id = kStream,
                                       .client_id = kClient,
                                       .expected_layout_version = 0,
                                       .publish_mode = layout::PublishMode::kExistingOrCreate,
                                       .hugepages = layout::HugepagesPolicy::kHugepages,
                                       .node_id = 9};
  AttachHarness one(options);
  one.lead_to(State::kAttached);
  one.hear(one.own_notice());
  one.sit_out_backoff();
  layout::ShmAttachRequest again = one.requests[1];
  again.correlation_id = one.requests[0].correlation_id;
  EXPECT_EQ(again, one.requests[0]);
}

class WithoutStream : public Attach {
 protected:
  WithoutStream() : Attach({.client_id = kClient}) {}
};

TEST_F(WithoutStream, uses_the_stream_that_it_was_given) {
  TP_REQ("D247", "D312");
  on.want();
  EXPECT_EQ(on.requests.back().stream_id, 0U);
  on.grant();
  EXPECT_EQ(sut.stream_id(), kStream);
  on.wait(seconds(1));
  EXPECT_EQ(on.keepalives.back().stream_id, kStream);
  on.hear(on.own_notice());
  on.sit_out_backoff();
  EXPECT_EQ(on.requests.back().stream_id, kStream);
  on.grant();
  on.close();
  EXPECT_EQ(on.detaches.back().stream_id, kStream);
}

TEST_F(WithoutStream, keeps_nothing_of_a_response_that_was_refused) {
  TP_REQ("D125");
  on.mapping = fail(Errc::kPathRejected);
  on.want();
  on.grant();
  EXPECT_EQ(sut.stream_id(), 0U);
  on.sit_out_backoff();
  EXPECT_EQ(on.requests.back().stream_id, 0U);
}

TEST_F(Attach, a_text_is_cut_to_1024_bytes) {
  TP_REQ("D18");
  on.lead_to(State::kAttaching);
  on.refuse(ResponseCode::kRejected, std::string(5000, 'x'));
  EXPECT_EQ(on.text, std::string(1024, 'x'));
}

TEST_F(Attach, options_that_make_no_sense_are_refused) {
  EXPECT_TRUE(AttachMachine::check({}));
  EXPECT_TRUE(AttachMachine::check({.silence_timeout = Nanos{0}}));
  for (const AttachMachine::Options& options :
       {Options{.stream_id = 0xFFFF'FFFF}, Options{.attach_timeout = Nanos{0}},
        Options{.retry_interval = Nanos{0}}, Options{.keepalive_interval = -seconds(1)},
        Options{.detach_timeout = Nanos{0}}, Options{.silence_timeout = -seconds(1)}}) {
    const Status status = AttachMachine::check(options);
    ASSERT_FALSE(status);
    EXPECT_EQ(status.error().code, Errc::kInvalidArgument);
  }
}

}  // namespace
}  // namespace tensorpool::core::attach
