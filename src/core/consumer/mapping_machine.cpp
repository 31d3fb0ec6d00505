#include "core/consumer/mapping_machine.hpp"

#include <algorithm>
#include <utility>

#include "base/assert.hpp"

namespace tensorpool::inline v0::core::consumer {
namespace {

[[nodiscard]] bool same_cause(const Error& a, const Error& b) noexcept {
  return a.code == b.code && a.field == b.field && a.region == b.region && a.epoch == b.epoch &&
         a.value == b.value && a.os_errno == b.os_errno;
}

// W250.
[[nodiscard]] bool is_supported_fallback(std::string_view uri) noexcept {
  return uri.starts_with("aeron:") || uri.starts_with("bridge://");
}

}  // namespace

MappingMachine::MappingMachine(const Options& options, Nanos now)
    : options_(options),
      gate_({.stream_id = options.stream_id, .timing = options.timing}),
      clock_(options.timing.announce_period),
      state_(options.use_shm ? MappingState::kUnmapped : MappingState::kFallback),
      observe_at_(now + options.timing.announce_period) {}

void MappingMachine::on_announce(const layout::ShmPoolAnnounce& announce, Nanos image_joined_at,
                                 const base::Now& now) {
  TP_ASSERT(awaiting_ == Awaiting::kNothing);
  const AnnounceGate::Stamp stamp{
      .stream_id = announce.stream_id,
      .epoch = announce.epoch,
      .timestamp_ns = announce.announce_timestamp_ns,
      .realtime = announce.announce_clock_domain == layout::ClockDomain::kRealtimeSynced,
      .image_joined_at = image_joined_at};
  if (!passes_gate(stamp, now)) {
    return;
  }
  producer_.on_announce(
      stamp.epoch, announce.producer_id,
      stamp.realtime ? now.mono : Nanos{static_cast<Nanos::rep>(stamp.timestamp_ns)});
  if (!options_.standalone && !has_lease_) {
    return;  // D277
  }
  if (state_ == MappingState::kFallback &&
      (fallback_cause_ != FallbackCause::kRefused || stamp.epoch == tried_epoch_)) {
    return;
  }
  Result<region::MappingPlan> plan =
      region::make_mapping_plan(region::geometry_of(announce), options_.limits);
  if (!plan) {
    if (state_ == MappingState::kMapped) {
      unmap(UnmapReason::kAnnounceRejected);  // W230
    }
    reject(Error(plan.error()).in_stream(stamp.stream_id).in_epoch(stamp.epoch));
    return;
  }
  if (state_ == MappingState::kMapped && stamp.epoch == plan_.epoch()) {
    plan_ = std::move(*plan);
    awaiting_ = Awaiting::kRechecked;  // W234
    push({.kind = Action::Kind::kRecheck});
    return;
  }
  if (stamp.epoch == blocked_epoch_ || !producer_.may_map(stamp.epoch)) {
    return;  // W238, D170
  }
  if (state_ == MappingState::kMapped) {
    unmap(UnmapReason::kHigherEpochAnnounced);
  }
  plan_ = std::move(*plan);
  begin_mapping();
}

bool MappingMachine::passes_gate(const AnnounceGate::Stamp& stamp, const base::Now& now) {
  using Verdict = AnnounceGate::Verdict;
  const Verdict verdict = gate_.judge(stamp, now);
  if (verdict == Verdict::kPassed) {
    clock_.on_passed();
  } else if (verdict == Verdict::kTooOld || verdict == Verdict::kTooNew) {
    if (auto why = clock_.on_refused(stamp.timestamp_ns, stamp.realtime, now)) {
      report(why->in_stream(stamp.stream_id).in_epoch(stamp.epoch));
    }
  }
  return verdict == Verdict::kPassed;
}

void MappingMachine::on_mapped(const Result<Observation>& result, Nanos now) {
  TP_ASSERT(awaiting_ == Awaiting::kMapped);
  awaiting_ = Awaiting::kNothing;
  const std::optional<Nanos> granted_at = std::exchange(granted_at_, std::nullopt);
  if (!result) {
    reject(result.error());
    return;
  }
  if (granted_at) {
    take_lease(plan_.epoch(), *granted_at);
  }
  const bool other_pid = pid_epoch_ == plan_.epoch() && pid_ != result->pid;
  if (other_pid && !options_.remap_same_epoch_on_pid_change) {
    blocked_epoch_ = plan_.epoch();  // W238, W252
    push({.kind = Action::Kind::kUnmap});
    return;
  }
  if (options_.standalone &&
      !is_fresh(result->activity_timestamp_ns, now, options_.timing.freshness_window)) {
    push({.kind = Action::Kind::kUnmap});  // W235: no effect, and no refusal either
    return;
  }
  state_ = MappingState::kMapped;
  pid_epoch_ = plan_.epoch();
  pid_ = result->pid;
  blocked_epoch_ = 0;
  tried_epoch_ = 0;
  remap_ends_.reset();
  reported_.reset();
  observe_at_ = now + options_.timing.announce_period;
}

void MappingMachine::on_rechecked(const Result<Observation>& result, Nanos now) {
  TP_ASSERT(awaiting_ == Awaiting::kRechecked);
  awaiting_ = Awaiting::kNothing;
  if (result) {
    if (still_alive(*result, now)) {
      observe_at_ = now + options_.timing.announce_period;
    }
    return;
  }
  if (result.error().field == Field::kPid) {
    other_process();
    return;
  }
  unmap(result.error().code == Errc::kRegionTooSmall ? UnmapReason::kRegionShrunk
                                                     : UnmapReason::kRegionMismatch);
  begin_mapping();  // as if unmapped
}

void MappingMachine::on_observed(const Observation& seen, Nanos now) {
  TP_ASSERT(awaiting_ == Awaiting::kObserved);
  awaiting_ = Awaiting::kNothing;
  static_cast<void>(still_alive(seen, now));
}

bool MappingMachine::still_alive(const Observation& seen, Nanos now) {
  if (seen.pid != pid_) {
    other_process();
    return false;
  }
  if (options_.standalone &&
      age_of(seen.activity_timestamp_ns, now) > options_.timing.liveness_timeout) {
    unmap(UnmapReason::kActivityStale);
    return false;
  }
  return true;
}

void MappingMachine::other_process() {
  if (!options_.remap_same_epoch_on_pid_change) {
    blocked_epoch_ = plan_.epoch();  // W238
  }
  unmap(UnmapReason::kPidChanged);  // W237
}

void MappingMachine::on_config(bool use_shm, std::string_view fallback_uri) {
  TP_ASSERT(awaiting_ == Awaiting::kNothing);
  if (config_ && config_->use_shm == use_shm && config_->fallback_uri == fallback_uri) {
    return;  // W332
  }
  config_.emplace(Config{.use_shm = use_shm, .fallback_uri = std::string(fallback_uri)});
  const bool supported = fallback_uri.empty() || is_supported_fallback(fallback_uri);
  if (use_shm) {
    if (state_ == MappingState::kFallback) {
      state_ = MappingState::kUnmapped;
    }
    if (!fallback_uri.empty() && supported) {
      fallback_uri_ = fallback_uri;
    }
    return;
  }
  if (!supported) {
    report(make_error(Errc::kFallbackUnsupported, fallback_uri).in_stream(options_.stream_id));
  }
  fallback_uri_ = supported ? fallback_uri : std::string_view();
  if (state_ == MappingState::kMapped) {
    unmap(UnmapReason::kConfigured);
  }
  enter_fallback(FallbackCause::kTold);
}

std::optional<Fallback> MappingMachine::fallback() const {
  if (state_ != MappingState::kFallback) {
    return std::nullopt;
  }
  Fallback fallback = Fallback::of(fallback_cause_, fallback_uri_);
  fallback.stream_id = options_.stream_id;
  if (fallback_cause_ == FallbackCause::kRefused) {
    fallback.error = refusal_;
  }
  return fallback;
}

void MappingMachine::on_unmap_wanted(UnmapReason reason) {
  TP_ASSERT(awaiting_ == Awaiting::kNothing);
  if (state_ == MappingState::kMapped) {
    unmap(reason);
  }
}

void MappingMachine::on_attached(const region::MappingPlan& granted, Nanos now) {
  TP_ASSERT(awaiting_ == Awaiting::kNothing && !options_.standalone && !has_lease_);
  if (state_ == MappingState::kFallback && fallback_cause_ != FallbackCause::kRefused) {
    take_lease(granted.epoch(), now);  // and keeps it (D318)
    return;
  }
  state_ = MappingState::kUnmapped;
  plan_ = granted;
  granted_at_ = now;
  begin_mapping();
}

void MappingMachine::take_lease(std::uint64_t epoch, Nanos now) {
  has_lease_ = true;
  gate_.on_attached(epoch, now);
  producer_.on_attached(epoch, now);
  blocked_epoch_ = 0;  // W238: a new attach maps again
  pid_epoch_ = 0;
}

void MappingMachine::on_lease_lost(UnmapReason reason) {
  TP_ASSERT(awaiting_ == Awaiting::kNothing);
  has_lease_ = false;
  remap_ends_.reset();
  if (!options_.standalone && state_ == MappingState::kMapped) {
    unmap(reason);
  }
}

void MappingMachine::on_revoked(const layout::ShmLeaseRevoked& notice) {
  TP_ASSERT(awaiting_ == Awaiting::kNothing);
  if (has_lease_ && notice.stream_id == options_.stream_id && producer_.is_ended_by(notice) &&
      state_ == MappingState::kMapped) {
    unmap(notice.reason == layout::LeaseRevokeReason::kDetached
              ? UnmapReason::kProducerDetached
              : UnmapReason::kProducerLeaseEnded);  // D170
  }
}

void MappingMachine::poll(Nanos now) {
  TP_ASSERT(awaiting_ == Awaiting::kNothing);
  if (is_remapping()) {
    if (!remap_ends_) {
      remap_ends_ = now + 3 * options_.timing.announce_period;
    } else if (now >= *remap_ends_) {
      give_lease_back();  // D316
    }
  }
  if (state_ == MappingState::kMapped && now >= observe_at_) {
    observe_at_ = now + options_.timing.announce_period;
    awaiting_ = Awaiting::kObserved;
    push({.kind = Action::Kind::kObserve});
  }
}

std::optional<MappingMachine::Action> MappingMachine::next_action() {
  if (drained_ == actions_.size()) {
    actions_.clear();
    drained_ = 0;
    return std::nullopt;
  }
  return actions_[drained_++];
}

Nanos MappingMachine::next_deadline() const noexcept {
  return is_remapping() ? std::min(observe_at_, remap_ends_.value_or(Nanos::min())) : observe_at_;
}

bool MappingMachine::check_invariants() const noexcept {
  const bool waits_for_map = awaiting_ == Awaiting::kMapped;
  return (options_.standalone ? !has_lease_ : state_ != MappingState::kMapped || has_lease_) &&
         (!granted_at_ || waits_for_map) &&
         (state_ != MappingState::kMapped || (plan_.epoch() != 0 && !waits_for_map)) &&
         (state_ != MappingState::kMapped || plan_.epoch() != blocked_epoch_);
}

void MappingMachine::begin_mapping() {
  awaiting_ = Awaiting::kMapped;
  push({.kind = Action::Kind::kMap});
}

void MappingMachine::reject(const Error& error) {
  report(error);
  if (fallback_uri_.empty()) {
    state_ = MappingState::kUnmapped;  // try again with the next announce
    if (has_lease_) {
      give_lease_back();
    }
    return;
  }
  tried_epoch_ = error.epoch != 0 ? error.epoch : plan_.epoch();
  refusal_ = error;
  enter_fallback(FallbackCause::kRefused);
}

void MappingMachine::give_lease_back() {
  has_lease_ = false;
  remap_ends_.reset();
  push({.kind = Action::Kind::kDetach});
}

void MappingMachine::unmap(UnmapReason reason) {
  state_ = MappingState::kUnmapped;
  push({.kind = Action::Kind::kUnmap, .reason = reason});
}

void MappingMachine::enter_fallback(FallbackCause cause) {
  state_ = MappingState::kFallback;
  fallback_cause_ = cause;
  remap_ends_.reset();
  push({.kind = Action::Kind::kFallback});
}

void MappingMachine::report(const Error& error) {
  if (reported_ && same_cause(*reported_, error)) {
    return;
  }
  reported_ = error;
  push({.kind = Action::Kind::kReport, .error = error});
}

void MappingMachine::push(Action action) {
  actions_.push_back(action);
}

}  // namespace tensorpool::inline v0::core::consumer
