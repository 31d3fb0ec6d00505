// An attach machine among random events: what must hold in every run. Replay with
// TENSORPOOL_TEST_SEED.
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "core/attach/attach_machine.hpp"
#include "good_response.hpp"
#include "support/requirement.hpp"
#include "support/seed.hpp"

namespace tensorpool::core::attach {
namespace {

using layout::ResponseCode;
using std::chrono::milliseconds;
using std::chrono::seconds;
using State = AttachState;

/// One run: the machine, the world around it, and what the rules say about both.
class RandomRun {
 public:
  explicit RandomRun(std::uint64_t seed)
      : random_(seed),
        ids_(random_.next()),
        options_(draw_options()),
        sut_(options_, ids_, random_) {
    sut_.on_connection(true);
  }

  void play(int steps) {
    for (int k = 0; k < steps && !::testing::Test::HasFailure(); ++k) {
      step();
    }
  }
  /// No more faults, and a driver that answers: an application that wants a lease gets one.
  void heal() {
    faults_ = false;
    sut_.on_connection(true);
    sut_.want_attach(now_);
    settle();
    for (int k = 0; k < 1000 && sut_.state() != State::kAttached; ++k) {
      advance();
      if (outstanding_) {
        answer(*outstanding_, ResponseCode::kOk);
      }
      for (const layout::ShmDetachRequest& request : detaches_) {
        sut_.on_detach_response({.correlation_id = request.correlation_id});
        settle();
      }
      detaches_.clear();
    }
    EXPECT_EQ(sut_.state(), State::kAttached);
  }

 private:
  [[nodiscard]] AttachMachine::Options draw_options() {
    return {.role = random_.chance(1, 2) ? layout::Role::kProducer : layout::Role::kConsumer,
            .stream_id = random_.chance(1, 4) ? 0 : kStream,
            .client_id = random_.chance(1, 2) ? 0U : 77U,
            .attach_timeout = draw(milliseconds(200), seconds(6)),
            .retry_interval = draw(milliseconds(50), seconds(2)),
            .keepalive_interval = draw(milliseconds(50), seconds(2)),
            .detach_timeout = draw(milliseconds(200), seconds(6)),
            .silence_timeout = random_.chance(1, 4) ? Nanos{0} : draw(seconds(1), seconds(6))};
  }
  [[nodiscard]] Nanos draw(Nanos low, Nanos high) {
    return Nanos{static_cast<Nanos::rep>(random_.between(
        static_cast<std::uint64_t>(low.count()), static_cast<std::uint64_t>(high.count())))};
  }

  void step() {
    switch (random_.below(14)) {
      case 0:
        sut_.want_attach(now_);
        break;
      case 1:
        if (random_.chance(1, 4)) {
          sut_.close(now_);
        }
        break;
      case 2:
        if (random_.chance(1, 4)) {
          sut_.give_up(now_);
        }
        break;
      case 3:
        sut_.on_connection(random_.chance(3, 4));
        break;
      case 4:
      case 5:
      case 6:
        if (!requests_.empty()) {  // the last one three times out of four
          const std::size_t back = random_.chance(3, 4) ? 0 : random_.below(requests_.size());
          answer(requests_[requests_.size() - 1 - back],
                 random_.chance(2, 3) ? ResponseCode::kOk
                                      : static_cast<ResponseCode>(random_.between(1, 4)));
        }
        return;
      case 7:
        if (!requests_.empty()) {
          sut_.on_malformed_response(requests_.back().correlation_id, std::nullopt,
                                     make_error(Errc::kMalformedMessage), now_);
        }
        break;
      case 8:
        sut_.on_revoked({.lease_id = random_.chance(1, 2) ? sut_.grant().lease_id : 1,
                         .client_id = sut_.client_id()},
                        now_);
        break;
      case 9:
        if (random_.chance(1, 8)) {
          sut_.on_shutdown({}, now_);
        }
        break;
      case 10: {
        layout::ShmPoolAnnounce announce;
        announce.stream_id = kStream;
        announce.epoch = random_.chance(7, 8) ? kEpoch : kEpoch + 1;
        announce.producer_id = sut_.client_id();
        sut_.on_announce(announce, now_);
        break;
      }
      case 11:
        if (!detaches_.empty()) {
          sut_.on_detach_response(
              {.correlation_id = detaches_[random_.below(detaches_.size())].correlation_id});
        }
        break;
      default:
        advance();
        return;
    }
    settle();
  }

  /// To the next deadline, or not so far; sometimes the process was stopped meanwhile.
  void advance() {
    const Nanos next = sut_.next_deadline();
    if (faults_ && random_.chance(1, 50)) {
      now_ += draw(seconds(1), seconds(15));
      keepalive_may_be_late_ = true;
    } else if (next <= now_) {
      now_ += milliseconds(1);  // a send is tried again in the next duty cycle
    } else {
      const Nanos span = std::min(next - now_, Nanos(seconds(10)));
      now_ += faults_ && random_.chance(1, 4) ? draw(Nanos{1}, span) : span;
    }
    sut_.poll(now_);
    settle();
    EXPECT_FALSE(mapped_ && now_ >= sut_.lease_deadline()) << "D142";
  }

  void answer(const layout::ShmAttachRequest& request, ResponseCode code) {
    const Nanos duration = faults_ ? draw(Nanos{0}, seconds(4)) : Nanos(seconds(3));
    GoodResponse response(request, now_, duration);
    response.message.lease_id = ++leases_;
    if (code != ResponseCode::kOk) {
      response.message.code = code;
      response.message.error_message = random_.chance(1, 2) ? "client_id already attached" : "no";
    } else if (faults_ && random_.chance(1, 8)) {
      response.message.epoch.reset();
    } else if (faults_ && random_.chance(1, 16)) {
      response.message.lease_expiry_timestamp_ns.reset();
    }
    sut_.on_response(response.message, now_);
    settle();
  }

