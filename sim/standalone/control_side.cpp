#include "standalone/control_side.hpp"

namespace tensorpool::inline v0::sim::standalone {

ControlSide::ControlSide(Environment& environment, std::uint32_t index)
    : world_(&environment),
      index_(index),
      random_(random_for(environment.scenario.seed, 200 + index)),
      mapping_(environment, environment.store, environment.truth, *this, index) {}

void ControlSide::start(bool use_shm) {
  const Nanos now = world_->clock.mono();
  const core::Timing timing = core::Timing::around(world_->scenario.announce_period);
  announces_checked_.emplace(kStreamId, timing);
  mappings_checked_.emplace(world_->verdict, timing);
  mapping_.start({.stream_id = kStreamId, .timing = timing, .use_shm = use_shm});
  world_->control.subscribe(index_, now, random_.below(4));
}

void ControlSide::bury() {
  world_->control.unsubscribe(index_);
  mapping_.bury();
}

void ControlSide::run() {
  const base::Now now = world_->clock.now();
  hear_announces(now);
  mapping_.run(now.mono);
  if (offered() != nullptr) {
    mappings_checked_->check(offered()->mapping->peek(), now.mono);
  }
}

void ControlSide::configure(bool use_shm, const char* fallback_uri) {
  note("is configured", use_shm ? 1 : 0);
  mapping_.machine().on_config(use_shm, fallback_uri);
  mapping_.carry_out_actions(world_->clock.mono());
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
  const MappingSide::Machine& machine = mapping_.machine();
  const std::uint64_t epoch = machine.epoch();
  const MappingState state = machine.state();
  layout::ShmPoolAnnounce heard = announce.message;
  if (believes_announces) {
    heard.stream_id = kStreamId;
    heard.announce_clock_domain = layout::ClockDomain::kMonotonic;
    heard.announce_timestamp_ns = static_cast<std::uint64_t>(now.mono.count());
  }
  heard_at_ = now.mono;
  mapping_.machine().on_announce(heard, joined_at, now);
  const int actions = mapping_.carry_out_actions(now.mono);
  mappings_checked_->announce_ends();
  if (!ignored) {
    return;
  }
  TP_MARK("an announce is ignored");
  if (actions != 0 || machine.epoch() != epoch || machine.state() != state) {
    fail("an announce that is to be ignored had an effect");
  }
}

void ControlSide::maps(const SimMapping& mapping) {
  mappings_checked_->maps(mapping_.machine().epoch(), mapping.peek(), heard_at_);
}

void ControlSide::note(const char* what, std::uint64_t a, std::uint64_t b) {
  world_->verdict.note(world_->clock.mono(), "consumer", index_, what, a, b);
}

}  // namespace tensorpool::inline v0::sim::standalone
