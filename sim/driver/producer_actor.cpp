#include "driver/producer_actor.hpp"

namespace tensorpool::inline v0::sim::driver {

ProducerActor::ProducerActor(Environment& environment, std::uint32_t index)
    : world_(&environment),
      index_(index),
      random_(random_for(environment.scenario.seed, 300 + index)),
      lease_(environment, index, *this),
      frames_(environment, environment.truth, plan().producer, random_,
              [&environment](const EpochTruth& epoch, std::uint64_t seq) {
                environment.on_committed(epoch, seq);
              }) {}

void ProducerActor::start() {
  process = {};
  alive = true;
  ++life;
  role_ = {};
  control_at_ = activity_at_ = {};
  publishing_ = false;
  lease_.start();
}

void ProducerActor::bury() {
  alive = false;
  frames_.bury();
  offered_ = writing_ = nullptr;
  lease_.bury();
}

// ---- two threads ----

void ProducerActor::run() {
  const Nanos now = world_->clock.mono();
  if (now >= control_at_ && (world_->healed || random_.chance(3, 4))) {
    work_control();
    control_at_ = now + around(random_, plan().control_interval);
  }
  publish(true);
}

void ProducerActor::run_between() {
  publish(false);
}

void ProducerActor::run_beside() {
  if (publishing_) {
    TP_MARK("a lease's control work in the middle of a frame");
    publishing_ = false;
    work_control();
    publishing_ = true;
  }
}

void ProducerActor::work_control() {
  const base::Now now = world_->clock.now();
  lease_.run(now);
  if (offered_ != nullptr && lease_.holds_lease(now.mono) && now.mono >= activity_at_) {
    activity_at_ = now.mono + world_->scenario.settings.policies.announce_period;
    offered_->mapping->refresh_activity(now.mono);
  }
}

bool ProducerActor::begin_call() {
  if (writing_ != offered_) {
    if (writing_ != nullptr) {
      frames_.end();
    }
    writing_ = offered_;
    if (writing_ != nullptr) {
      frames_.begin(writing_->mapping, *world_->truth.find(writing_->stream_id, writing_->epoch),
                    world_->descriptors.at(writing_->stream_id));
    }
  }
  if (writing_ == nullptr) {
    return false;
  }
  const bool held = role_.may_write(writing_->epoch) && lease_.holds_lease(world_->clock.mono());
  if (!held && bug != PlantedBug::kWritesOn) {
    TP_MARK("a producer is refused, since its deadline has passed");
    return false;
  }
  world_->account.publishes(writing_->stream_id, writing_->epoch, writing_->client_id);
  return true;
}

void ProducerActor::publish(bool burst) {
  if (!begin_call()) {
    return;
  }
  if (world_->finished) {
    frames_.abort_all_claims();
    return;
  }
  publishing_ = true;
  if (burst) {
    frames_.work();
  } else {
    frames_.publish_frames(1);
  }
  publishing_ = false;
}

// ---- the lease ----

Status ProducerActor::map(const core::region::MappingPlan& plan, Nanos) {
  auto opened = world_->disk.store().open(plan);
  if (!opened) {
    return fail(opened.error());
  }
  const EpochTruth* const truth = world_->truth.find(plan.stream_id(), plan.epoch());
  if (truth == nullptr || truth->committed != 0) {
    world_->verdict.fail(Failure::kSafety, "a producer gets an epoch with frames in it");
  }
  offered_ = std::make_shared<Writable>(Writable{.epoch = plan.epoch(),
                                                 .stream_id = plan.stream_id(),
                                                 .client_id = lease_.machine().client_id(),
                                                 .mapping = *std::move(opened)});
  return {};
}

void ProducerActor::unmap(UnmapReason, Nanos) {
  if (bug != PlantedBug::kWritesOn) {
    offered_ = nullptr;
  }
}

void ProducerActor::report(const core::attach::AttachReport& report) {
  role_.on_report(report, lease_.machine().grant().plan.epoch());
}

std::string ProducerActor::describe() const {
  constexpr const char* kStates[] = {"idle", "active", "paused"};
  return alive ? std::string(kStates[static_cast<std::size_t>(role_.state())]) + ", lease " +
                     std::to_string(static_cast<int>(lease_.machine().state())) + ", epoch " +
                     std::to_string(epoch()) + ", said: " + std::string(lease_.machine().text())
               : "dead";
}

}  // namespace tensorpool::inline v0::sim::driver