  /// Carries out what is asked for, and checks it.
  void settle() {
    watch_backoff();
    while (const auto action = sut_.next_action()) {
      std::visit([this](const auto& one) { carry_out(one); }, *action);
      ASSERT_TRUE(sut_.check_invariants());
      watch_backoff();
    }
    ASSERT_TRUE(sut_.check_invariants());
    EXPECT_EQ(mapped_, sut_.state() == State::kAttached) << "D124, D145";
    if (sut_.state() != State::kAttaching) {
      outstanding_.reset();
    }
  }

  [[nodiscard]] SendResult draw_result() {
    if (!faults_ || random_.chance(15, 16)) {
      return SendResult::kOk;
    }
    return static_cast<SendResult>(random_.between(1, 4));
  }

  void carry_out(const layout::ShmAttachRequest& request) {
    EXPECT_EQ(sut_.state(), State::kAttaching);
    EXPECT_FALSE(mapped_);
    if (outstanding_) {
      EXPECT_EQ(*outstanding_, request) << "D88, D89";
    }
    const SendResult result = draw_result();
    if (result == SendResult::kOk) {
      if (requested_at_) {
        EXPECT_GE(now_ - *requested_at_, options_.retry_interval) << "D310";
      }
      requested_at_ = now_;
      outstanding_ = request;
      requests_.push_back(request);
    }
    sut_.on_sent(result, now_);
  }
  void carry_out(const layout::ShmLeaseKeepalive& keepalive) {
    EXPECT_EQ(keepalive.lease_id, held_lease_);
    const SendResult result = draw_result();
    if (result != SendResult::kOk) {
      keepalive_may_be_late_ = true;
    } else {
      if (!keepalive_may_be_late_) {
        EXPECT_LE(now_ - kept_alive_at_, keepalive_gap_max_) << "D140";
      }
      kept_alive_at_ = now_;
      keepalive_may_be_late_ = false;
    }
    sut_.on_sent(result, now_);
  }
  void carry_out(const layout::ShmDetachRequest& request) {
    EXPECT_FALSE(mapped_ && request.lease_id == held_lease_) << "D165";
    const SendResult result = draw_result();
    if (result == SendResult::kOk) {
      detaches_.push_back(request);
    } else {
      keepalive_may_be_late_ = true;  // the publication takes nothing now
    }
    sut_.on_sent(result, now_);
  }
  void carry_out(const MapRegions&) {
    EXPECT_FALSE(mapped_);
    const bool fails = faults_ && random_.chance(1, 8);
    if (!fails) {
      mapped_ = true;
      held_lease_ = sut_.grant().lease_id;
      keepalive_gap_max_ = options_.keepalive_interval;
      if (sut_.grant().expiry_timestamp_ns) {
        const Nanos expiry{static_cast<Nanos::rep>(*sut_.grant().expiry_timestamp_ns)};
        keepalive_gap_max_ = std::min(keepalive_gap_max_, (expiry - now_) / 3 + Nanos{1});
      }
      kept_alive_at_ = now_;
      keepalive_may_be_late_ = false;
    }
    sut_.on_mapped(fails ? Status(fail(Errc::kPathRejected)) : Status(), now_);
  }
  void carry_out(const UnmapRegions&) {
    EXPECT_TRUE(mapped_);
    mapped_ = false;
  }
  void carry_out(const AttachReport& report) {
    if (report.kind != AttachReport::Kind::kAttached) {
      EXPECT_FALSE(mapped_) << "D145: unmapped before anybody is told";
    }
  }

  void watch_backoff() {
    const State state = sut_.state();
    if (state == State::kBackoff) {
      if (last_state_ != State::kBackoff) {
        backed_off_at_ = now_;
      }
      const Nanos delay = sut_.next_deadline() - backed_off_at_;
      EXPECT_GE(delay, Backoff::kFirst) << "D308";
      EXPECT_LE(delay, Backoff::kLongest * 120 / 100) << "D309";
    }
    last_state_ = state;
  }

  base::Random random_;
  CorrelationIds ids_;
  AttachMachine::Options options_;
  AttachMachine sut_;
  Nanos now_ = seconds(1000);
  bool faults_ = true;

  std::vector<layout::ShmAttachRequest> requests_;
  std::vector<layout::ShmDetachRequest> detaches_;
  std::optional<layout::ShmAttachRequest> outstanding_;
  std::optional<Nanos> requested_at_;
  std::uint64_t leases_ = 100;
  std::uint64_t held_lease_ = 0;
  bool mapped_ = false;
  Nanos keepalive_gap_max_{};
  Nanos kept_alive_at_{};
  bool keepalive_may_be_late_ = false;
  State last_state_ = State::kUnattached;
  Nanos backed_off_at_{};
};

TEST(AttachProperties, hold_in_every_run) {
  TP_REQ("D87", "D88", "D89", "D124", "D140", "D142", "D145", "D165", "D308", "D309", "D310");
  const std::uint64_t seed = test::announced_seed();
  for (std::uint64_t k = 0; k < 500 && !HasFailure(); ++k) {
    SCOPED_TRACE("run " + std::to_string(k));
    RandomRun run(seed + k);
    run.play(500);
    run.heal();
  }
}

TEST(AttachProperties, hold_while_a_lease_of_nanoseconds_is_given_back) {
  TP_REQ("D140", "D164");
  RandomRun run(2649630536 + 67);  // keepalives so close that the detach timeout is far away
  run.play(500);
  run.heal();
}

}  // namespace
}  // namespace tensorpool::core::attach
