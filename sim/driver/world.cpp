#include "driver/world.hpp"

#include <algorithm>
#include <memory>

namespace tensorpool::inline v0::sim::driver {

using layout::Role;
using std::chrono::milliseconds;
using std::chrono::seconds;

World::World(const Scenario& scenario, PlantedBug bug)
    : scenario_(scenario),
      environment_(scenario_),
      stage_({.seed = scenario.seed,
              .preempt_steps = scenario.preempt_steps,
              .pause_max = scenario.pause_max,
              .pause_min = scenario.pause_min,
              .restart_max = scenario.restart_max,
              .faults_for = scenario.faults_for},
             environment_, *this) {
  auto driver = std::make_unique<DriverActor>(environment_);
  driver_ = driver.get();
  driver_->bug = bug;
  stage_.add(std::move(driver));
  const auto add = [&]<class Client>(std::unique_ptr<Client> client, std::vector<Client*>& all) {
    client->bug = bug;
    all.push_back(client.get());
    clients_.push_back(client.get());
    stage_.add(std::move(client));
  };
  for (std::uint32_t k = 0; k < scenario_.clients.size(); ++k) {
    if (scenario_.clients[k].role == Role::kProducer) {
      add(std::make_unique<ProducerActor>(environment_, k), producers_);
    } else {
      add(std::make_unique<ConsumerActor>(environment_, k), consumers_);
    }
  }
  environment_.on_committed = [this](const EpochTruth& epoch, std::uint64_t seq) {
    for (ConsumerActor* consumer : consumers_) {
      if (consumer->stream_id() == epoch.stream_id) {
        consumer->data().frame_committed(epoch.epoch, seq);
      }
    }
  };
}

void World::run() {
  stage_.begin();
  plan_faults();
  stage_.run_until(stage_.heal_at());
  heal();
  demand_flow();
  demand_arrival();
  demand_tidiness();
  check_promises();
}

RunStats World::stats() const {
  RunStats all{.events = stage_.events(),
               .steps = stage_.steps().taken(),
               .frames_published = environment_.truth.frames,
               .crashes = stage_.crashes(),
               .laps = environment_.truth.laps,
               .epochs = environment_.truth.epochs(),
               .epochs_collected = environment_.epochs_collected,
               .leases = environment_.account.leases(),
               .preemptions = stage_.preemptions(),
               .virtual_time = stage_.virtual_time()};
  for (const ConsumerActor* consumer : consumers_) {
    all.frames_received += consumer->data().frames();
  }
  for (const auto& topic : environment_.requests) {
    all += topic.counts();
  }
  for (const auto& [id, topic] : environment_.descriptors) {
    all += topic.counts();
  }
  all += environment_.answers.counts();
  all += environment_.announces.counts();
  return all;
}

// ---- faults ----

void World::plan_faults() {
  const Mishaps& mishaps = scenario().mishaps;
  const auto some_client = [this] {
    return static_cast<std::uint32_t>(1 + stage_.random().below(clients_.size()));
  };
  const auto plan = [this](std::uint32_t count, EventKind kind, auto&& actor) {
    for (; count != 0; --count) {
      const Nanos at = stage_.anywhen();
      stage_.plan_at(at, kind, actor());
    }
  };
  const auto strikes = [this](std::uint32_t count, Strike strike, auto&& actor) {
    for (; count != 0; --count) {
      const Nanos at = stage_.anywhen();
      stage_.plan_strike(at, strike, actor());
    }
  };
  const auto driver = [] { return kDriver; };
  const auto anybody = [&] { return stage_.random().chance(1, 3) ? kDriver : some_client(); };
  plan(mishaps.driver_crashes, EventKind::kCrash, driver);
  plan(mishaps.client_crashes, EventKind::kCrash, some_client);
  plan(mishaps.pauses, EventKind::kPause, anybody);
  strikes(mishaps.driver_stops, kStop, driver);
  strikes(mishaps.leaves, kLeave, some_client);
  strikes(mishaps.revocations, kRevoke, driver);
  strikes(mishaps.reshapes, kReshape, driver);
  strikes(mishaps.collections, kCollect, driver);
  strikes(mishaps.lost_files, kLoseFile, driver);
  strikes(mishaps.full_disks, kFillDisk, driver);
  strikes(mishaps.bus_blocks, kBlockBus, driver);
  strikes(mishaps.clock_jumps, kClockJump, driver);
  strikes(mishaps.nonsense, kNonsense, driver);
  strikes(mishaps.configurations, kConfigure, some_client);
}

void World::strike(const Event& event) {
  if (environment_.healed) {
    return;
  }
  const auto strike = static_cast<Strike>(event.strike);
  const Actor& struck = stage_.actor(event.actor);
  const bool reachable = struck.alive && !struck.busy;
  switch (strike) {
    case kLeave:
      if (reachable) {
        stage_.within(event.actor, [&](Actor&) { client(event.actor - 1).leave(); });
      }
      break;
    case kConfigure:
      if (reachable) {
        stage_.within(event.actor, [&](Actor&) { client(event.actor - 1).reconfigure(); });
      }
      break;
    case kStop:
    case kRevoke:
    case kReshape:
    case kCollect:
      if (reachable) {
        stage_.within(kDriver, [&](Actor&) { strike_driver(strike); });
      }
      break;
    default:
      strike_surroundings(strike);
      break;
  }
}

void World::strike_driver(Strike strike) {
  switch (strike) {
    case kStop:
      return stage_.random().chance(1, 2) ? driver_->stop() : driver_->shut_down_by_message();
    case kRevoke:
      if (stage_.random().chance(1, 2)) {  // its notice has to wait
        environment_.answers.block_until(environment_.clock.mono() + stage_.up_to(seconds(2)));
      }
      return driver_->revoke_some_lease();
    case kReshape:
      return driver_->reshape_some_stream();
    default:
      return driver_->collect_all();
  }
}

void World::strike_surroundings(Strike strike) {
  const Nanos now = environment_.clock.mono();
  switch (strike) {
    case kLoseFile:
      lose_some_file();
      break;
    case kFillDisk:
      environment_.disk.fill();
      stage_.plan_strike(now + stage_.up_to(seconds(6)), kClearDisk, kDriver);
      break;
    case kClearDisk:
      environment_.disk.clear_out();
      break;
    case kBlockBus:
      (stage_.random().chance(1, 2) ? environment_.answers : environment_.announce_topic())
          .block_until(now + stage_.up_to(seconds(3)));
      break;
    case kClockJump:
      environment_.clock.jump_real(stage_.up_to(std::chrono::hours(2)) - std::chrono::hours(1));
      break;
    case kNonsense:
      talk_nonsense();
      break;
    default:
      break;
  }
}

void World::lose_some_file() {
  const auto& ids = scenario().stream_ids;
  const std::uint32_t id = ids[stage_.random().below(ids.size())];
  if (const std::uint64_t epoch = environment_.truth.current(id); epoch != 0) {
    environment_.disk.harm(id, epoch);
  }
}

/// Messages of somebody who has no lease, or had one.
void World::talk_nonsense() {
  base::Random& random = stage_.random();
  const auto& ids = scenario().stream_ids;
  const std::uint32_t stream_id = ids[random.below(ids.size())];
  const auto client_id = static_cast<std::uint32_t>(random.between(5'000, 5'010));
  const auto role = static_cast<Role>(random.below(4));
  const Nanos now = environment_.clock.mono();
  auto& requests = environment_.requests[random.below(environment_.requests.size())];
  switch (random.below(4)) {
    case 0:
      requests.offer({.body = layout::ShmLeaseKeepalive{.lease_id = random.next(),
                                                        .stream_id = stream_id,
                                                        .client_id = client_id,
                                                        .role = role}},
                     now);
      break;
    case 1:
      requests.offer({.body = layout::ShmDetachRequest{.correlation_id = 1,
                                                       .lease_id = random.next(),
                                                       .stream_id = stream_id,
                                                       .client_id = client_id,
                                                       .role = role}},
                     now);
      break;
    case 2:  // nobody will keep this lease
      requests.offer({.body = layout::ShmAttachRequest{.correlation_id = 2,
                                                       .stream_id = stream_id,
                                                       .client_id = client_id,
                                                       .role = role}},
                     now);
      break;
    case 3:
      environment_.answers.offer(
          {.body = layout::ShmLeaseRevoked{.timestamp_ns = static_cast<std::uint64_t>(now.count()),
                                           .lease_id = random.next(),
                                           .stream_id = stream_id,
                                           .client_id = client_id,
                                           .role = role,
                                           .reason = layout::LeaseRevokeReason::kExpired}},
          now);
      break;
  }
}

/// Anybody; a producer may lap its ring meanwhile.
Turn World::next_turn() {
  base::Random& random = stage_.random();
  Turn turn{.actor = static_cast<std::uint32_t>(random.below(stage_.actors()))};
  if (turn.actor != kDriver && scenario().clients[turn.actor - 1].role == Role::kProducer &&
      random.chance(1, 8)) {
    turn.times = random.between(2, 24);
  }
  return turn;
}

/// Whatever producers believe of themselves, no two of them believe it of one epoch.
void World::check() {
  for (std::size_t k = 0; k < producers_.size(); ++k) {
    for (std::size_t other = k + 1; other < producers_.size(); ++other) {
      const ProducerActor& a = *producers_[k];
      const ProducerActor& b = *producers_[other];
      if (a.active() && b.active() && a.epoch() == b.epoch() && a.epoch() != 0 &&
          a.lease().machine().stream_id() == b.lease().machine().stream_id()) {
        environment_.verdict.fail(Failure::kSafety,
                                  "two producers are active in epoch " + std::to_string(a.epoch()));
      }
    }
  }
}

// ---- the end ----

void World::heal() {
  environment_.heal_buses();
  environment_.disk.heal();
  stage_.heal();
  // What is still on its way arrives. A consumer may have fallen back for good meanwhile, and then
  // only a configuration brings it back.
  stage_.run_for(
      std::max(scenario().descriptor_faults.delay_max, scenario().control_faults.delay_max) +
      milliseconds(100));
  for (std::uint32_t k = 0; k < clients_.size(); ++k) {
    if (client(k).alive) {
      stage_.within(1 + k, [&](Actor&) { client(k).reconfigure(); });
    }
  }
  replace_harmed_epochs();
}

/// While there is a producer, nothing but the next attach of a consumer makes a driver look for
/// lost files (D69), so somebody has to make room for the next epoch: an operator.
void World::replace_harmed_epochs() {
  for (const std::uint32_t id : scenario().stream_ids) {
    const auto* const directory = environment_.disk.find(id, environment_.truth.current(id));
    if (directory != nullptr && directory->harmed && driver_->alive) {
      stage_.within(kDriver, [&](Actor&) { driver_->revoke_producer(id); });
    }
  }
}

/// Who publishes, under a lease of the driver that runs now.
const ProducerActor* World::producer_of(std::uint32_t stream_id) const {
  const std::uint32_t holder = environment_.account.producer_of(stream_id);
  const auto found = std::find_if(producers_.begin(), producers_.end(), [&](const auto* producer) {
    const auto& machine = producer->lease().machine();
    return producer->active() && machine.stream_id() == stream_id && machine.client_id() == holder;
  });
  return found == producers_.end() ? nullptr : *found;
}

std::string World::trouble() const {
  if (!driver_->alive || driver_->machine().state() != core::driver::DriverState::kRunning) {
    return "no driver is running";
  }
  for (const ProducerActor* producer : producers_) {
    if (producer_of(producer->lease().machine().stream_id()) == nullptr) {
      return "a producer gets no lease (" + producer->describe() + ")";
    }
  }
  for (const ConsumerActor* consumer : consumers_) {
    const ProducerActor* const producer = producer_of(consumer->stream_id());
    // Whether its lease is still one: see sim/README.md.
    if (producer != nullptr && !consumer->mapped_to(producer->epoch())) {
      return "a consumer has not mapped the present epoch " + std::to_string(producer->epoch()) +
             " (" + consumer->describe() + ")";
    }
  }
  return {};
}

/// Within a bound that follows from the periods: dead clients' leases expire, producers that died
/// in a row are held back, clients time out and wait for their turn.
void World::demand_recovery() {
  Nanos held = environment_.clock.mono();
  if (driver_->alive) {
    for (const auto& stream : driver_->machine().snapshot().streams) {
      held = std::max(held, stream.held_until);
    }
  }
  const Nanos patience = 2 * (scenario().settings.policies.lease_duration() +
                              scenario().silence_timeout() + seconds(5 + 5 + 4)) +
                         scenario().settings.policies.shutdown_timeout;
  const Nanos until = held + patience;
  do {
    stage_.run_for(milliseconds(100));
  } while (!verdict().failed() && environment_.clock.mono() < until && !trouble().empty());
  if (const std::string what = trouble(); !what.empty()) {
    fail_liveness(what);
  }
}

/// A lease that was granted by a late answer is short for ever (D140), and may be lost once more
/// when all faults have stopped.
void World::demand_flow() {
  constexpr int kAttempts = 4;
  std::string what;
  for (int attempt = 0; attempt < kAttempts && !verdict().failed(); ++attempt) {
    demand_recovery();
    std::vector<DataSide::Calm> before;
    for (const ConsumerActor* consumer : consumers_) {
      before.push_back(consumer->data().calm());
    }
    stage_.run_for(milliseconds(1200) + kProofOfAbort);
    what = trouble();
    if (what.empty()) {
      return demand_no_loss(before);
    }
  }
  fail_liveness("again and again, " + what);
}

void World::demand_no_loss(const std::vector<DataSide::Calm>& before) {
  for (std::size_t k = 0; k < consumers_.size() && !verdict().failed(); ++k) {
    const ConsumerActor& consumer = *consumers_[k];
    const ProducerActor* const producer = producer_of(consumer.stream_id());
    if (producer == nullptr) {
      continue;
    }
    if (consumer.data().frames() == before[k].frames) {
      fail_liveness("a consumer receives no frames (" + consumer.describe() + ")");
    }
    const auto lost = consumer.data().lost_since(
        before[k], environment_.truth.of(consumer.stream_id(), producer->epoch()));
    if (lost.value_or(0) != 0) {
      environment_.verdict.fail(Failure::kSafety, "a consumer (" + consumer.describe() +
                                                      ") missed " + std::to_string(*lost) +
                                                      " numbers in calm times");
    }
  }
}

/// The very last frame reaches everybody.
void World::demand_arrival() {
  // Who has just mapped the stream has nothing to reach before the next frame (W258).
  const auto has_begun = [](const ConsumerActor* one) { return one->data().receiver().tracking(); };
  for (Nanos waited{};
       waited < seconds(2) && !std::all_of(consumers_.begin(), consumers_.end(), has_begun);
       waited += milliseconds(100)) {
    stage_.run_for(milliseconds(100));
  }
  environment_.finished = true;
  stage_.run_for(kProofOfAbort + milliseconds(100));
  for (std::size_t k = 0; k < consumers_.size() && !verdict().failed(); ++k) {
    const ConsumerActor& consumer = *consumers_[k];
    const ProducerActor* const producer = producer_of(consumer.stream_id());
    if (producer == nullptr) {
      continue;
    }
    const std::uint64_t newest =
        environment_.truth.of(consumer.stream_id(), producer->epoch()).newest;
    if (consumer.data().receiver().last_seq() < newest) {
      fail_liveness("a consumer (" + consumer.describe() + ") does not reach frame " +
                    std::to_string(newest));
    }
  }
}

/// Nothing is left that nothing keeps, once everything is old enough and an operator has asked for
/// a collection. What a lease let go meanwhile, since it was lost once more (see demand_flow), may
/// have come too late for that one, but not for the next.
void World::demand_tidiness() {
  const Garbage late = garbage_after_collection();
  if (late.empty()) {
    return;
  }
  for (const auto& [stream_id, epoch] : garbage_after_collection()) {
    if (late.contains({stream_id, epoch})) {
      environment_.verdict.fail(Failure::kSafety, "stream " + std::to_string(stream_id) +
                                                      ", epoch " + std::to_string(epoch) +
                                                      ": an epoch is left that nothing keeps");
    }
  }
}

World::Garbage World::garbage_after_collection() {
  Garbage garbage;
  stage_.run_for(scenario().settings.policies.gc_min_age() + milliseconds(200));
  if (verdict().failed() || !driver_->alive) {
    return garbage;
  }
  stage_.within(kDriver, [&](Actor&) { driver_->collect_all(); });
  stage_.run_for(milliseconds(500));
  for (const auto& stream : driver_->machine().snapshot().streams) {
    for (const std::uint64_t epoch : environment_.account.garbage(stream.stream_id)) {
      garbage.emplace(stream.stream_id, epoch);
    }
  }
  return garbage;
}

void World::check_promises() {
  const RunStats done = stats();
  if (done.virtual_time < seconds(8) || done.frames_published < 10 || done.leases < 2) {
    environment_.verdict.fail(Failure::kTooTame,
                              "only " + std::to_string(done.frames_published) + " frames");
  }
}

}  // namespace tensorpool::inline v0::sim::driver
