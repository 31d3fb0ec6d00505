#include "parts/data_side.hpp"

#include <algorithm>

namespace tensorpool::inline v0::sim {

using core::consumer::UnmapCause;
using core::consumer::Use;

DataSide::DataSide(Surroundings& surroundings, SimTopic<Descriptor>& descriptors,
                   const ConsumerPlan& plan, const Options& options)
    : world_(&surroundings),
      descriptors_(&descriptors),
      plan_(&plan),
      options_(options),
      random_(random_for(options.seed, 100 + options.index)),
      frames_checked_(surroundings.verdict),
      silence_(plan.patience) {}

void DataSide::start() {
  ledger_.emplace(world_->verdict, options_.index);
  receiver_.emplace(
      SimReceiver::Options{.stream_id = options_.stream_id,
                           .recover_gaps = plan().mode == ConsumerMode::kRecovering,
                           .max_outstanding_seq_gap = plan().max_outstanding_seq_gap});
  if (plan().mode != ConsumerMode::kDirect) {
    descriptors_->subscribe(options_.index, world_->clock.mono(), random_.below(4));
  }
}

void DataSide::bury() {
  descriptors_->unsubscribe(options_.index);
  in_use_.reset();
  kept_.clear();
  attached_ = nullptr;
}

void DataSide::poll(std::shared_ptr<SimEpoch> offered, MappingState state, const Limits& limits) {
  now_ = world_->clock.mono();
  limits_ = limits;
  if (!kept_.empty() && random_.chance(1, 4)) {
    judge_kept();
  }
  if (offered != attached_) {
    switch_epoch(offered);
  }
  if (receiver_->epoch() != (attached_ == nullptr ? 0 : attached_->epoch) || attached_ != offered) {
    fail("the data path keeps a mapping that was given up");
  }
  in_fallback_ = attached_ == nullptr && state == MappingState::kFallback;
  const Call call = random_.chance(plan().latest_permille, 1000) ? Call::kLatest
                    : random_.chance(plan().next_permille, 1000) ? Call::kNext
                                                                 : Call::kPoll;
  if (plan().mode == ConsumerMode::kDirect) {
    poll_ring(call);
  } else {
    poll_descriptors(call);
  }
  ledger_->check(*receiver_);
  demand_unmapping();
}

void DataSide::frame_committed(std::uint64_t epoch, std::uint64_t seq) {
  if (receiver_ && receiver_->epoch() == epoch) {
    ledger_->committed(*receiver_, seq);
  }
}

DataSide::Calm DataSide::calm() const {
  const ConsumerCounters& counters = receiver_->counters();
  return {.frames = frames_,
          .remaps = counters.remaps,
          .resyncs = counters.resyncs,
          .drops_gap = counters.drops_gap,
          .last_seq = receiver_->last_seq()};
}

std::optional<std::int64_t> DataSide::lost_since(const Calm& before,
                                                 const EpochTruth& truth) const {
  const Calm now = calm();
  if (!plan().reads_each_descriptor() || now.remaps != before.remaps ||
      now.resyncs != before.resyncs || before.last_seq == 0) {
    return std::nullopt;
  }
  const auto& aborted = truth.aborted;
  return static_cast<std::int64_t>(now.drops_gap - before.drops_gap) -
         std::distance(aborted.upper_bound(before.last_seq), aborted.upper_bound(now.last_seq));
}

// ---- epochs ----

void DataSide::switch_epoch(const std::shared_ptr<SimEpoch>& offered) {
  if (bugs.keeps_mapping && attached_ != nullptr) {
    return;
  }
  let_go();
  if (offered != nullptr) {
    attached_ = offered;
    receiver_->attach(attached_->mapping->memory(), attached_->epoch);
    if (bugs.begins_late) {
      receiver_->detach();
      --receiver_->counters().discontinuities;
      --receiver_->counters().remaps;
      receiver_->attach(attached_->mapping->memory(), attached_->epoch);
    }
    const auto& memory = attached_->mapping->memory();
    ledger_->mapping_begins(*receiver_,
                            core::ring::sequence_of(core::consumer::word_for(memory, 0)) == 0);
    silence_.on_progress();
  }
}

void DataSide::let_go() {
  if (attached_ != nullptr) {
    ledger_->mapping_ends(*receiver_);
    receiver_->detach();
    attached_ = nullptr;
  }
}

void DataSide::demand_unmapping() {
  if (const auto cause = receiver_->unmap_wanted()) {
    attached_->unmap_wanted = *cause == UnmapCause::kHigherEpochSeen
                                  ? UnmapReason::kHigherEpochDescribed
                                  : UnmapReason::kSequenceRegression;
  }
}

// ---- frames ----

int DataSide::poll_limit() const {
  return world_->healed ? std::max(plan().poll_limit, 64) : plan().poll_limit;
}

void DataSide::poll_ring(Call call) {
  const auto sink = [this](const SimFrame& frame) { return use(frame); };
  receiver_->follow_ring(call == Call::kPoll ? poll_limit() : 1, call == Call::kLatest, sink);
  settle_in_use();
}

void DataSide::poll_descriptors(Call call) {
  if (!descriptors_->connected(options_.index) ||
      (!world_->healed && random_.chance(plan().resubscribe_ppm, 1'000'000))) {
    resubscribe();
  }
  const std::uint64_t before = frames_;
  const auto sink = [this](const SimFrame& frame) { return use(frame); };
  if (call == Call::kLatest) {
    receiver_->begin_latest();
    while (take_descriptors(kAll, 1) != 0) {
    }
    receiver_->end_latest();
    receiver_->on_drained(sink);
  } else if (call == Call::kPoll) {
    receiver_->fill_gap(kAll, sink);
    take_descriptors(poll_limit(), kAll);
    while (receiver_->draining() && take_descriptors(poll_limit(), kAll) != 0) {
    }
    receiver_->on_drained(sink);
  } else {
    if (receiver_->filling_gap()) {
      TP_MARK("a gap is filled in several polls");
      receiver_->fill_gap(1, sink);
    }
    while (frames_ == before) {
      if (take_descriptors(1, 1) == 0) {
        receiver_->on_drained(sink);
        break;
      }
    }
  }
  settle_in_use();
  if (frames_ == before && plan().mode == ConsumerMode::kRecovering) {
    look_at_ring(call);
  }
}

void DataSide::look_at_ring(Call call) {
  if (!receiver_->attached() || receiver_->filling_gap()) {
    return;
  }
  receiver_->start_at_end();
  if (!silence_.on_idle(receiver_->frame_waits_in_ring(), now_)) {
    return;
  }
  const std::uint64_t before = frames_;
  poll_ring(call);
  if (frames_ != before) {
    receiver_->counters().recovered += frames_ - before;
    TP_MARK("frames arrive without descriptors");
  }
}

int DataSide::take_descriptors(int messages, int frames_max) {
  return descriptors_->poll(
      options_.index, now_, messages,
      [&](const Descriptor& descriptor, Nanos) { give_descriptor(descriptor, frames_max); });
}

void DataSide::resubscribe() {
  descriptors_->subscribe(options_.index, now_, random_.below(8));
  receiver_->subscription_changed();
  ledger_->subscription_changed(*receiver_);
}

void DataSide::give_descriptor(const Descriptor& descriptor, int limit) {
  const ConsumerCounters before = receiver_->counters();
  ledger_->before_descriptor(*receiver_);
  receiver_->on_descriptor(
      descriptor, in_fallback_, [this](const SimFrame& frame) { return use(frame); }, limit);
  settle_in_use();
  ledger_->after_descriptor(*receiver_, descriptor, !in_fallback_);
  ledger_->check(*receiver_);
  if (descriptor.stream_id == options_.stream_id && descriptor.epoch == receiver_->epoch() &&
      descriptor.seq >= receiver_->last_seq()) {
    silence_.on_progress();
  }
  if (bugs.forgets_gaps && receiver_->counters().drops_gap > before.drops_gap) {
    receiver_->counters().drops_gap = before.drops_gap;
  }
}

Use DataSide::use(const SimFrame& frame) {
  settle_in_use();
  ++frames_;
  if (attached_ == nullptr || receiver_->unmap_wanted()) {  // W245
    fail("a frame is accepted outside MAPPED");
    return Use::kDone;
  }
  if (attached_->epoch < limits_.lowest_epoch || now_ >= limits_.deadline) {  // D145, D191
    fail("a frame of a lost epoch is handed out as present");
  }
  const FrameContent content(attached_->truth->geometry, attached_->epoch, frame.seq);
  frames_checked_.header(frame, attached_->epoch, content);
  ledger_->frame(frame.seq, receiver_->counters(), attached_->truth->aborted);
  if (kept_.size() < 4 && random_.chance(plan().keep_permille, 1000)) {
    kept_.push_back({.mapping = attached_->mapping, .frame = frame, .content = content});
    return Use::kKept;
  }
  in_use_ = {.seq = frame.seq,
             .payload_right = FrameChecker::payload(frame, content),
             .changed_before = receiver_->counters().changed_after_use};
  return Use::kDone;
}

/// The receiver has made its check after use by now.
void DataSide::settle_in_use() {
  if (in_use_) {
    const bool unchanged = receiver_->counters().changed_after_use == in_use_->changed_before;
    frames_checked_.after_use(in_use_->seq, in_use_->payload_right, unchanged);
    in_use_.reset();
  }
}

void DataSide::judge_kept() {
  const Kept kept = std::move(kept_.front());
  kept_.pop_front();
  // Pool and commit word stay readable as long as the lease holds their mapping.
  const bool right = FrameChecker::payload(kept.frame, kept.content);
  const bool unchanged =
      core::ring::unchanged_after_use<SimAtom>(*kept.frame.commit, kept.frame.seq);
  frames_checked_.after_use(kept.frame.seq, right, unchanged);
  if (attached_ == nullptr || kept.mapping != attached_->mapping) {
    TP_MARK("a kept frame outlives its mapping");
  } else if (!unchanged) {
    receiver_->report_changed_after_use();
  }
}

}  // namespace tensorpool::inline v0::sim
