#include "control_side.hpp"

namespace tensorpool::inline v0::sim {
namespace {

void mark(UnmapReason reason) {
  switch (reason) {
    case UnmapReason::kHigherEpochAnnounced:
      TP_MARK("unmapped: a higher epoch is announced");
      break;
    case UnmapReason::kHigherEpochDescribed:
      TP_MARK("unmapped: a descriptor of a higher epoch");
      break;
    case UnmapReason::kSequenceRegression:
      TP_MARK("unmapped: numbers went back");
      break;
    case UnmapReason::kAnnounceRejected:
      TP_MARK("unmapped: the announce is refused");
      break;
    case UnmapReason::kRegionMismatch:
      TP_MARK("unmapped: superblocks do not match the announce");
      break;
    case UnmapReason::kActivityStale:
      TP_MARK("unmapped: the owner is silent");
      break;
    case UnmapReason::kPidChanged:
      TP_MARK("unmapped: another process owns the regions");
      break;
    case UnmapReason::kConfigured:
      TP_MARK("unmapped: configured");
      break;
    default:
      break;
  }
}

}  // namespace

ControlSide::ControlSide(Environment& environment, std::uint32_t index)
    : world_(&environment),
      index_(index),
      random_(random_for(environment.scenario.seed, 200 + index)) {}

void ControlSide::start(bool use_shm) {
  const Nanos now = world_->clock.mono();
  const core::Timing timing = core::Timing::around(world_->scenario.announce_period);
  announces_checked_.emplace(kStreamId, timing);
  mappings_checked_.emplace(world_->verdict, timing);
  machine_.emplace(
      MappingMachine::Options{.stream_id = kStreamId, .timing = timing, .use_shm = use_shm}, now);
  world_->control.subscribe(index_, now, random_.below(4));
}

void ControlSide::bury() {
  world_->control.unsubscribe(index_);
  offered_ = nullptr;
}

void ControlSide::run() {
  const base::Now now = world_->clock.now();
  hear_announces(now);
  if (offered_ != nullptr && offered_->unmap_wanted) {
    machine_->on_unmap_wanted(*offered_->unmap_wanted);
  }
  machine_->poll(now.mono);
  carry_out_actions(now.mono);
  if (!machine_->check_invariants()) {
    fail("the mapping machine broke its invariants");
  }
  if ((offered_ == nullptr ? 0 : offered_->epoch) != machine_->epoch()) {
    fail("what is offered is not what is mapped");
  }
  if (offered_ != nullptr) {
    mappings_checked_->check(offered_->mapping->peek(), now.mono);
  }
}

void ControlSide::configure(bool use_shm, const char* fallback_uri) {
  note("is configured", use_shm ? 1 : 0);
  machine_->on_config(use_shm, fallback_uri);
  carry_out_actions(world_->clock.mono());
}

void ControlSide::hear_announces(const base::Now& now) {
  if (!world_->control.connected(index_)) {
    world_->control.subscribe(index_, now.mono, 0);
  }
  world_->control.poll(index_, now.mono, 16, [&](const Announce& announce, Nanos joined_at) {
    hear(announce, joined_at, now);
  });
}

void ControlSide::hear(const Announce& announce, Nanos joined_at, const base::Now& now) {
  mappings_checked_->announce_begins();
  const bool ignored = announces_checked_->must_be_ignored(announce.message, joined_at, now);
  const std::uint64_t epoch = machine_->epoch();
  const MappingState state = machine_->state();
  layout::ShmPoolAnnounce heard = announce.message;
  if (believes_announces) {
    heard.stream_id = kStreamId;
    heard.announce_clock_domain = layout::ClockDomain::kMonotonic;
    heard.announce_timestamp_ns = static_cast<std::uint64_t>(now.mono.count());
  }
  machine_->on_announce(heard, joined_at, now);
  const int actions = carry_out_actions(now.mono);
  mappings_checked_->announce_ends();
  if (!ignored) {
    return;
  }
  TP_MARK("an announce is ignored");
  if (actions != 0 || machine_->epoch() != epoch || machine_->state() != state) {
    fail("an announce that is to be ignored had an effect");
  }
}

int ControlSide::carry_out_actions(Nanos now) {
  using Kind = MappingMachine::Action::Kind;
  int count = 0;
  while (const auto action = machine_->next_action()) {
    ++count;
    switch (action->kind) {
      case Kind::kMap:
        map(now);
        break;
      case Kind::kRecheck:
        machine_->on_rechecked(offered_->mapping->compare(machine_->plan()), now);
        break;
      case Kind::kObserve:
        machine_->on_observed(offered_->mapping->observe(), now);
        break;
      case Kind::kUnmap:
        unmap(action->reason);
        break;
      case Kind::kReport:
        TP_MARK("regions are refused");
        note(to_string(action->error.code).data(), machine_->plan().epoch());
        break;
      case Kind::kFallback:
        TP_MARK("a consumer falls back");
        note("falls back");
        break;
      case Kind::kDetach:
        fail("a consumer without a driver gives a lease back");
        break;
    }
  }
  return count;
}

void ControlSide::map(Nanos now) {
  mappings_checked_->attempts();
  auto opened = world_->store.open(machine_->plan());
  if (!opened) {
    machine_->on_mapped(tensorpool::fail(opened.error()), now);
    return;
  }
  machine_->on_mapped((*opened)->observe(), now);
  if (machine_->state() != MappingState::kMapped) {
    TP_MARK("regions are not mapped, since their owner is silent");
    return;
  }
  mappings_checked_->maps(machine_->epoch(), (*opened)->peek(), now);
  offered_ = std::make_shared<SimEpoch>(SimEpoch{.epoch = machine_->epoch(),
                                                 .mapping = *std::move(opened),
                                                 .truth = &world_->truth.of(machine_->epoch()),
                                                 .unmap_wanted = {}});
  note("maps", machine_->epoch());
}

void ControlSide::unmap(UnmapReason reason) {
  if (offered_ == nullptr) {
    return;
  }
  mark(reason);
  note("unmaps", static_cast<std::uint64_t>(reason));
  mappings_checked_->unmaps(offered_->epoch, reason);
  offered_ = nullptr;
}

void ControlSide::note(const char* what, std::uint64_t a, std::uint64_t b) {
  world_->verdict.note(world_->clock.mono(), "consumer", index_, what, a, b);
}

}  // namespace tensorpool::inline v0::sim
