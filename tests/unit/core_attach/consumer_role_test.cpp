// The consumer's table of §2.20: the mapping machine under a driver, alone and together with the
// attach machine.
#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <vector>

#include "attach_harness.hpp"
#include "core/consumer/mapping_machine.hpp"
#include "support/requirement.hpp"

namespace tensorpool::core::consumer {
namespace {

using attach::AttachHarness;
using attach::kStream;
using std::chrono::milliseconds;
using std::chrono::seconds;
using Kind = MappingAction::Kind;
using Observation = MappingMachine::Observation;

constexpr std::uint32_t kProducer = 90;
constexpr const char* kRingUri = "shm:file?path=/dev/shm/x/header.ring";
constexpr const char* kPoolUri = "shm:file?path=/dev/shm/x/1.pool";

class UnderDriver : public ::testing::Test {
 public:
  explicit UnderDriver(bool use_shm = true)
      : sut_({.stream_id = kStream, .use_shm = use_shm, .standalone = false}, seconds(1000)) {}

  void announce(std::uint64_t epoch, std::uint32_t producer_id = kProducer,
                std::uint32_t nslots = 8,
                layout::ClockDomain domain = layout::ClockDomain::kMonotonic) {
    const layout::PayloadPool pool{
        .pool_id = 1, .pool_nslots = nslots, .stride_bytes = 64, .region_uri = kPoolUri};
    layout::ShmPoolAnnounce message;
    message.stream_id = kStream;
    message.producer_id = producer_id;
    message.epoch = epoch;
    message.announce_clock_domain = domain;
    message.announce_timestamp_ns =
        ns(domain == layout::ClockDomain::kMonotonic ? now_.mono : now_.real);
    message.header_nslots = nslots;
    message.payload_pools = layout::ListView<layout::PayloadPool>(&pool, 1);
    message.header_region_uri = kRingUri;
    sut_.on_announce(message, now_.mono, now_);
    carry_out();
  }
  void attach(std::uint64_t epoch) {
    const layout::PayloadPool pool{
        .pool_id = 1, .pool_nslots = 8, .stride_bytes = 64, .region_uri = kPoolUri};
    const auto plan = region::make_mapping_plan({.stream_id = kStream,
                                                 .epoch = epoch,
                                                 .layout_version = 1,
                                                 .header_nslots = 8,
                                                 .header_slot_bytes = 256,
                                                 .header_region_uri = kRingUri,
                                                 .pools = {&pool, 1}});
    ASSERT_TRUE(plan);
    sut_.on_attached(*plan, now_.mono);
    carry_out();
  }
  /// A notice about the stream, stamped now.
  void revoke(std::uint32_t client_id = kProducer, layout::Role role = layout::Role::kProducer) {
    hear({.timestamp_ns = ns(now_.mono),
          .lease_id = 5,
          .stream_id = kStream,
          .client_id = client_id,
          .role = role,
          .reason = layout::LeaseRevokeReason::kExpired});
  }
  void hear(const layout::ShmLeaseRevoked& notice) {
    sut_.on_revoked(notice);
    carry_out();
  }
  void wait(Nanos span) {
    now_.mono += span;
    sut_.poll(now_.mono);
    carry_out();
  }

  void carry_out() {
    while (const auto action = sut_.next_action()) {
      done_.push_back(*action);
      if (action->kind == Kind::kMap) {
        sut_.on_mapped(answer_, now_.mono);
      } else if (action->kind == Kind::kRecheck) {
        sut_.on_rechecked(answer_, now_.mono);
      } else if (action->kind == Kind::kObserve) {
        sut_.on_observed(*answer_, now_.mono);
      }
      EXPECT_TRUE(sut_.check_invariants());
    }
    EXPECT_TRUE(sut_.check_invariants());
  }
  /// What was asked for since the last call, looking at files aside.
  [[nodiscard]] std::vector<Kind> happened() {
    std::vector<Kind> kinds;
    for (const MappingAction& action : done_) {
      if (action.kind != Kind::kObserve && action.kind != Kind::kRecheck) {
        kinds.push_back(action.kind);
      }
    }
    done_.clear();
    return kinds;
  }
  /// Attached, mapped, and told by an announce who the producer is.
  void map(std::uint64_t epoch) {
    attach(epoch);
    announce(epoch);
    ASSERT_EQ(sut_.epoch(), epoch);
    now_.mono += milliseconds(1);
    done_.clear();
  }
  [[nodiscard]] static std::uint64_t ns(Nanos instant) {
    return static_cast<std::uint64_t>(instant.count());
  }

