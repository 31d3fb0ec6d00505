// Every row of the transition table of §1.11.3. The test carries the machine's actions out the way
// an agent does, with answers that it chooses.
#include "core/consumer/mapping_machine.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <vector>

#include "support/requirement.hpp"

namespace tensorpool::core::consumer {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using Kind = MappingAction::Kind;
using Observation = MappingMachine::Observation;

constexpr std::uint32_t kStream = 10000;
constexpr std::uint64_t kPid = 4321;

class Machine : public ::testing::Test {
 protected:
  explicit Machine(MappingMachine::Options options = {.stream_id = kStream})
      : sut_(options, seconds(1000)) {}

  /// An announce of one pool at the present time.
  void announce(std::uint64_t epoch, std::uint32_t nslots = 8) {
    const layout::PayloadPool pool{.pool_id = 1,
                                   .pool_nslots = nslots,
                                   .stride_bytes = 64,
                                   .region_uri = "shm:file?path=/dev/shm/x/1.pool"};
    layout::ShmPoolAnnounce message;
    message.stream_id = kStream;
    message.epoch = epoch;
    message.announce_timestamp_ns =
        static_cast<std::uint64_t>((now_.mono + announcer_ahead_).count());
    message.header_nslots = nslots;
    message.payload_pools = layout::ListView<layout::PayloadPool>(&pool, 1);
    message.header_region_uri = "shm:file?path=/dev/shm/x/header.ring";
    sut_.on_announce(message, now_.mono, now_);
    carry_out();
  }

  /// Does what the machine asks for, and records it.
  void carry_out() {
    while (const auto action = sut_.next_action()) {
      done_.push_back(*action);
      if (action->kind == Kind::kMap) {
        sut_.on_mapped(map_answer_, now_.mono);
      } else if (action->kind == Kind::kRecheck) {
        sut_.on_rechecked(recheck_answer_, now_.mono);
      } else if (action->kind == Kind::kObserve) {
        sut_.on_observed(seen(), now_.mono);
      }
      EXPECT_TRUE(sut_.check_invariants());
    }
  }

  [[nodiscard]] Observation seen() const {
    return {
        .pid = pid_,
        .activity_timestamp_ns = static_cast<std::uint64_t>((now_.mono - activity_age_).count())};
  }
  void map(std::uint64_t epoch) {
    map_answer_ = seen();
    recheck_answer_ = seen();
    announce(epoch);
    done_.clear();
  }
  [[nodiscard]] std::vector<Kind> kinds() const {
    std::vector<Kind> kinds;
    for (const MappingAction& action : done_) {
      kinds.push_back(action.kind);
    }
    return kinds;
  }
  void wait(Nanos span) { now_.mono += span; }

