#include "standalone/world.hpp"

#include <memory>

namespace tensorpool::inline v0::sim::standalone {

using std::chrono::milliseconds;

World::World(const Scenario& scenario, PlantedBug bug)
    : scenario_(scenario),
      environment_(scenario_),
      stage_({.seed = scenario.seed,
              .preempt_steps = scenario.preempt_steps,
              .pause_max = scenario.pause_max,
              .restart_max = scenario.restart_max,
              .faults_for = scenario.faults_for},
             environment_, *this) {
  auto producer = std::make_unique<ProducerActor>(environment_);
  producer_ = producer.get();
  stage_.add(std::move(producer));
  for (std::uint32_t k = 0; k < scenario_.consumers.size(); ++k) {
    auto consumer = std::make_unique<ConsumerActor>(environment_, k);
    consumers_.push_back(consumer.get());
    stage_.add(std::move(consumer));
  }
  environment_.on_committed = [this](const EpochTruth& epoch, std::uint64_t seq) {
    for (ConsumerActor* consumer : consumers_) {
      consumer->frame_committed(epoch.epoch, seq);
    }
  };
  plant(bug);
}

void World::plant(PlantedBug bug) {
  const auto without = [this](Edge edge) {
    stage_.steps().mutant = {.planted = true, .edge = edge};
  };
  switch (bug) {
    case PlantedBug::kNone:
      break;
    case PlantedBug::kNoFirstCheck:
      return without(Edge::kFirstCheck);
    case PlantedBug::kNoSecondCheck:
      return without(Edge::kSecondCheck);
    case PlantedBug::kNoCheckAfterUse:
      return without(Edge::kAfterUseCheck);
    case PlantedBug::kNoInProgress:
      return without(Edge::kBeginStore);
    case PlantedBug::kForgetsGaps:
    case PlantedBug::kKeepsMapping:
    case PlantedBug::kBelievesAnnounces:
      for (ConsumerActor* consumer : consumers_) {
        consumer->data().bugs = {.forgets_gaps = bug == PlantedBug::kForgetsGaps,
                                 .keeps_mapping = bug == PlantedBug::kKeepsMapping};
        consumer->control().believes_announces = bug == PlantedBug::kBelievesAnnounces;
      }
      break;
    case PlantedBug::kMuteAfterRestart:
      producer_->mutes_after_restart = true;
      break;
    case PlantedBug::kCrash:
      crashes_ = true;
      break;
  }
}

void World::run() {
  stage_.begin();
  plan_faults();
  stage_.run_until(stage_.heal_at());
  while (!verdict().failed() && environment_.truth.frames < scenario().frames_under_faults) {
    stage_.put_off_healing(milliseconds(500));
    stage_.run_until(stage_.heal_at());
  }
  heal();
  demand_progress();
  demand_arrival();
  check_promises();
}

RunStats World::stats() const {
  RunStats all{.events = stage_.events(),
               .steps = stage_.steps().taken(),
               .frames_published = environment_.truth.frames,
               .crashes = stage_.crashes(),
               .laps = environment_.truth.laps,
               .epochs = environment_.truth.epochs(),
               .preemptions = stage_.preemptions(),
               .virtual_time = stage_.virtual_time()};
  for (const ConsumerActor* consumer : consumers_) {
    all.frames_received += consumer->frames();
  }
  all += environment_.descriptors.counts();
  all += environment_.control.counts();
  return all;
}

// ---- faults ----

void World::plan_faults() {
  const auto some_consumer = [this] {
    return static_cast<std::uint32_t>(1 + stage_.random().below(consumers_.size()));
  };
  const auto strikes = [this](std::uint32_t count, Strike strike) {
    for (; count != 0; --count) {
      stage_.plan_strike(stage_.anywhen(), strike, kProducer);
    }
  };
  for (std::uint32_t k = 0; k < scenario().producer_crashes; ++k) {
    stage_.plan_at(stage_.anywhen(), EventKind::kCrash, kProducer);
  }
  for (std::uint32_t k = 0; k < scenario().consumer_crashes; ++k) {
    const Nanos at = stage_.anywhen();
    stage_.plan_at(at, EventKind::kCrash, some_consumer());
  }
  for (std::uint32_t k = 0; k < scenario().pauses; ++k) {
    const Nanos at = stage_.anywhen();
    stage_.plan_at(at, EventKind::kPause,
                   stage_.random().chance(1, 2) ? kProducer : some_consumer());
  }
  strikes(scenario().bus_blocks, kBlockBus);
  strikes(scenario().clock_jumps, kClockJump);
  for (std::uint32_t k = 0; k < scenario().configurations; ++k) {
    const Nanos at = stage_.anywhen();
    stage_.plan_strike(at, kConfigure, some_consumer());
  }
  strikes(scenario().nonsense, kNonsense);
  strikes(scenario().scribbles, kScribble);
}

void World::strike(const Event& event) {
  const bool faults = !environment_.healed;
  const Actor& struck = stage_.actor(event.actor);
  switch (static_cast<Strike>(event.strike)) {
    case kBlockBus:
      if (faults) {
        environment_.descriptors.block_until(environment_.clock.mono() +
                                             stage_.up_to(milliseconds(200)));
      }
      break;
    case kClockJump:
      environment_.clock.jump_real(stage_.up_to(std::chrono::seconds(20)) -
                                   std::chrono::seconds(10));
      break;
    case kConfigure:
      if (faults && struck.alive && !struck.busy) {
        stage_.within(event.actor, [&](Actor&) { consumer(event.actor - 1).reconfigure(); });
      }
      break;
    case kNonsense:
      if (faults) {
        producer_->talk_nonsense();
      }
      break;
    case kScribble:
      if (faults) {
        producer_->scribble_pid();
      }
      break;
  }
}

/// Mostly the producer; now and then it laps the ring meanwhile.
Turn World::next_turn() {
  base::Random& random = stage_.random();
  Turn turn{.actor = random.chance(2, 5)
                         ? kProducer
                         : static_cast<std::uint32_t>(random.below(stage_.actors()))};
  const Actor& other = stage_.actor(turn.actor);
  if (turn.actor == kProducer && other.alive && !other.busy &&
      random.chance(1, 2 * producer_->nslots() + 8)) {
    turn.times = random.between(2, 2 * producer_->nslots());
  }
  return turn;
}

// ---- the end ----

void World::heal() {
  TP_ASSERT(!crashes_);
  environment_.descriptors.heal();
  environment_.control.heal();
  stage_.heal();
  // What is still on its way arrives and is taken. A nonsensical announce may make a consumer fall
  // back for good, and then only a configuration brings it back.
  stage_.run_for(
      std::max(scenario().descriptor_faults.delay_max, scenario().control_faults.delay_max) +
      milliseconds(100));
  for (std::uint32_t k = 0; k < consumers_.size(); ++k) {
    if (consumer(k).alive) {
      stage_.within(1 + k, [&](Actor&) { consumer(k).reconfigure(); });
    }
  }
}

/// Frames flow again within a bound that follows from the periods: the memory of a false epoch
/// (W222), which is a liveness timeout, and three announces.
void World::demand_progress() {
  const core::Timing timing = core::Timing::around(scenario().announce_period);
  if (scenario().silent_end) {
    environment_.descriptors.block_until(Nanos::max());
  }
  stage_.run_for(timing.liveness_timeout + 3 * timing.announce_period + milliseconds(100));
  std::vector<DataSide::Calm> before;
  for (const ConsumerActor* consumer : consumers_) {
    before.push_back(consumer->data().calm());
  }
  stage_.run_for(30 * scenario().producer.frame_interval + kProofOfAbort);
  for (std::size_t k = 0; k < consumers_.size(); ++k) {
    if (!consumer(k).mapped_to(environment_.truth.current(kStreamId))) {
      fail_liveness(k, "has not mapped the present epoch");
    } else if (scenario().silent_end && consumer(k).needs_descriptors()) {
      continue;
    } else if (consumer(k).frames() == before[k].frames) {
      fail_liveness(k, "receives no frames");
    } else {
      demand_no_loss(k, before[k]);
    }
  }
  environment_.descriptors.block_until({});
  stage_.run_for(30 * scenario().producer.frame_interval);
}

void World::demand_no_loss(std::size_t consumer_index, const DataSide::Calm& before) {
  const auto lost = consumer(consumer_index).data().lost_since(before, present());
  if (lost.value_or(0) != 0) {
    environment_.verdict.fail(Failure::kSafety, "consumer " + std::to_string(consumer_index) +
                                                    " (" + consumer(consumer_index).describe() +
                                                    ") missed " + std::to_string(*lost) +
                                                    " numbers in calm times");
  }
}

/// The very last frame reaches everybody.
void World::demand_arrival() {
  environment_.finished = true;
  stage_.run_for(kProofOfAbort + milliseconds(50));
  const std::uint64_t newest = present().newest;
  for (std::size_t k = 0; k < consumers_.size() && !verdict().failed(); ++k) {
    if (consumer(k).receiver().last_seq() < newest) {
      fail_liveness(k, "does not reach frame " + std::to_string(newest));
    }
  }
}

void World::fail_liveness(std::size_t consumer_index, const std::string& what) {
  environment_.verdict.fail(Failure::kLiveness, "consumer " + std::to_string(consumer_index) +
                                                    " (" + consumer(consumer_index).describe() +
                                                    ") " + what);
}

void World::check_promises() {
  const RunStats done = stats();
  if (done.virtual_time < std::chrono::seconds(10) || done.frames_published < 2000) {
    environment_.verdict.fail(Failure::kTooTame,
                              "only " + std::to_string(done.frames_published) + " frames");
  }
}

}  // namespace tensorpool::inline v0::sim::standalone
