#include "world.hpp"

#include <algorithm>
#include <string>

namespace tensorpool::inline v0::sim {

using std::chrono::milliseconds;

RunStats& RunStats::operator+=(const RunStats& other) noexcept {
  events += other.events;
  steps += other.steps;
  frames_published += other.frames_published;
  frames_received += other.frames_received;
  crashes += other.crashes;
  laps += other.laps;
  messages_lost += other.messages_lost;
  messages_doubled += other.messages_doubled;
  messages_reordered += other.messages_reordered;
  messages_delayed += other.messages_delayed;
  preemptions += other.preemptions;
  virtual_time += other.virtual_time;
  return *this;
}

namespace {

/// Decides for TP_BUGGIFY: a quarter of the sites of a run fire, one time out of sixteen.
struct Buggifier {
  std::uint64_t seed = 0;
  base::Random random{0};

  [[nodiscard]] bool fires(const char* site) noexcept {
    std::uint64_t hash = seed;
    for (const char* c = site; *c != 0; ++c) {
      hash = (hash ^ static_cast<unsigned char>(*c)) * 0x100'0000'01B3ULL;
    }
    return base::Random(hash).chance(1, 4) && random.chance(1, 16);
  }
};
thread_local Buggifier buggifier;

}  // namespace

World::World(const Scenario& scenario, PlantedBug bug)
    : scenario_(scenario), environment_(scenario_), random_(random_for(scenario.seed, 5)) {
  auto producer = std::make_unique<ProducerActor>(environment_);
  producer_ = producer.get();
  actors_.push_back(std::move(producer));
  for (std::uint32_t k = 0; k < scenario_.consumers.size(); ++k) {
    auto consumer = std::make_unique<ConsumerActor>(environment_, k);
    consumers_.push_back(consumer.get());
    actors_.push_back(std::move(consumer));
  }
  environment_.on_committed = [this](std::uint64_t seq) {
    for (ConsumerActor* consumer : consumers_) {
      consumer->frame_committed(environment_.truth.current(), seq);
    }
  };
  plant(bug);
  steps_.preempt_by(this);
}

void World::plant(PlantedBug bug) {
  const auto without = [this](Edge edge) { steps_.mutant = {.planted = true, .edge = edge}; };
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
  Steps* const outer = std::exchange(steps, &steps_);
  buggifier = {.seed = scenario().seed, .random = random_for(scenario().seed, 6)};
  base::simulation::buggify = [](const char* site) noexcept { return buggifier.fires(site); };
  started_ = environment_.clock.mono();
  heal_at_ = started_ + scenario().faults_for;
  plan_preemption();
  for (std::uint32_t k = 0; k < actors_.size(); ++k) {
    start(k);
  }
  plan_faults();
  run_until(heal_at_);
  while (!verdict().failed() && environment_.truth.frames < scenario().frames_under_faults) {
    heal_at_ += milliseconds(500);
    run_until(heal_at_);
  }
  heal();
  demand_progress();
  demand_arrival();
  check_promises();
  steps = outer;
}

RunStats World::stats() const {
  RunStats all = stats_;
  all.steps = steps_.taken();
  all.frames_published = environment_.truth.frames;
  all.laps = environment_.truth.laps;
  all.virtual_time = environment_.clock.mono() - started_;
  for (const ConsumerActor* consumer : consumers_) {
    all.frames_received += consumer->frames();
  }
  for (const BusCounts& counts :
       {environment_.descriptors.counts(), environment_.control.counts()}) {
    all.events += counts.taken;
    all.messages_lost += counts.lost;
    all.messages_doubled += counts.doubled;
    all.messages_reordered += counts.reordered;
    all.messages_delayed += counts.delayed;
  }
  return all;
}

// ---- faults ----

void World::plan_faults() {
  const auto some_consumer = [this] {
    return static_cast<std::uint32_t>(1 + random_.below(consumers_.size()));
  };
  for (std::uint32_t k = 0; k < scenario().producer_crashes; ++k) {
    plan_at(anywhen(), EventKind::kCrash, kProducer);
  }
  for (std::uint32_t k = 0; k < scenario().consumer_crashes; ++k) {
    plan_at(anywhen(), EventKind::kCrash, some_consumer());
  }
  for (std::uint32_t k = 0; k < scenario().pauses; ++k) {
    plan_at(anywhen(), EventKind::kPause, random_.chance(1, 2) ? kProducer : some_consumer());
  }
  for (std::uint32_t k = 0; k < scenario().bus_blocks; ++k) {
    plan_at(anywhen(), EventKind::kBlockBus, kProducer);
  }
  for (std::uint32_t k = 0; k < scenario().clock_jumps; ++k) {
    plan_at(anywhen(), EventKind::kClockJump, kProducer);
  }
  for (std::uint32_t k = 0; k < scenario().configurations; ++k) {
    plan_at(anywhen(), EventKind::kConfigure, some_consumer());
  }
  for (std::uint32_t k = 0; k < scenario().nonsense; ++k) {
    plan_at(anywhen(), EventKind::kNonsense, kProducer);
  }
  for (std::uint32_t k = 0; k < scenario().scribbles; ++k) {
    plan_at(anywhen(), EventKind::kScribble, kProducer);
  }
}

void World::plan_at(Nanos at, EventKind kind, std::uint32_t actor) {
  queue_.put({.at = at, .kind = kind, .actor = actor, .life = actors_[actor]->life});
}

Nanos World::anywhen() {
  return started_ + up_to(scenario().faults_for);
}

Nanos World::up_to(Nanos most) {
  return Nanos(
      static_cast<std::int64_t>(random_.below(static_cast<std::uint64_t>(most.count()) + 1)));
}

// ---- events ----

void World::run_until(Nanos until) {
  Event event;
  while (!verdict().failed() && queue_.take(until, event)) {
    environment_.clock.advance_to(std::max(event.at, environment_.clock.mono()));
    ++stats_.events;
    handle(event);
  }
  // A process that was preempted meanwhile may have slept longer.
  environment_.clock.advance_to(std::max(until, environment_.clock.mono()));
}

void World::handle(const Event& event) {
  const bool faults = !environment_.healed;
  Actor& actor = *actors_[event.actor];
  switch (event.kind) {
    case EventKind::kWake:
      wake(event);
      break;
    case EventKind::kCrash:
      if (faults) {
        kill(event.actor);
      }
      break;
    case EventKind::kRestart:
      if (!actor.alive) {
        start(event.actor);
      }
      break;
    case EventKind::kPause:
      pause_wanted_ = faults ? &actor : nullptr;
      break;
    case EventKind::kBlockBus:
      if (faults) {
        environment_.descriptors.block_until(environment_.clock.mono() + up_to(milliseconds(200)));
      }
      break;
    case EventKind::kClockJump:
      environment_.clock.jump_real(up_to(std::chrono::seconds(20)) - std::chrono::seconds(10));
      break;
    case EventKind::kConfigure:
      if (faults && actor.alive && !actor.busy) {
        run_actor(actor, &Actor::reconfigure);
      }
      break;
    case EventKind::kNonsense:
      if (faults) {
        producer_->talk_nonsense();
      }
      break;
    case EventKind::kScribble:
      if (faults) {
        producer_->scribble_pid();
      }
      break;
  }
}

void World::wake(const Event& event) {
  Actor& actor = *actors_[event.actor];
  if (!actor.alive || actor.life != event.life) {
    return;
  }
  if (!actor.busy) {
    const Nanos paused = pause_wanted_ == &actor ? up_to(scenario().pause_max) : Nanos{};
    if (paused != Nanos{} && random_.chance(1, 2)) {  // stopped between two duty cycles
      pause_wanted_ = nullptr;
      Event later = event;
      later.at = std::min(environment_.clock.mono() + paused, heal_at_);
      queue_.put(later);
      return;
    }
    if (paused != Nanos{}) {  // stopped within this one
      steps_.preempt_after(random_.between(1, 40));
    }
    run_actor(actor, &Actor::run);
  }
  if (actor.alive) {
    plan_at(environment_.clock.mono() + actor.interval(), EventKind::kWake, event.actor);
  }
}

void World::run_actor(Actor& actor, void (Actor::*what)()) {
  const bool was_busy = std::exchange(actor.busy, true);
  Actor* const other = std::exchange(running_, &actor);
  Process* const other_process = steps_.enter(&actor.process);
  (actor.*what)();
  steps_.enter(other_process);
  running_ = other;
  actor.busy = was_busy;
  if (was_busy) {
    return;
  }
  const auto index = static_cast<std::uint32_t>(
      std::find_if(actors_.begin(), actors_.end(),
                   [&](const auto& owned) { return owned.get() == &actor; }) -
      actors_.begin());
  bury_if_dead(index);
}

void World::start(std::uint32_t index) {
  Actor& actor = *actors_[index];
  environment_.verdict.note(environment_.clock.mono(), "actor", index, "starts");
  actor.start();
  plan_at(environment_.clock.mono() + up_to(milliseconds(5)), EventKind::kWake, index);
}

/// SIGKILL. A producer dies before one of its next stores, a consumer at once.
void World::kill(std::uint32_t index) {
  Actor& actor = *actors_[index];
  if (!actor.alive) {
    return;
  }
  if (index == kProducer && !actor.busy) {
    actor.process.stores_left = random_.below(80);
    return;
  }
  actor.process.dead = true;
  if (!actor.busy) {
    bury_if_dead(index);
  }
}

void World::bury_if_dead(std::uint32_t index) {
  Actor& actor = *actors_[index];
  if (!actor.alive || !actor.process.dead) {
    return;
  }
  ++stats_.crashes;
  environment_.verdict.note(environment_.clock.mono(), "actor", index, "dies");
  actor.bury();
  const Nanos later = environment_.healed ? Nanos{} : up_to(scenario().restart_max);
  plan_at(environment_.clock.mono() + later, EventKind::kRestart, index);
}

// ---- preemption ----

void World::plan_preemption() {
  steps_.preempt_after(random_.between(1, 2 * scenario().preempt_steps));
}

void World::preempt() noexcept {
  plan_preemption();
  if (depth_ == kDepthMax || running_ == nullptr || verdict().failed()) {
    return;
  }
  ++depth_;
  ++stats_.preemptions;
  Actor* const preempted = running_;
  if (pause_wanted_ == preempted) {
    pause_wanted_ = nullptr;
    pause(up_to(scenario().pause_max));
  } else {
    let_others_run();
  }
  --depth_;
}

/// SIGSTOP in the middle of an operation: the world goes on without this process.
void World::pause(Nanos span) {
  if (running_ == producer_) {
    TP_MARK("a producer is stopped in the middle of an operation");
  } else {
    TP_MARK("a consumer is stopped in the middle of an operation");
  }
  Actor* const stopped = std::exchange(running_, nullptr);
  Process* const process = steps_.enter(nullptr);
  const Nanos until = std::min(environment_.clock.mono() + span, heal_at_);
  environment_.verdict.note(environment_.clock.mono(), "world", 0, "stops a process, us",
                            static_cast<std::uint64_t>(span.count() / 1000));
  run_until(std::max(until, environment_.clock.mono()));
  steps_.enter(process);
  running_ = stopped;
}

/// Another process gets a time slice: mostly a short one, now and then one that laps the ring.
void World::let_others_run() {
  Actor& other = *actors_[random_.chance(2, 5) ? kProducer : random_.below(actors_.size())];
  if (!other.alive) {
    return;
  }
  if (other.busy) {
    run_actor(other, &Actor::run_beside);
    return;
  }
  std::uint64_t times = 1;
  if (&other == producer_ && random_.chance(1, 2 * producer_->nslots() + 8)) {
    times = random_.between(2, 2 * producer_->nslots());
  }
  for (; times != 0 && other.alive; --times) {
    ++stats_.events;
    run_actor(other, &Actor::run_between);
  }
}

// ---- the end ----

void World::heal() {
  TP_ASSERT(!crashes_);
  environment_.healed = true;
  environment_.verdict.note(environment_.clock.mono(), "world", 0, "heals");
  environment_.descriptors.heal();
  environment_.control.heal();
  for (std::uint32_t k = 0; k < actors_.size(); ++k) {
    Actor& actor = *actors_[k];
    if (k == kProducer && producer_->scribbled()) {  // only a higher epoch helps (W238)
      actor.process.dead = true;
      bury_if_dead(k);
    }
    if (!actor.alive) {
      start(k);
    }
    actor.process.stores_left = Process::kImmortal;
  }
  // What is still on its way arrives and is taken. A nonsensical announce may make a consumer fall
  // back for good, and then only a configuration brings it back.
  run_until(environment_.clock.mono() +
            std::max(scenario().descriptor_faults.delay_max, scenario().control_faults.delay_max) +
            milliseconds(100));
  for (ConsumerActor* consumer : consumers_) {
    if (consumer->alive) {
      run_actor(*consumer, &Actor::reconfigure);
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
  run_until(environment_.clock.mono() + timing.liveness_timeout + 3 * timing.announce_period +
            milliseconds(100));
  std::vector<Calm> before;
  for (const ConsumerActor* consumer : consumers_) {
    before.push_back(calm_of(*consumer));
  }
  run_until(environment_.clock.mono() + 30 * scenario().producer.frame_interval + kProofOfAbort);
  for (std::size_t k = 0; k < consumers_.size(); ++k) {
    if (!consumer(k).mapped_to(environment_.truth.current())) {
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
  run_until(environment_.clock.mono() + 30 * scenario().producer.frame_interval);
}

World::Calm World::calm_of(const ConsumerActor& consumer) {
  const ConsumerCounters& counters = consumer.receiver().counters();
  return {.frames = consumer.frames(),
          .remaps = counters.remaps,
          .resyncs = counters.resyncs,
          .drops_gap = counters.drops_gap,
          .last_seq = consumer.receiver().last_seq()};
}

/// In calm times every descriptor arrives: what is missing was aborted, number by number.
void World::demand_no_loss(std::size_t consumer_index, const Calm& before) {
  const Calm now = calm_of(consumer(consumer_index));
  if (!consumer(consumer_index).reads_each_descriptor() || now.remaps != before.remaps ||
      now.resyncs != before.resyncs || before.last_seq == 0) {
    return;
  }
  const auto& aborted = environment_.truth.of(environment_.truth.current()).aborted;
  const auto lost =
      std::distance(aborted.upper_bound(before.last_seq), aborted.upper_bound(now.last_seq));
  if (now.drops_gap - before.drops_gap != static_cast<std::uint64_t>(lost)) {
    environment_.verdict.fail(
        Failure::kSafety,
        "consumer " + std::to_string(consumer_index) + " (" + consumer(consumer_index).describe() +
            ") missed " + std::to_string(now.drops_gap - before.drops_gap) +
            " numbers in calm times, and " + std::to_string(lost) + " were aborted");
  }
}

/// The very last frame reaches everybody.
void World::demand_arrival() {
  environment_.finished = true;
  run_until(environment_.clock.mono() + kProofOfAbort + milliseconds(50));
  const std::uint64_t newest = environment_.truth.of(environment_.truth.current()).newest;
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

}  // namespace tensorpool::inline v0::sim
