#include "parts/mapping_side.hpp"

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
    case UnmapReason::kLeaseLost:
      TP_MARK("unmapped: the consumer's lease is lost");
      break;
    case UnmapReason::kProducerLeaseEnded:
      TP_MARK("unmapped: the producer's lease has ended");
      break;
    default:
      break;
  }
}

}  // namespace

void MappingSide::start(const Machine::Options& options) {
  machine_.emplace(options, world_->clock.mono());
  refused_ = false;
}

void MappingSide::run(Nanos now) {
  if (offered_ != nullptr && offered_->unmap_wanted) {
    machine_->on_unmap_wanted(*offered_->unmap_wanted);
  }
  machine_->poll(now);
  carry_out_actions(now);
  if (!machine_->check_invariants()) {
    world_->verdict.fail(Failure::kSafety, "the mapping machine broke its invariants");
  }
  if ((offered_ == nullptr ? 0 : offered_->epoch) != machine_->epoch()) {
    world_->verdict.fail(Failure::kSafety, "what is offered is not what is mapped");
  }
}

int MappingSide::carry_out_actions(Nanos now) {
  using Kind = Machine::Action::Kind;
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
        if (action->error.code == Errc::kClockMismatch) {
          --count;  // says that announces are ignored; nothing else comes of them
        } else {
          TP_MARK("regions are refused");
        }
        note(to_string(action->error.code).data(), machine_->plan().epoch());
        break;
      case Kind::kFallback:
        TP_MARK("a consumer falls back");
        note("falls back");
        break;
      case Kind::kDetach:
        observer_->gives_lease_back();
        break;
    }
  }
  return count;
}

void MappingSide::map(Nanos now) {
  observer_->attempts_to_map();
  const core::region::MappingPlan& plan = machine_->plan();
  auto opened = store_->open(plan);
  refused_ = !opened;
  if (refused_) {
    machine_->on_mapped(tensorpool::fail(opened.error()), now);
    return;
  }
  machine_->on_mapped((*opened)->observe(), now);
  if (machine_->state() != MappingState::kMapped) {
    TP_MARK("regions are not mapped, since their owner is silent");
    return;
  }
  observer_->maps(**opened);
  offered_ =
      std::make_shared<SimEpoch>(SimEpoch{.epoch = machine_->epoch(),
                                          .mapping = *std::move(opened),
                                          .truth = &truth_->of(plan.stream_id(), machine_->epoch()),
                                          .unmap_wanted = {}});
  note("maps", machine_->epoch());
}

void MappingSide::unmap(UnmapReason reason) {
  if (offered_ == nullptr) {
    return;
  }
  mark(reason);
  note("unmaps", static_cast<std::uint64_t>(reason));
  observer_->unmaps(offered_->epoch, reason);
  offered_ = nullptr;
}

}  // namespace tensorpool::inline v0::sim
