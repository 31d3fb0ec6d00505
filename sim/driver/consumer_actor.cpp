#include "driver/consumer_actor.hpp"

#include <algorithm>

namespace tensorpool::inline v0::sim::driver {

ConsumerActor::ConsumerActor(Environment& environment, std::uint32_t index)
    : world_(&environment),
      index_(index),
      random_(random_for(environment.scenario.seed, 300 + index)),
      lease_(environment, index, *this),
      mapping_(environment, environment.disk.store(), environment.truth, *this, index),
      data_(environment, environment.descriptors.at(client().stream_id), plan(),
            {.index = index, .stream_id = client().stream_id, .seed = environment.scenario.seed}) {}

void ConsumerActor::start() {
  process = {};
  alive = true;
  ++life;
  lowest_epoch_ = 0;
  polling_ = false;
  kept_ = nullptr;
  data_.bugs.forgets_gaps = bug == PlantedBug::kForgetsGaps;
  data_.bugs.begins_late = bug == PlantedBug::kBeginsLate;
  const core::Timing timing =
      core::Timing::around(world_->scenario.settings.policies.announce_period);
  announces_checked_.emplace(stream_id(), timing);
  mapping_.start({.stream_id = stream_id(),
                  .timing = timing,
                  .use_shm = world_->healed || !random_.chance(plan().without_shm_permille, 1000),
                  .standalone = false});
  data_.start();
  lease_.start();
}

void ConsumerActor::bury() {
  alive = false;
  data_.bury();
  mapping_.bury();
  lease_.bury();
}

Nanos ConsumerActor::interval() {
  const Nanos most = std::chrono::milliseconds(4);
  return around(random_,
                world_->healed ? std::min(plan().poll_interval, most) : plan().poll_interval);
}

// ---- two threads ----

void ConsumerActor::run() {
  const bool both = !plan().control_thread || world_->healed;
  const std::uint64_t which = both ? 0 : random_.below(3);
  const bool lazy = bug == PlantedBug::kReadsOn && !random_.chance(1, 8);
  if (which != 1 && !lazy) {
    work_control();
  }
  if (which != 2) {
    poll();
  }
}

void ConsumerActor::run_beside() {
  if (polling_ && plan().control_thread) {
    polling_ = false;
    TP_MARK("a lease's control work in the middle of a poll");
    work_control();
    polling_ = true;
  }
}

void ConsumerActor::work_control() {
  const base::Now now = world_->clock.now();
  lease_.run(now);
  mapping_.run(now.mono);
}

void ConsumerActor::poll() {
  polling_ = true;
  const Nanos now = world_->clock.mono();
  auto offered = mapping_.offered();
  const bool held = offered != nullptr && lease_.holds_lease(now);
  if (offered != nullptr && !held && bug != PlantedBug::kReadsOn) {
    TP_MARK("a consumer reads nothing, since its deadline has passed");
    offered = nullptr;
  }
  if (bug == PlantedBug::kStaysInEpoch) {
    kept_ = kept_ == nullptr ? offered : kept_;
    offered = kept_;
  }
  data_.poll(std::move(offered), mapping_.machine().state(),
             {.lowest_epoch = lowest_epoch_, .deadline = lease_.machine().lease_deadline()});
  polling_ = false;
}

void ConsumerActor::reconfigure() {
  const char* const any = random_.chance(1, 2) ? "bridge://elsewhere" : "";
  mapping_.machine().on_config(
      world_->healed || random_.chance(1, 2),
      world_->healed ? "bridge://healed" : any);  // the same again changes nothing
  mapping_.carry_out_actions(world_->clock.mono());
}

// ---- lease and mapping, connected as the banners of their machines say ----

Status ConsumerActor::map(const core::region::MappingPlan& plan, Nanos now) {
  mapping_.forget_refusal();
  mapping_.machine().on_attached(plan, now);
  mapping_.carry_out_actions(now);
  if (mapping_.refused()) {
    return tensorpool::fail(Errc::kNotFound);
  }
  announces_checked_->attached(plan.epoch(), now);
  lowest_epoch_ = plan.epoch();
  return {};
}

void ConsumerActor::unmap(UnmapReason reason, Nanos now) {
  mapping_.machine().on_lease_lost(reason);
  mapping_.carry_out_actions(now);
}

void ConsumerActor::gives_lease_back() {
  TP_MARK("a consumer gives its lease back, since nothing can be mapped");
  lease_.give_up();
}

void ConsumerActor::on_announce(const layout::ShmPoolAnnounce& announce, Nanos joined_at,
                                const base::Now& now) {
  const bool ignored = announces_checked_->must_be_ignored(announce, joined_at, now);
  const std::uint64_t epoch = mapping_.machine().epoch();
  const MappingState state = mapping_.machine().state();
  mapping_.machine().on_announce(announce, joined_at, now);
  const int actions = mapping_.carry_out_actions(now.mono);
  if (!ignored) {
    lowest_epoch_ = std::max(lowest_epoch_, announce.epoch);
  } else if (actions != 0 || mapping_.machine().epoch() != epoch ||
             mapping_.machine().state() != state) {
    fail("an announce that is to be ignored had an effect");
  }
}

void ConsumerActor::on_revoked(const layout::ShmLeaseRevoked& notice, Nanos now) {
  mapping_.machine().on_revoked(notice);
  mapping_.carry_out_actions(now);
}

bool ConsumerActor::mapped_to(std::uint64_t epoch) const noexcept {
  return alive && mapping_.offered() != nullptr && mapping_.offered()->epoch == epoch &&
         data_.receiver().epoch() == epoch;
}

std::string ConsumerActor::describe() const {
  if (!alive) {
    return "dead";
  }
  constexpr const char* kModes[] = {"descriptor", "recovering", "direct"};
  return std::string(kModes[static_cast<std::size_t>(plan().mode)]) + ", " +
         std::string(to_string(mapping_.machine().state())) + ", lease " +
         std::to_string(static_cast<int>(lease_.machine().state())) + ", epoch " +
         std::to_string(mapping_.machine().epoch()) + ", last frame " +
         std::to_string(data_.receiver().last_seq()) +
         ", said: " + std::string(lease_.machine().text());
}

}  // namespace tensorpool::inline v0::sim::driver