  base::Now now_{.mono = seconds(1000), .real = seconds(1'800'000'000)};
  std::uint64_t pid_ = kPid;
  Nanos activity_age_{};
  Nanos announcer_ahead_{};
  Result<Observation> map_answer_ =
      Observation{.pid = kPid, .activity_timestamp_ns = 1'000'000'000'000};
  Result<Observation> recheck_answer_ = map_answer_;
  MappingMachine sut_;
  std::vector<MappingAction> done_;
};

TEST_F(Machine, maps_on_an_accepted_announce) {
  TP_REQ("W242", "W243");
  EXPECT_EQ(sut_.state(), MappingState::kUnmapped);
  EXPECT_EQ(sut_.epoch(), 0U);
  announce(7);
  EXPECT_EQ(kinds(), std::vector{Kind::kMap});
  EXPECT_EQ(sut_.state(), MappingState::kMapped);
  EXPECT_EQ(sut_.epoch(), 7U);
}

TEST_F(Machine, a_refused_region_without_fallback_is_reported_once_and_tried_again) {
  TP_REQ("W242", "W249", "W253", "W442");
  map_answer_ = fail(make_error(Errc::kPathRejected, "/dev/shm/x").in_epoch(7));
  announce(7);
  EXPECT_EQ(kinds(), (std::vector{Kind::kMap, Kind::kReport}));
  EXPECT_EQ(done_.back().error.code, Errc::kPathRejected);
  EXPECT_EQ(sut_.state(), MappingState::kUnmapped);
  done_.clear();
  announce(7);
  EXPECT_EQ(kinds(), std::vector{Kind::kMap}) << "the same cause is not reported again";
  done_.clear();
  map_answer_ = fail(make_error(Errc::kPermissionRejected, "/dev/shm/x").in_epoch(7));
  announce(7);
  EXPECT_EQ(kinds(), (std::vector{Kind::kMap, Kind::kReport})) << "another cause is";
}

TEST_F(Machine, a_refused_region_with_a_fallback_leads_to_fallback_until_another_epoch) {
  TP_REQ("W242", "W248", "W250");
  sut_.on_config(true, "aeron:udp?endpoint=127.0.0.1:1");
  map_answer_ = fail(make_error(Errc::kRegionTooSmall, "/dev/shm/x").in_epoch(7));
  announce(7);
  EXPECT_EQ(kinds(), (std::vector{Kind::kMap, Kind::kReport, Kind::kFallback}));
  EXPECT_EQ(sut_.state(), MappingState::kFallback);
  ASSERT_TRUE(sut_.fallback().has_value());
  EXPECT_EQ(sut_.fallback()->cause, FallbackCause::kRefused);
  EXPECT_EQ(sut_.fallback()->error.code, Errc::kRegionTooSmall);
  EXPECT_EQ(sut_.fallback()->uri, "aeron:udp?endpoint=127.0.0.1:1");
  EXPECT_EQ(sut_.fallback()->stream_id, kStream);
  done_.clear();
  announce(7);
  sut_.on_config(true, "aeron:udp?endpoint=127.0.0.1:1");  // as a supervisor says every second
  announce(7);
  EXPECT_TRUE(done_.empty());
  map_answer_ = seen();
  announce(8);
  EXPECT_EQ(sut_.state(), MappingState::kMapped);
}

TEST_F(Machine, an_impossible_announce_is_a_refusal_and_unmaps) {
  TP_REQ("W225", "W230", "W242");
  map(7);
  announce(7, 6);  // not a power of two
  EXPECT_EQ(kinds(), (std::vector{Kind::kUnmap, Kind::kReport}));
  EXPECT_EQ(done_[0].reason, UnmapReason::kAnnounceRejected);
  EXPECT_EQ(done_[1].error.code, Errc::kAnnounceInvalid);
  EXPECT_EQ(sut_.state(), MappingState::kUnmapped);
}

TEST_F(Machine, announces_of_another_clock_are_ignored_and_reported_once) {
  TP_REQ("W215", "W216");
  map(7);
  std::uint64_t epoch = 7;
  for (const Nanos ahead : {Nanos(seconds(100'000)), Nanos(-seconds(900))}) {
    announcer_ahead_ = ahead;
    ++epoch;
    for (int k = 0; k < 4; ++k) {
      announce(epoch);
      wait(seconds(1));
    }
    ASSERT_EQ(kinds(), std::vector{Kind::kReport});
    EXPECT_EQ(done_[0].error.code, Errc::kClockMismatch);
    EXPECT_EQ(done_[0].error.stream_id, kStream);
    EXPECT_EQ(sut_.epoch(), 7U);
    done_.clear();
  }
}

TEST_F(Machine, a_config_without_shared_memory_leads_to_fallback_and_back) {
  TP_REQ("W242", "W248", "W331", "W332");
  map(7);
  sut_.on_config(false, "bridge://far");
  carry_out();
  EXPECT_EQ(kinds(), (std::vector{Kind::kUnmap, Kind::kFallback}));
  EXPECT_EQ(done_[0].reason, UnmapReason::kConfigured);
  ASSERT_TRUE(sut_.fallback().has_value());
  EXPECT_EQ(sut_.fallback()->cause, FallbackCause::kTold);
  EXPECT_EQ(sut_.fallback()->uri, "bridge://far");
  done_.clear();
  sut_.on_config(false, "bridge://far");
  announce(8);
  EXPECT_TRUE(done_.empty()) << "by config: announces are ignored";
  sut_.on_config(true, "");
  EXPECT_EQ(sut_.state(), MappingState::kUnmapped);
  EXPECT_FALSE(sut_.fallback().has_value());
  announce(8);
  EXPECT_EQ(sut_.epoch(), 8U);
}

TEST_F(Machine, an_unknown_fallback_scheme_counts_as_absent) {
  TP_REQ("W250");
  sut_.on_config(false, "http://far");
  carry_out();
  ASSERT_EQ(kinds(), (std::vector{Kind::kReport, Kind::kFallback}));
  EXPECT_EQ(done_[0].error.code, Errc::kFallbackUnsupported);
  EXPECT_EQ(sut_.fallback_uri(), "");
  ASSERT_TRUE(sut_.fallback().has_value());
  EXPECT_EQ(sut_.fallback()->kind, FallbackKind::kNone);
  done_.clear();
  sut_.on_config(false, "http://far");
  carry_out();
  EXPECT_TRUE(done_.empty()) << "the same again";
}

TEST_F(Machine, a_matching_announce_of_the_mapped_epoch_changes_nothing) {
  TP_REQ("W233", "W234", "W240");
  map(7);
  announce(7);
  EXPECT_EQ(kinds(), std::vector{Kind::kRecheck});
  EXPECT_EQ(sut_.epoch(), 7U);
}

TEST_F(Machine, a_mismatch_unmaps_and_processes_the_announce_as_if_unmapped) {
  TP_REQ("W234", "W441");
  map(7);
  recheck_answer_ = fail(make_error(Errc::kSuperblockMismatch).of_field(Field::kNslots));
  announce(7);
  EXPECT_EQ(kinds(), (std::vector{Kind::kRecheck, Kind::kUnmap, Kind::kMap}));
  EXPECT_EQ(done_[1].reason, UnmapReason::kRegionMismatch);
}

TEST_F(Machine, a_file_that_has_become_smaller_unmaps) {
  TP_REQ("W241");
  map(7);
  recheck_answer_ = fail(make_error(Errc::kRegionTooSmall));
  announce(7);
  ASSERT_GE(done_.size(), 2U);
  EXPECT_EQ(done_[1].reason, UnmapReason::kRegionShrunk);
}

TEST_F(Machine, a_higher_epoch_replaces_the_mapping_and_a_lower_one_is_ignored) {
  TP_REQ("W220", "W242");
  map(7);
  announce(8);
  EXPECT_EQ(kinds(), (std::vector{Kind::kUnmap, Kind::kMap}));
  EXPECT_EQ(done_[0].reason, UnmapReason::kHigherEpochAnnounced);
  EXPECT_EQ(sut_.epoch(), 8U);
  done_.clear();
  announce(7);
  EXPECT_TRUE(done_.empty());
  EXPECT_EQ(sut_.epoch(), 8U);
}

TEST_F(Machine, unmaps_when_the_data_path_demands_it) {
  TP_REQ("W242", "W262");
  for (const UnmapReason reason :
       {UnmapReason::kHigherEpochDescribed, UnmapReason::kSequenceRegression}) {
    map(7);
    sut_.on_unmap_wanted(reason);
    carry_out();
    ASSERT_EQ(kinds(), std::vector{Kind::kUnmap});
    EXPECT_EQ(done_[0].reason, reason);
    EXPECT_EQ(sut_.state(), MappingState::kUnmapped);
  }
}

TEST_F(Machine, a_changed_pid_unmaps_and_blocks_its_epoch) {
  TP_REQ("W237", "W238");
  for (const bool by_announce : {true, false}) {
    const std::uint64_t epoch = by_announce ? 7 : 9;
    pid_ = kPid;
    map(epoch);
    pid_ = kPid + 1;
    if (by_announce) {
      recheck_answer_ = seen();
      announce(epoch);
    } else {
      wait(seconds(1));
      sut_.poll(now_.mono);
      carry_out();
    }
    ASSERT_EQ(done_.back().kind, Kind::kUnmap);
    EXPECT_EQ(done_.back().reason, UnmapReason::kPidChanged);
    done_.clear();
    map_answer_ = seen();
    announce(epoch);
    EXPECT_TRUE(done_.empty()) << "the same epoch is blocked";
    announce(epoch + 1);
    EXPECT_EQ(sut_.epoch(), epoch + 1);
    done_.clear();
  }
}

TEST_F(Machine, stale_activity_blocks_mapping_without_being_a_refusal) {
  TP_REQ("W235");
  for (const Nanos age :
       {Nanos(seconds(3)) + Nanos(1), -Nanos(seconds(3)) - Nanos(1), Nanos(seconds(1000))}) {
    activity_age_ = age;  // the last: an activity of 0
    map_answer_ = seen();
    announce(7);
    EXPECT_EQ(kinds(), (std::vector{Kind::kMap, Kind::kUnmap}));
    EXPECT_EQ(sut_.state(), MappingState::kUnmapped);
    done_.clear();
  }
  activity_age_ = seconds(3);
  map_answer_ = seen();
  announce(7);
  EXPECT_EQ(sut_.state(), MappingState::kMapped);
}

TEST_F(Machine, a_silent_producer_is_unmapped_and_mapped_again_when_it_goes_on) {
  TP_REQ("W251", "W252");
  map(7);
  wait(seconds(1));
  activity_age_ = seconds(5);
  sut_.poll(now_.mono);
  carry_out();
  EXPECT_EQ(kinds(), std::vector{Kind::kObserve});
  wait(seconds(1));
  activity_age_ = seconds(5) + Nanos(1);
  sut_.poll(now_.mono);
  carry_out();
  ASSERT_EQ(done_.back().kind, Kind::kUnmap);
  EXPECT_EQ(done_.back().reason, UnmapReason::kActivityStale);
  done_.clear();

  activity_age_ = Nanos{};
  map_answer_ = seen();
  announce(7);
  EXPECT_EQ(sut_.epoch(), 7U) << "it was only paused";
}

TEST_F(Machine, a_producer_that_comes_back_as_another_process_needs_a_new_epoch) {
  TP_REQ("W238", "W252");
  map(7);
  sut_.on_unmap_wanted(UnmapReason::kSequenceRegression);
  carry_out();
  done_.clear();
  pid_ = kPid + 1;
  map_answer_ = seen();
  announce(7);
  EXPECT_EQ(kinds(), (std::vector{Kind::kMap, Kind::kUnmap}));
  done_.clear();
  announce(7);
  EXPECT_TRUE(done_.empty());
}

TEST_F(Machine, observes_at_least_once_per_period_while_mapped) {
  TP_REQ("W251");
  map(7);
  wait(milliseconds(999));
  sut_.poll(now_.mono);
  carry_out();
  EXPECT_TRUE(done_.empty());
  wait(milliseconds(1));
  sut_.poll(now_.mono);
  carry_out();
  EXPECT_EQ(kinds(), std::vector{Kind::kObserve});
}

class WithoutSharedMemory : public Machine {
 protected:
  WithoutSharedMemory() : Machine({.stream_id = kStream, .use_shm = false}) {}
};

TEST_F(WithoutSharedMemory, starts_in_fallback_and_ignores_announces) {
  TP_REQ("W242");
  announce(7);
  EXPECT_EQ(sut_.state(), MappingState::kFallback);
  EXPECT_TRUE(done_.empty());
  EXPECT_EQ(sut_.fallback()->cause, FallbackCause::kAsked);
}

TEST_F(WithoutSharedMemory, tells_what_is_offered_or_that_nothing_is_once_somebody_has_said_it) {
  TP_REQ("W248", "W332");
  sut_.on_config(false, "");
  carry_out();
  EXPECT_EQ(kinds(), std::vector{Kind::kFallback});
  sut_.on_config(false, "");
  carry_out();
  EXPECT_EQ(kinds(), std::vector{Kind::kFallback});
  sut_.on_config(false, "bridge://far");
  carry_out();
  EXPECT_EQ(kinds(), (std::vector{Kind::kFallback, Kind::kFallback}));
  EXPECT_EQ(sut_.fallback()->uri, "bridge://far");
}

class RemapsSameEpoch : public Machine {
 protected:
  RemapsSameEpoch() : Machine({.stream_id = kStream, .remap_same_epoch_on_pid_change = true}) {}
};

TEST_F(RemapsSameEpoch, maps_the_same_epoch_of_another_process) {
  TP_REQ("W239");
  map(7);
  pid_ = kPid + 1;
  wait(seconds(1));
  sut_.poll(now_.mono);
  carry_out();
  ASSERT_EQ(done_.back().reason, UnmapReason::kPidChanged);
  map_answer_ = seen();
  announce(7);
  EXPECT_EQ(sut_.epoch(), 7U);
}

class UnderALease : public Machine {
 protected:
  UnderALease() : Machine({.stream_id = kStream, .standalone = false}) {}

  void attach(std::uint64_t epoch) {
    const layout::PayloadPool pool{.pool_id = 1,
                                   .pool_nslots = 8,
                                   .stride_bytes = 64,
                                   .region_uri = "shm:file?path=/dev/shm/x/1.pool"};
    const auto plan =
        region::make_mapping_plan({.stream_id = kStream,
                                   .epoch = epoch,
                                   .layout_version = 1,
                                   .header_nslots = 8,
                                   .header_slot_bytes = 256,
                                   .header_region_uri = "shm:file?path=/dev/shm/x/header.ring",
                                   .pools = {&pool, 1}});
    sut_.on_attached(plan.value(), now_.mono);
    carry_out();
  }
};

TEST_F(UnderALease, stale_activity_neither_blocks_nor_unmaps) {
  TP_REQ("W236");
  activity_age_ = seconds(100);
  map_answer_ = seen();
  recheck_answer_ = seen();
  attach(7);
  EXPECT_EQ(sut_.state(), MappingState::kMapped);
  announce(7);
  wait(seconds(1));
  sut_.poll(now_.mono);
  carry_out();
  EXPECT_EQ(sut_.state(), MappingState::kMapped);
  announce(8);
  EXPECT_EQ(sut_.epoch(), 8U);
}

}  // namespace
}  // namespace tensorpool::core::consumer
