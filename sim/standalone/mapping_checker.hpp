// What a consumer may do with the regions of its stream, told from outside its mapping machine.
// Spec: §1.11.2, §1.11.3.
//
// Invariants that it checks
//  1. Nothing is mapped whose owner gives no sign of life (W235).
//  2. A mapping lives on for a liveness timeout and an announce period after its owner's last sign
//     of life, and for an announce period after another process took its place (W237, W251).
//  3. After that, the same epoch is not mapped again (W238).
//  4. An announce leads to one attempt to map, and nothing else does (W253).
#pragma once

#include <cstdint>
#include <optional>
#include <utility>

#include "core/consumer/mapping_machine.hpp"
#include "parts/verdict.hpp"

namespace tensorpool::inline v0::sim::standalone {

class MappingChecker {
 public:
  using Observation = core::consumer::MappingMachine::Observation;

  MappingChecker(Verdict& verdict, const core::Timing& timing) noexcept
      : verdict_(&verdict), timing_(timing) {}

  void announce_begins() noexcept { attempt_allowed_ = true; }
  void announce_ends() noexcept { attempt_allowed_ = false; }
  void attempts() {
    if (!std::exchange(attempt_allowed_, false)) {
      fail("mapping is attempted without an announce");
    }
  }
  void maps(std::uint64_t epoch, const Observation& seen, Nanos now) {
    if (!core::is_fresh(seen.activity_timestamp_ns, now, timing_.freshness_window)) {
      fail("regions of a silent owner are mapped");
    }
    if (epoch == left_epoch_) {
      fail("an epoch is mapped again that another process has taken over");
    }
    pid_ = seen.pid;
    other_pid_since_.reset();
  }
  void unmaps(std::uint64_t epoch, UnmapReason reason) noexcept {
    left_epoch_ = reason == UnmapReason::kPidChanged ? epoch : 0;
  }
  /// While mapped, at the end of each duty cycle, whose time is `now`.
  void check(const Observation& seen, Nanos now) {
    if (core::age_of(seen.activity_timestamp_ns, now) >
        timing_.liveness_timeout + timing_.announce_period) {
      fail("the owner of a mapping is silent");
    }
    if (seen.pid == pid_) {
      return;
    }
    if (!other_pid_since_) {
      other_pid_since_ = now;
    }
    if (now - *other_pid_since_ > timing_.announce_period) {
      fail("a mapping is kept that another process has taken over");
    }
  }

 private:
  void fail(const char* what) { verdict_->fail(Failure::kSafety, what); }

  Verdict* verdict_;
  core::Timing timing_;
  bool attempt_allowed_ = false;
  std::uint64_t left_epoch_ = 0;
  std::uint64_t pid_ = 0;
  std::optional<Nanos> other_pid_since_;
};

}  // namespace tensorpool::inline v0::sim::standalone
