#include "parts/stage.hpp"

#include <algorithm>
#include <utility>

namespace tensorpool::inline v0::sim {

using std::chrono::milliseconds;

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

Stage::Stage(const Options& options, Surroundings& surroundings, Script& script)
    : options_(options),
      around_(&surroundings),
      script_(&script),
      outer_steps_(std::exchange(sim::steps, &steps_)),
      random_(random_for(options.seed, 5)) {
  steps_.preempt_by(this);
}

Stage::~Stage() {
  sim::steps = outer_steps_;
}

void Stage::begin() {
  buggifier = {.seed = options_.seed, .random = random_for(options_.seed, 6)};
  base::simulation::buggify = [](const char* site) noexcept { return buggifier.fires(site); };
  started_ = now();
  heal_at_ = started_ + options_.faults_for;
  plan_preemption();
  for (std::uint32_t k = 0; k < actors_.size(); ++k) {
    start(k);
  }
}

void Stage::plan_at(Nanos at, EventKind kind, std::uint32_t actor) {
  queue_.put({.at = at, .kind = kind, .actor = actor, .life = actors_[actor]->life});
}

void Stage::plan_strike(Nanos at, std::uint32_t strike, std::uint32_t actor) {
  queue_.put({.at = at, .kind = EventKind::kStrike, .actor = actor, .strike = strike});
}

// ---- events ----

void Stage::run_until(Nanos until) {
  Event event;
  while (!around_->verdict.failed() && queue_.take(until, event)) {
    around_->clock.advance_to(std::max(event.at, now()));
    ++events_;
    handle(event);
  }
  // A process that was preempted meanwhile may have slept longer.
  around_->clock.advance_to(std::max(until, now()));
}

void Stage::handle(const Event& event) {
  const bool faults = !around_->healed;
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
      if (!actors_[event.actor]->alive) {
        start(event.actor);
      }
      break;
    case EventKind::kPause:
      pause_wanted_ = faults ? actors_[event.actor].get() : nullptr;
      break;
    case EventKind::kStrike:
      script_->strike(event);
      break;
  }
}

void Stage::wake(const Event& event) {
  Actor& actor = *actors_[event.actor];
  if (!actor.alive || actor.life != event.life) {
    return;
  }
  if (!actor.busy) {
    const Nanos paused = pause_wanted_ == &actor ? pause_span() : Nanos{};
    if (paused != Nanos{} && random_.chance(1, 2)) {  // stopped between two duty cycles
      pause_wanted_ = nullptr;
      Event later = event;
      later.at = std::min(now() + paused, std::max(heal_at_, now()));
      queue_.put(later);
      return;
    }
    if (paused != Nanos{}) {  // stopped within this one
      steps_.preempt_after(random_.between(1, 40));
    }
    within(event.actor, [](Actor& woken) { woken.run(); });
    script_->check();
  }
  if (actor.alive) {
    plan_at(now() + actor.interval(), EventKind::kWake, event.actor);
  }
}

void Stage::start(std::uint32_t index) {
  Actor& actor = *actors_[index];
  around_->verdict.note(now(), "actor", index, "starts");
  actor.start();
  plan_at(now() + up_to(milliseconds(5)), EventKind::kWake, index);
}

void Stage::kill(std::uint32_t index) {
  Actor& actor = *actors_[index];
  if (!actor.alive) {
    return;
  }
  if (const std::uint64_t soon = actor.dies_within(); soon != 0 && !actor.busy) {
    actor.process.stores_left = random_.below(soon);
    return;
  }
  actor.process.dead = true;
  if (!actor.busy) {
    bury_if_dead(index);
  }
}

void Stage::bury_if_dead(std::uint32_t index) {
  Actor& actor = *actors_[index];
  if (!actor.alive || !actor.process.dead) {
    return;
  }
  ++crashes_;
  around_->verdict.note(now(), "actor", index, "dies");
  actor.bury();
  const Nanos later = around_->healed ? Nanos{} : up_to(options_.restart_max);
  plan_at(now() + later, EventKind::kRestart, index);
}

// ---- preemption ----

void Stage::plan_preemption() {
  steps_.preempt_after(random_.between(1, 2 * options_.preempt_steps));
}

void Stage::preempt() noexcept {
  plan_preemption();
  if (depth_ == kDepthMax || running_ == nullptr || around_->verdict.failed()) {
    return;
  }
  ++depth_;
  ++preemptions_;
  Actor* const preempted = running_;
  if (pause_wanted_ == preempted) {
    pause_wanted_ = nullptr;
    pause(pause_span());
  } else {
    let_others_run();
  }
  --depth_;
}

Nanos Stage::pause_span() {
  return options_.pause_min + up_to(options_.pause_max - options_.pause_min);
}

/// SIGSTOP in the middle of an operation: the world goes on without this process.
void Stage::pause(Nanos span) {
  running_->stopped_inside();
  Actor* const stopped = std::exchange(running_, nullptr);
  Process* const process = steps_.enter(nullptr);
  const Nanos until = std::min(now() + span, heal_at_);
  around_->verdict.note(now(), "world", 0, "stops a process, us",
                        static_cast<std::uint64_t>(span.count() / 1000));
  run_until(std::max(until, now()));
  steps_.enter(process);
  running_ = stopped;
}

/// Another process gets a time slice: mostly a short one, now and then one that laps the ring.
void Stage::let_others_run() {
  const Turn turn = script_->next_turn();
  Actor& other = *actors_[turn.actor];
  if (!other.alive) {
    return;
  }
  if (other.busy) {
    within(turn.actor, [](Actor& beside) { beside.run_beside(); });
    return;
  }
  for (std::uint64_t times = turn.times; times != 0 && other.alive; --times) {
    ++events_;
    within(turn.actor, [](Actor& between) { between.run_between(); });
  }
}

// ---- the end ----

void Stage::heal() {
  around_->healed = true;
  around_->verdict.note(now(), "world", 0, "heals");
  for (std::uint32_t k = 0; k < actors_.size(); ++k) {
    Actor& actor = *actors_[k];
    if (actor.wants_to_die()) {
      actor.process.dead = true;
      bury_if_dead(k);
    }
    if (!actor.alive) {
      start(k);
    }
    actor.process.stores_left = Process::kImmortal;
  }
}

}  // namespace tensorpool::inline v0::sim