  base::Now now_{.mono = seconds(1000), .real = seconds(1'800'000'000)};
  Result<Observation> answer_ = Observation{.pid = 4321};  // no activity: the lease counts (W236)
  MappingMachine sut_;
  std::vector<MappingAction> done_;
};

TEST_F(UnderDriver, announces_map_nothing_without_a_lease) {
  TP_REQ("D277");
  announce(7);
  EXPECT_TRUE(happened().empty());
  EXPECT_EQ(sut_.state(), MappingState::kUnmapped);
}

TEST_F(UnderDriver, the_attach_response_is_the_first_mapping) {
  TP_REQ("D124", "D315", "W232", "W236");
  attach(7);
  EXPECT_EQ(happened(), std::vector{Kind::kMap});
  EXPECT_EQ(sut_.state(), MappingState::kMapped);
  EXPECT_EQ(sut_.epoch(), 7U);
}

TEST_F(UnderDriver, a_response_whose_regions_are_refused_leaves_no_lease) {
  TP_REQ("D124", "D125");
  answer_ = fail(Errc::kPathRejected);
  attach(7);
  EXPECT_EQ(happened(), (std::vector{Kind::kMap, Kind::kReport}))
      << "the attach machine gives the lease back";
  answer_ = Observation{};
  announce(7);
  EXPECT_TRUE(happened().empty());
}

TEST_F(UnderDriver, a_higher_epoch_replaces_the_mapping) {
  TP_REQ("D191", "D224");
  map(7);
  announce(8);
  EXPECT_EQ(happened(), (std::vector{Kind::kUnmap, Kind::kMap}));
  EXPECT_EQ(sut_.epoch(), 8U);
}

TEST_F(UnderDriver, the_end_of_the_producers_lease_unmaps_until_a_higher_epoch) {
  TP_REQ("D170", "D174", "D317");
  map(7);
  revoke();
  ASSERT_EQ(done_.size(), 1U);
  EXPECT_EQ(done_[0].kind, Kind::kUnmap);
  EXPECT_EQ(done_[0].reason, UnmapReason::kProducerLeaseEnded);
  EXPECT_EQ(sut_.state(), MappingState::kUnmapped);
  static_cast<void>(happened());
  announce(7);
  EXPECT_TRUE(happened().empty());
  announce(8, 0);
  EXPECT_EQ(happened(), std::vector{Kind::kMap});
  EXPECT_EQ(sut_.epoch(), 8U);
}

TEST_F(UnderDriver, a_producer_that_gave_its_lease_back_is_told_from_one_that_lost_it) {
  TP_REQ("D170");
  map(7);
  hear({.timestamp_ns = ns(now_.mono),
        .lease_id = 5,
        .stream_id = kStream,
        .client_id = kProducer,
        .role = layout::Role::kProducer,
        .reason = layout::LeaseRevokeReason::kDetached});
  ASSERT_EQ(done_.size(), 1U);
  EXPECT_EQ(done_[0].reason, UnmapReason::kProducerDetached);
}

TEST_F(UnderDriver, what_it_resumes_with_is_higher_than_all_it_has_accepted) {
  TP_REQ("D170", "D317");
  map(7);
  answer_ = fail(Errc::kRegionTooSmall);
  sut_.on_config(true, "aeron:udp?endpoint=127.0.0.1:1");  // a refusal does not cost the lease
  announce(9);                                             // accepted, not mapped
  ASSERT_EQ(sut_.state(), MappingState::kFallback);
  answer_ = Observation{};
  now_.mono += milliseconds(1);
  revoke();
  static_cast<void>(happened());
  announce(9);
  EXPECT_TRUE(happened().empty());
  announce(10);
  EXPECT_EQ(sut_.epoch(), 10U);
}

TEST_F(UnderDriver, notices_that_do_not_end_the_present_producer_are_ignored) {
  TP_REQ("D167", "D171", "D172");
  map(7);
  revoke(kProducer + 1);
  revoke(kProducer, layout::Role::kConsumer);
  layout::ShmLeaseRevoked elsewhere{.timestamp_ns = ns(now_.mono),
                                    .stream_id = kStream + 1,
                                    .client_id = kProducer,
                                    .role = layout::Role::kProducer};
  hear(elsewhere);
  elsewhere.stream_id = kStream;
  elsewhere.reason = static_cast<layout::LeaseRevokeReason>(4);
  hear(elsewhere);
  EXPECT_TRUE(happened().empty());
  EXPECT_EQ(sut_.epoch(), 7U);
}

TEST_F(UnderDriver, a_notice_counts_only_when_it_is_later_than_the_mapped_epoch) {
  TP_REQ("D171");
  map(7);
  const layout::ShmLeaseRevoked late{.timestamp_ns = ns(now_.mono),
                                     .stream_id = kStream,
                                     .client_id = kProducer,
                                     .role = layout::Role::kProducer};
  announce(8, 0);  // stamped with the notice's time: overtook it on another stream
  static_cast<void>(happened());
  hear(late);
  EXPECT_TRUE(happened().empty());
  EXPECT_EQ(sut_.epoch(), 8U);

  layout::ShmLeaseRevoked next = late;
  ++next.timestamp_ns;
  hear(next);
  EXPECT_EQ(happened(), std::vector{Kind::kUnmap});
}

TEST_F(UnderDriver, the_time_of_an_attach_is_that_of_its_receipt) {
  TP_REQ("D171");
  attach(7);
  static_cast<void>(happened());
  revoke();
  EXPECT_TRUE(happened().empty()) << "at the same time";
  now_.mono += Nanos{1};
  revoke();
  EXPECT_EQ(happened(), std::vector{Kind::kUnmap}) << "no announce has named another producer";
}

TEST_F(UnderDriver, the_time_of_an_announce_by_another_clock_is_that_of_its_receipt) {
  TP_REQ("D171");
  map(7);
  announce(8, kProducer, 8, layout::ClockDomain::kRealtimeSynced);
  static_cast<void>(happened());
  revoke();
  EXPECT_TRUE(happened().empty()) << "at the same time";
  now_.mono += Nanos{1};
  revoke();
  EXPECT_EQ(happened(), std::vector{Kind::kUnmap});
}

TEST_F(UnderDriver, a_later_announce_of_the_same_epoch_does_not_make_it_newer) {
  TP_REQ("D171");
  map(7);
  const Nanos ended_at = now_.mono;
  wait(milliseconds(500));
  announce(7);
  static_cast<void>(happened());
  hear({.timestamp_ns = ns(ended_at),
        .stream_id = kStream,
        .client_id = kProducer,
        .role = layout::Role::kProducer});
  EXPECT_EQ(happened(), std::vector{Kind::kUnmap});
}

TEST_F(UnderDriver, a_repeated_notice_has_no_further_effect) {
  TP_REQ("D173");
  map(7);
  revoke();
  static_cast<void>(happened());
  wait(seconds(2));
  revoke();
  EXPECT_TRUE(happened().empty());
  wait(seconds(1) + milliseconds(1));
  wait(milliseconds(1));
  EXPECT_TRUE(happened().empty()) << "the wait began with the first poll";
}

TEST_F(UnderDriver, every_way_into_remapping_waits_three_periods_for_an_announce) {
  TP_REQ("D316");
  using Enter = void (*)(UnderDriver&);
  const Enter ways[] = {
      [](UnderDriver& on) { on.revoke(); },
      [](UnderDriver& on) {
        on.sut_.on_unmap_wanted(UnmapReason::kHigherEpochDescribed);
        on.carry_out();
      },
      [](UnderDriver& on) {
        on.sut_.on_unmap_wanted(UnmapReason::kSequenceRegression);
        on.carry_out();
      },
      [](UnderDriver& on) {  // another process
        on.answer_ = Observation{.pid = 4322};
        on.announce(on.sut_.epoch());
        on.answer_ = Observation{.pid = 4321};
      },
      [](UnderDriver& on) {
        on.sut_.on_config(false, "");
        on.sut_.on_config(true, "");
        on.carry_out();
      },
  };
  std::uint64_t epoch = 7;
  for (const Enter enter : ways) {
    map(++epoch);
    enter(*this);
    ASSERT_EQ(sut_.state(), MappingState::kUnmapped);
    static_cast<void>(happened());
    EXPECT_EQ(sut_.next_deadline(), Nanos::min()) << "the wait begins with the next duty cycle";
    wait(Nanos{0});
    wait(seconds(3) - Nanos{1});
    EXPECT_TRUE(happened().empty());
    wait(Nanos{1});
    EXPECT_EQ(happened(), std::vector{Kind::kDetach});
    wait(seconds(100));
    EXPECT_TRUE(happened().empty()) << "once";
    announce(++epoch);
    EXPECT_TRUE(happened().empty()) << "without a lease";
  }
}

TEST_F(UnderDriver, the_wait_is_over_when_regions_are_mapped) {
  TP_REQ("D316");
  map(7);
  revoke();
  wait(Nanos{0});
  wait(seconds(2));
  announce(8);
  static_cast<void>(happened());
  wait(seconds(10));
  EXPECT_TRUE(happened().empty());
  sut_.on_unmap_wanted(UnmapReason::kSequenceRegression);
  carry_out();
  wait(Nanos{0});
  wait(seconds(3) - Nanos{1});
  EXPECT_EQ(happened(), std::vector{Kind::kUnmap}) << "the next wait is a whole one";
}

TEST_F(UnderDriver, the_wait_is_over_in_fallback) {
  TP_REQ("D316", "D318");
  map(7);
  revoke();
  wait(Nanos{0});
  wait(seconds(2));
  sut_.on_config(false, "");
  sut_.on_config(true, "");
  carry_out();
  static_cast<void>(happened());
  wait(Nanos{0});
  wait(seconds(3) - Nanos{1});
  EXPECT_TRUE(happened().empty()) << "the next wait is a whole one";
}

TEST_F(UnderDriver, refused_regions_without_fallback_cost_the_lease) {
  TP_REQ("D316");
  for (const bool by_announce : {true, false}) {
    map(by_announce ? 7 : 9);
    if (by_announce) {
      announce(8, kProducer, 6);  // no power of two
    } else {
      answer_ = fail(Errc::kRegionTooSmall);
      announce(10);
      answer_ = Observation{.pid = 4321};
    }
    ASSERT_FALSE(done_.empty());
    EXPECT_EQ(done_.back().kind, Kind::kDetach);
    EXPECT_EQ(sut_.state(), MappingState::kUnmapped);
  }
}

TEST_F(UnderDriver, fallback_keeps_the_lease) {
  TP_REQ("D318");
  map(7);
  sut_.on_config(true, "bridge://far");
  answer_ = fail(Errc::kRegionTooSmall);
  announce(8);
  EXPECT_EQ(happened(), (std::vector{Kind::kUnmap, Kind::kMap, Kind::kReport, Kind::kFallback}));
  wait(seconds(100));
  EXPECT_TRUE(happened().empty());
  answer_ = Observation{.pid = 4321};
  announce(9);
  EXPECT_EQ(sut_.epoch(), 9U) << "still under its lease";
}

TEST_F(UnderDriver, the_loss_of_the_lease_unmaps_and_only_a_new_one_maps_again) {
  TP_REQ("D145", "D277");
  map(7);
  sut_.on_lease_lost(UnmapReason::kLeaseLost);
  carry_out();
  ASSERT_EQ(done_.size(), 1U);
  EXPECT_EQ(done_[0].reason, UnmapReason::kLeaseLost);
  static_cast<void>(happened());
  announce(7);
  announce(8);
  wait(seconds(100));
  EXPECT_TRUE(happened().empty());
  attach(8);
  EXPECT_EQ(sut_.epoch(), 8U);
}

TEST_F(UnderDriver, a_new_attach_counts_even_if_its_epoch_is_lower_or_was_blocked) {
  TP_REQ("W221", "W222", "W238");
  map(9);
  revoke();
  sut_.on_lease_lost(UnmapReason::kLeaseLost);
  carry_out();
  attach(9);
  EXPECT_EQ(sut_.epoch(), 9U);
  sut_.on_lease_lost(UnmapReason::kLeaseLost);
  carry_out();
  attach(5);
  EXPECT_EQ(sut_.epoch(), 5U);
  announce(6);
  EXPECT_EQ(sut_.epoch(), 6U) << "what was observed before is replaced";
}

TEST_F(UnderDriver, a_new_attach_maps_the_regions_of_another_process) {
  TP_REQ("W238");
  map(7);
  sut_.on_lease_lost(UnmapReason::kLeaseLost);
  carry_out();
  answer_ = Observation{.pid = 1};
  attach(7);
  EXPECT_EQ(sut_.epoch(), 7U);
}

TEST_F(UnderDriver, a_new_attach_lifts_the_block_also_when_nothing_is_mapped_yet) {
  TP_REQ("W238", "D318");
  map(7);
  answer_ = Observation{.pid = 1};
  announce(7);
  ASSERT_EQ(sut_.state(), MappingState::kUnmapped);
  sut_.on_config(false, "");
  sut_.on_lease_lost(UnmapReason::kLeaseLost);
  attach(7);
  sut_.on_config(true, "");
  announce(7);
  EXPECT_EQ(sut_.epoch(), 7U);
}

class UnderDriverWithoutShm : public UnderDriver {
 protected:
  UnderDriverWithoutShm() : UnderDriver(false) {}
};

TEST_F(UnderDriverWithoutShm, holds_a_lease_and_maps_nothing_until_configured) {
  TP_REQ("D318");
  attach(7);
  wait(seconds(100));
  announce(7);
  EXPECT_TRUE(happened().empty());
  EXPECT_EQ(sut_.state(), MappingState::kFallback);
  sut_.on_config(true, "");
  announce(7);
  EXPECT_EQ(sut_.epoch(), 7U);
}

// Both machines, connected as their banners say.

class Consumer : public UnderDriver {
 protected:
  Consumer() : lease_({.stream_id = kStream, .client_id = 77}) {}

  void pass_on_mapping() {
    for (const MappingAction& action : done_) {
      if (action.kind == Kind::kDetach) {
        lease_.give_up();
      }
    }
    done_.clear();
    for (const std::string& word : lease_.happened()) {
      if (word == "map") {
        attach(lease_.sut.grant().plan.epoch());
      } else if (word.starts_with("unmap")) {
        sut_.on_lease_lost(UnmapReason::kLeaseLost);
        carry_out();
      }
      words_.push_back(word);
    }
  }
  void both_wait(Nanos span) {
    lease_.now = now_.mono + span;
    wait(span);
    lease_.poll();
    pass_on_mapping();
  }
  [[nodiscard]] attach::Log words() { return std::exchange(words_, {}); }

  AttachHarness lease_;
  attach::Log words_;
};

TEST_F(Consumer, keeps_its_lease_while_it_waits_for_the_next_producer) {
  TP_REQ("D174", "D316");
  lease_.lead_to(AttachState::kAttaching);
  lease_.grant(seconds(3));
  pass_on_mapping();
  ASSERT_EQ(sut_.state(), MappingState::kMapped);
  static_cast<void>(words());
  now_.mono += milliseconds(1);
  revoke();
  pass_on_mapping();
  both_wait(Nanos{0});
  both_wait(milliseconds(1000));
  both_wait(milliseconds(1000));
  EXPECT_EQ(words(), (attach::Log{"keepalive", "keepalive"}));
  EXPECT_EQ(lease_.sut.state(), AttachState::kAttached);

  both_wait(milliseconds(1000));
  EXPECT_EQ(words(), (attach::Log{"keepalive", "unmap lease_lost", "detach", "detached"}));
  EXPECT_EQ(lease_.sut.state(), AttachState::kBackoff);

  lease_.sit_out_backoff();
  now_.mono = lease_.now;
  lease_.grant();
  pass_on_mapping();
  EXPECT_EQ(sut_.state(), MappingState::kMapped);
}

}  // namespace
}  // namespace tensorpool::core::consumer
