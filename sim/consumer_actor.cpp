#include "consumer_actor.hpp"

#include <algorithm>

namespace tensorpool::inline v0::sim {

using core::consumer::UnmapCause;
using core::consumer::Use;

ConsumerActor::ConsumerActor(Environment& environment, std::uint32_t index)
    : world_(&environment),
      index_(index),
      random_(random_for(environment.scenario.seed, 100 + index)),
      frames_checked_(environment.verdict),
      silence_(plan().patience) {}

void ConsumerActor::start() {
  const Nanos now = world_->clock.mono();
  process = {};
  alive = true;
  ++life;
  const core::Timing timing = core::Timing::around(world_->scenario.announce_period);
  announces_checked_.emplace(kStreamId, timing);
  mappings_checked_.emplace(world_->verdict, timing);
  ledger_.emplace(world_->verdict, index_);
  machine_.emplace(MappingMachine::Options{.stream_id = kStreamId, .timing = timing}, now);
  receiver_.emplace(
      SimReceiver::Options{.stream_id = kStreamId,
                           .recover_gaps = plan().mode == ConsumerMode::kRecovering,
                           .max_outstanding_seq_gap = plan().max_outstanding_seq_gap});
  world_->control.subscribe(index_, now, random_.below(4));
  if (plan().mode != ConsumerMode::kDirect) {
    world_->descriptors.subscribe(index_, now, random_.below(4));
  }
}

void ConsumerActor::bury() {
  alive = false;
  world_->control.unsubscribe(index_);
  world_->descriptors.unsubscribe(index_);
  in_use_.reset();
  kept_.clear();
  mapping_ = nullptr;
}

void ConsumerActor::run() {
  const base::Now now = world_->clock.now();
  if (!kept_.empty() && random_.chance(1, 4)) {
    judge_kept();
  }
  give_up_if_wanted();
  carry_out_actions(now.mono);
  hear_announces(now);
  machine_->poll(now.mono);
  carry_out_actions(now.mono);
  const Call call = random_.chance(plan().latest_permille, 1000) ? Call::kLatest
                    : random_.chance(plan().next_permille, 1000) ? Call::kNext
                                                                 : Call::kPoll;
  if (plan().mode == ConsumerMode::kDirect) {
    poll_ring(call);
  } else {
    poll_descriptors(call, now.mono);
  }
  settle_in_use();
  ledger_->check(*receiver_);
  if (random_.chance(1, 2)) {  // else in the next cycle
    give_up_if_wanted();
    carry_out_actions(now.mono);
  }
  check_machines(now.mono);
}

void ConsumerActor::check_machines(Nanos now) {
  if (!machine_->check_invariants()) {
    world_->verdict.fail(Failure::kSafety, "the mapping machine broke its invariants");
  }
  if (receiver_->attached() != (machine_->state() == MappingState::kMapped)) {
    world_->verdict.fail(Failure::kSafety, "receiver and mapping machine disagree");
  }
  if (mapping_ != nullptr) {
    mappings_checked_->check(mapping_->peek(), now);
  }
}

Nanos ConsumerActor::interval() {
  Nanos mean = plan().poll_interval;
  if (world_->healed) {
    mean = std::min(mean, Nanos(std::chrono::milliseconds(2)));
  }
  const auto ns = static_cast<std::uint64_t>(mean.count());
  return Nanos(static_cast<std::int64_t>(random_.between(ns / 2, ns + ns / 2)));
}

int ConsumerActor::poll_limit() const {
  return world_->healed ? std::max(plan().poll_limit, 64) : plan().poll_limit;
}

void ConsumerActor::reconfigure() {
  const bool use_shm = world_->healed || random_.chance(1, 2);
  note("is configured", use_shm ? 1 : 0);
  machine_->on_config(use_shm, random_.chance(1, 2) ? "bridge://elsewhere" : "");
  carry_out_actions(world_->clock.mono());
}

bool ConsumerActor::mapped_to(std::uint64_t epoch) const noexcept {
  return alive && machine_->epoch() == epoch;
}

void ConsumerActor::frame_committed(std::uint64_t epoch, std::uint64_t seq) {
  if (receiver_ && receiver_->epoch() == epoch) {
    ledger_->committed(*receiver_, seq);
  }
}

std::string ConsumerActor::describe() const {
  constexpr const char* kModes[] = {"descriptor", "recovering", "direct"};
  std::string text = kModes[static_cast<std::size_t>(plan().mode)];
  if (alive) {
    text += ", " + std::string(to_string(machine_->state())) + ", last frame " +
            std::to_string(receiver_->last_seq()) + (receiver_->draining() ? ", draining" : "") +
            (receiver_->filling_gap() ? ", filling a gap" : "");
  }
  return text;
}

// ---- mapping ----

void ConsumerActor::hear_announces(const base::Now& now) {
  if (!world_->control.connected(index_)) {
    world_->control.subscribe(index_, now.mono, 0);
  }
  world_->control.poll(index_, now.mono, 16, [&](const Announce& announce, Nanos joined_at) {
    hear(announce, joined_at, now);
  });
}

void ConsumerActor::hear(const Announce& announce, Nanos joined_at, const base::Now& now) {
  mappings_checked_->announce_begins();
  const bool ignored = announces_checked_->must_be_ignored(announce.message, joined_at, now);
  const std::uint64_t epoch = machine_->epoch();
  const MappingState state = machine_->state();
  layout::ShmPoolAnnounce heard = announce.message;
  if (bugs.believes_announces) {
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
    world_->verdict.fail(Failure::kSafety, "an announce that is to be ignored had an effect");
  }
}

int ConsumerActor::carry_out_actions(Nanos now) {
  using Kind = MappingMachine::Action::Kind;
  int count = 0;
  while (const auto action = machine_->next_action()) {
    ++count;
    switch (action->kind) {
      case Kind::kMap:
        map(now);
        break;
      case Kind::kRecheck:
        machine_->on_rechecked(mapping_->compare(machine_->plan()), now);
        break;
      case Kind::kObserve:
        machine_->on_observed(mapping_->observe(), now);
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
    }
  }
  return count;
}

void ConsumerActor::map(Nanos now) {
  mappings_checked_->attempts();
  auto opened = world_->store.open(machine_->plan());
  if (!opened) {
    machine_->on_mapped(fail(opened.error()), now);
    return;
  }
  machine_->on_mapped((*opened)->observe(), now);
  if (machine_->state() != MappingState::kMapped) {
    TP_MARK("regions are not mapped, since their owner is silent");
    return;
  }
  mapping_ = *std::move(opened);
  mappings_checked_->maps(machine_->epoch(), mapping_->peek(), now);
  truth_ = &world_->truth.of(machine_->epoch());
  receiver_->attach(mapping_->memory(), machine_->epoch());
  ledger_->mapping_begins(*receiver_);
  silence_.on_progress();
  note("maps", machine_->epoch());
}

void ConsumerActor::unmap(UnmapReason reason) {
  if (mapping_ == nullptr || bugs.keeps_mapping) {
    return;
  }
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
  note("unmaps", static_cast<std::uint64_t>(reason), receiver_->last_seq());
  mappings_checked_->unmaps(receiver_->epoch(), reason);
  ledger_->mapping_ends(*receiver_);
  receiver_->detach();
  mapping_ = nullptr;
}

// ---- frames ----

void ConsumerActor::poll_ring(Call call) {
  const auto sink = [this](const SimFrame& frame) { return use(frame); };
  receiver_->follow_ring(call == Call::kPoll ? poll_limit() : 1, call == Call::kLatest, sink);
  settle_in_use();
}

void ConsumerActor::poll_descriptors(Call call, Nanos now) {
  if (!world_->descriptors.connected(index_) ||
      (!world_->healed && random_.chance(plan().resubscribe_ppm, 1'000'000))) {
    resubscribe(now);
  }
  const std::uint64_t before = frames_;
  const auto sink = [this](const SimFrame& frame) { return use(frame); };
  if (call == Call::kLatest) {
    receiver_->begin_latest();
    while (take_descriptors(kAll, 1, now) != 0) {
    }
    receiver_->end_latest();
    receiver_->on_drained(sink);
  } else if (call == Call::kPoll) {
    receiver_->fill_gap(kAll, sink);
    take_descriptors(poll_limit(), kAll, now);
    while (receiver_->draining() && take_descriptors(poll_limit(), kAll, now) != 0) {
    }
    receiver_->on_drained(sink);
  } else {
    if (receiver_->filling_gap()) {
      TP_MARK("a gap is filled in several polls");
      receiver_->fill_gap(1, sink);
    }
    while (frames_ == before) {
      if (take_descriptors(1, 1, now) == 0) {
        receiver_->on_drained(sink);
        break;
      }
    }
  }
  settle_in_use();
  if (frames_ == before && plan().mode == ConsumerMode::kRecovering) {
    look_at_ring(call, now);
  }
}

void ConsumerActor::look_at_ring(Call call, Nanos now) {
  if (!receiver_->attached() || receiver_->filling_gap()) {
    return;
  }
  receiver_->start_at_end();
  if (!silence_.on_idle(receiver_->frame_in_ring(), now)) {
    return;
  }
  const std::uint64_t before = frames_;
  poll_ring(call);
  if (frames_ != before) {
    receiver_->counters().recovered += frames_ - before;
    TP_MARK("frames arrive without descriptors");
  }
}

int ConsumerActor::take_descriptors(int messages, int frames_max, Nanos now) {
  return world_->descriptors.poll(index_, now, messages, [&](const Descriptor& descriptor, Nanos) {
    give_descriptor(descriptor, frames_max);
  });
}

void ConsumerActor::resubscribe(Nanos now) {
  world_->descriptors.subscribe(index_, now, random_.below(8));
  receiver_->subscription_changed();
}

void ConsumerActor::give_descriptor(const Descriptor& descriptor, int limit) {
  const bool in_fallback = !receiver_->attached() && machine_->state() == MappingState::kFallback;
  const ConsumerCounters before = receiver_->counters();
  ledger_->before_descriptor(*receiver_);
  receiver_->on_descriptor(
      descriptor, in_fallback, [this](const SimFrame& frame) { return use(frame); }, limit);
  settle_in_use();
  const bool of_this_stream = descriptor.stream_id == kStreamId;
  ledger_->after_descriptor(*receiver_, of_this_stream, !in_fallback);
  ledger_->check(*receiver_);
  if (of_this_stream && descriptor.epoch == receiver_->epoch() &&
      descriptor.seq >= receiver_->last_seq()) {
    silence_.on_progress();
  }
  if (bugs.forgets_gaps && receiver_->counters().drops_gap > before.drops_gap) {
    receiver_->counters().drops_gap = before.drops_gap;
  }
}

Use ConsumerActor::use(const SimFrame& frame) {
  settle_in_use();
  ++frames_;
  if (machine_->state() != MappingState::kMapped || receiver_->unmap_wanted()) {  // W245
    world_->verdict.fail(Failure::kSafety, "a frame is accepted outside MAPPED");
  }
  const FrameContent content(truth_->geometry, machine_->epoch(), frame.seq);
  frames_checked_.header(frame, machine_->epoch(), content);
  ledger_->frame(frame.seq, receiver_->counters(), truth_->aborted);
  if (kept_.size() < 4 && random_.chance(plan().keep_permille, 1000)) {
    kept_.push_back({.mapping = mapping_, .frame = frame, .content = content});
    return Use::kKept;
  }
  in_use_ = {.seq = frame.seq,
             .payload_right = FrameChecker::payload(frame, content),
             .changed_before = receiver_->counters().changed_after_use};
  return Use::kDone;
}

/// The receiver has made its check after use by now.
void ConsumerActor::settle_in_use() {
  if (in_use_) {
    const bool unchanged = receiver_->counters().changed_after_use == in_use_->changed_before;
    frames_checked_.after_use(in_use_->seq, in_use_->payload_right, unchanged);
    in_use_.reset();
  }
}

void ConsumerActor::judge_kept() {
  const Kept kept = std::move(kept_.front());
  kept_.pop_front();
  // Pool and commit word stay readable as long as the lease holds their mapping.
  const bool right = FrameChecker::payload(kept.frame, kept.content);
  const bool unchanged =
      core::ring::unchanged_after_use<SimAtom>(*kept.frame.commit, kept.frame.seq);
  frames_checked_.after_use(kept.frame.seq, right, unchanged);
  if (!unchanged) {
    receiver_->report_changed_after_use();
  }
  if (kept.mapping != mapping_) {
    TP_MARK("a kept frame outlives its mapping");
  }
}

void ConsumerActor::give_up_if_wanted() {
  if (const auto cause = receiver_->unmap_wanted()) {
    machine_->on_unmap_wanted(*cause == UnmapCause::kHigherEpochSeen
                                  ? UnmapReason::kHigherEpochDescribed
                                  : UnmapReason::kSequenceRegression);
  }
}

void ConsumerActor::note(const char* what, std::uint64_t a, std::uint64_t b) {
  world_->verdict.note(world_->clock.mono(), "consumer", index_, what, a, b);
}

}  // namespace tensorpool::inline v0::sim
