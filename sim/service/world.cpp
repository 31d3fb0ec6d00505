#include "service/world.hpp"

#include <algorithm>
#include <memory>
#include <optional>

namespace tensorpool::inline v0::sim::service {

using core::registration::LiveConsumer;
using core::registration::OwnStream;
using std::chrono::milliseconds;
using std::chrono::seconds;

World::World(const Scenario& scenario, PlantedBug bug)
    : scenario_(scenario),
      environment_(scenario_, bug),
      stage_({.seed = scenario.seed,
              .preempt_steps = 1'000,
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
  if (scenario_.supervised) {
    auto supervisor = std::make_unique<SupervisorActor>(environment_);
    supervisor_ = supervisor.get();
    stage_.add(std::move(supervisor));
  }
}

void World::run() {
  stage_.begin();
  plan_faults();
  stage_.run_until(stage_.heal_at());
  heal();
  demand_agreement();
  demand_metadata();
  demand_service();
  demand_end();
}

RunStats World::stats() const {
  RunStats all{.events = stage_.events(),
               .steps = stage_.steps().taken(),
               .frames_published = environment_.truth.frames,
               .crashes = stage_.crashes(),
               .laps = environment_.truth.frames / kNslots,
               .epochs = environment_.truth.epoch,
               .preemptions = stage_.preemptions(),
               .virtual_time = stage_.virtual_time()};
  for (const ConsumerActor* const consumer : consumers_) {
    all.frames_received += consumer->taken().notices;
  }
  for (const BusCounts& counts :
       {environment_.hellos.counts(), environment_.control.counts(), environment_.metadata.counts(),
        environment_.descriptors.counts(), environment_.own_streams.counts()}) {
    all += counts;
  }
  return all;
}

// ---- faults ----

void World::plan_faults() {
  const auto some_consumer = [this] {
    return static_cast<std::uint32_t>(1 + stage_.random().below(consumers_.size()));
  };
  const auto crashes = [this](std::uint32_t count, auto&& whose) {
    for (; count != 0; --count) {
      const Nanos at = stage_.anywhen();
      stage_.plan_at(at, EventKind::kCrash, whose());
    }
  };
  const auto strikes = [this](std::uint32_t count, Strike strike, std::uint32_t actor) {
    for (; count != 0; --count) {
      stage_.plan_strike(stage_.anywhen(), strike, actor);
    }
  };
  crashes(scenario().producer_crashes, [] { return kProducer; });
  crashes(scenario().supervisor_crashes,
          [this] { return static_cast<std::uint32_t>(stage_.actors() - 1); });
  crashes(scenario().consumer_crashes, some_consumer);
  for (std::uint32_t k = 0; k < scenario().pauses; ++k) {
    const Nanos at = stage_.anywhen();
    stage_.plan_at(at, EventKind::kPause,
                   static_cast<std::uint32_t>(stage_.random().below(stage_.actors())));
  }
  for (std::uint32_t k = 0; k < consumers_.size(); ++k) {
    strikes(scenario().consumers[k].rate_changes, kRate, 1 + k);
  }
  strikes(scenario().producer.set_changes, kSet, kProducer);
  strikes(scenario().producer.blobs, kBlob, kProducer);
  strikes(scenario().policies, kPolicy, kProducer);
  strikes(scenario().nonsense, kNonsense, kProducer);
}

void World::strike(const Event& event) {
  const Actor& struck = stage_.actor(event.actor);
  switch (static_cast<Strike>(event.strike)) {
    case kRate:
      if (!struck.busy) {
        consumer(event.actor - 1).change_rate();
      }
      break;
    case kSet:
      if (struck.alive && !struck.busy) {
        producer_->change_set();
      }
      break;
    case kBlob:
      if (struck.alive && !struck.busy) {
        producer_->send_blob();
      }
      break;
    case kPolicy:
      if (!supervisor_->busy) {
        supervisor_->change_policy(stage_.random().chance(1, 2));
      }
      break;
    case kNonsense:
      if (!environment_.healed) {
        talk_nonsense();
      }
      break;
  }
}

Turn World::next_turn() {
  return {.actor = static_cast<std::uint32_t>(stage_.random().below(stage_.actors()))};
}

/// What no process of ours would say.
void World::talk_nonsense() {
  base::Random& random = stage_.random();
  const Nanos now = environment_.clock.mono();
  const std::uint32_t somebody = random.chance(1, 2)
                                     ? consumer(random.below(consumers_.size())).consumer_id()
                                     : number(random, 0, 1'000'000);
  layout::FrameProgress progress;
  progress.stream_id = kStreamId;
  progress.epoch = environment_.truth.epoch - random.below(2);
  progress.seq = random.below(1'000'000);
  if (!environment_.truth.taken.empty()) {
    progress.seq = environment_.truth.taken.rbegin()->first + random.below(8);
  }
  progress.payload_bytes_filled = random.below(1ULL << random.below(40));
  progress.state = static_cast<layout::FrameProgressState>(random.below(4));
  layout::ConsumerHello hello;
  hello.stream_id = kStreamId + number(random, 0, 1);
  hello.consumer_id = random.chance(1, 2) ? 0 : 900'000 + number(random, 0, 3);
  hello.descriptor_stream_id = number(random, 31'900, 31'903);
  hello.descriptor_channel = random.chance(1, 2) ? "" : "aeron:ipc";
  layout::ConsumerConfig config;
  config.stream_id = kStreamId;
  config.consumer_id = somebody;
  config.control_stream_id = 32'999;  // half
  switch (random.below(4)) {
    case 0:
      if (!scenario().early_header) {  // then the producer's word is all that there is
        static_cast<void>(environment_.control.offer(plain(progress), now));
      }
      break;
    case 1:
      static_cast<void>(environment_.hellos.offer(keeping_channels(hello), now));
      break;
    case 2:
      static_cast<void>(environment_.control.offer(keeping_channels(config), now));
      break;
    case 3: {
      layout::MetaBlobComplete complete;
      complete.stream_id = kStreamId;
      complete.meta_version = number(random, 0, 3);
      static_cast<void>(environment_.metadata.offer(plain(complete), now));
      break;
    }
  }
}

// ---- the end ----

void World::heal() {
  environment_.hellos.heal();
  environment_.control.heal();
  environment_.metadata.heal();
  environment_.descriptors.heal();
  environment_.own_streams.heal();
  stage_.heal();
  // What is still on its way arrives, the former lives of everybody are forgotten, and everybody
  // has said hello and has been answered twice.
  const Nanos on_its_way =
      std::max(scenario().faults.delay_max, scenario().private_faults.bus.delay_max);
  stage_.run_for(on_its_way + scenario().stale_timeout + 4 * scenario().interval +
                 2 * scenario().private_faults.slow_max + milliseconds(500));
}

/// Consumer and producer believe the same of each other.
void World::demand_agreement() {
  std::size_t descriptors = 0;
  std::size_t controls = 0;
  for (std::size_t k = 0; k < consumers_.size() && !verdict().failed(); ++k) {
    const ConsumerActor& one = consumer(k);
    const std::optional<LiveConsumer> live = producer_->registry().responder().find(
        {.stream_id = kStreamId, .consumer_id = one.consumer_id()});
    if (!live) {
      if (scenario().capacity >= consumers_.size() + 4) {
        fail_liveness(k, "is not registered");
      }
      continue;
    }
    if (is_ignored(k)) {
      if (scenario().capacity >= consumers_.size() + 4) {
        fail_liveness(k, "is not known to the supervisor");
      }
    } else if (!one.is_settled() ||
               live->descriptor_stream_id != one.descriptor_place().stream_id ||
               live->control_stream_id != one.control_place().stream_id) {
      fail_liveness(k, "is served on " + std::to_string(live->descriptor_stream_id) + " and " +
                           std::to_string(live->control_stream_id));
    } else if (live->mode != one.mode_in_force()) {
      fail_liveness(k, std::string("is served in another mode than it believes: ") +
                           (live->mode == layout::Mode::kStream ? "every frame" : "limited"));
    } else if (live->max_rate_hz != one.wish().max_rate_hz) {
      fail_liveness(k, "is served at another rate than it wants");
    }
    descriptors += live->descriptor_stream_id == 0 ? 0 : 1;
    controls += live->control_stream_id == 0 ? 0 : 1;
    if (!is_ignored(k)) {
      demand_own_streams(k);
    }
  }
  using core::registration::OwnKind;
  const RegistrySide& registry = producer_->registry();
  if (!verdict().failed() && (registry.open_streams(OwnKind::kDescriptor) != descriptors ||
                              registry.open_streams(OwnKind::kControl) != controls)) {
    environment_.broken("the producer keeps a stream that no consumer has");
  }
}

/// A supervisor that has no room does not answer (D301): the consumer stays with what it was told
/// when there was, and nobody mends what has been lost since.
bool World::is_ignored(std::size_t index) const {
  return supervisor_ != nullptr && !supervisor_->knows(consumers_[index]->consumer_id());
}

/// Whoever asked for a stream that is allowed, and that nobody else wants, has one; whoever did not
/// ask has none.
void World::demand_own_streams(std::size_t index) {
  const ConsumerActor& one = consumer(index);
  const bool wanted = !one.wish().descriptors.is_absent();
  const bool has = !one.descriptor_place().is_absent();
  // The id of a former life may still have been taken when this one asked, and the answer to the
  // same request stays the same (W297). A supervisor's ids are by number, and may collide (D298).
  const bool by_number = scenario().supervised && scenario().hands_out_ids;
  const bool asked_once = !by_number && (one.life == 1 || scenario().hands_out_ids);
  const bool nothing_failed = scenario().private_faults.failing_permille == 0;
  if (has && !wanted) {
    fail_liveness(index, "has a stream of its own that it does not want");
  } else if (!has && scenario().consumers[index].grantable && asked_once && nothing_failed &&
             scenario().capacity >= 256) {
    fail_liveness(index, "does not get a stream of its own");
  }
}

/// Everybody knows the set in force, and whoever listens gets the next blob.
void World::demand_metadata() {
  if (verdict().failed()) {
    return;
  }
  std::vector<std::uint64_t> before;
  for (const ConsumerActor* const one : consumers_) {
    before.push_back(one->taken().blobs);
  }
  stage_.run_for(seconds(1));  // blobs that were queued before
  for (std::size_t k = 0; k < consumers_.size(); ++k) {
    before[k] = consumer(k).taken().blobs;
  }
  stage_.within(kProducer, [this](Actor&) { producer_->send_blob(); });
  stage_.run_for(2 * scenario().interval + seconds(1));
  const std::vector<Attribute>* const in_force = environment_.truth.set_in_force();
  for (std::size_t k = 0; k < consumers_.size(); ++k) {
    const auto& set = consumer(k).metadata();
    if (set == nullptr || set->version != environment_.truth.set_version ||
        set->epoch != environment_.truth.epoch || set->attributes != *in_force) {
      fail_liveness(k, "does not know the metadata in force");
    } else if (consumer(k).taken().blobs != before[k] + 1) {
      fail_liveness(k, "did not get a blob");
    }
  }
}

/// In calm times everybody gets what it wants: each frame, or as many as its rate allows.
void World::demand_service() {
  if (verdict().failed()) {
    return;
  }
  std::vector<ConsumerActor::Taken> before;
  for (const ConsumerActor* const one : consumers_) {
    before.push_back(one->taken());
  }
  const std::uint64_t frames_before = environment_.truth.frames;
  constexpr Nanos kCalm = seconds(2);
  stage_.run_for(kCalm);
  const std::uint64_t frames = environment_.truth.frames - frames_before;
  // So many may be on their way at either end of that time.
  constexpr std::uint64_t kOnTheirWay = 20;
  for (std::size_t k = 0; k < consumers_.size() && !verdict().failed(); ++k) {
    if (is_ignored(k)) {
      continue;
    }
    const ConsumerActor& one = consumer(k);
    const std::uint64_t got = one.taken().notices - before[k].notices;
    const std::uint64_t completed = one.taken().completed - before[k].completed;
    const bool limited =
        one.mode_in_force() == layout::Mode::kRateLimited && one.wish().max_rate_hz != 0;
    // A frame comes when one is there: at worst a whole frame interval late.
    const Nanos spacing =
        limited ? core::registration::interval_of(one.wish().max_rate_hz) : Nanos{};
    const auto most =
        limited ? static_cast<std::uint64_t>(kCalm / spacing) + kOnTheirWay : frames + kOnTheirWay;
    if (got > most) {
      fail_liveness(k, "got " + std::to_string(got) + " frames, " + std::to_string(most) +
                           " would have been enough");
    }
    const double kept = static_cast<double>(kCalm.count()) / static_cast<double>(frames);
    const double distance = static_cast<double>(spacing.count()) + (limited ? 2 * kept : kept);
    const auto least = static_cast<double>(kCalm.count()) / distance / 2;
    if (frames > 100 && static_cast<double>(got) + static_cast<double>(kOnTheirWay) < least) {
      fail_liveness(k, "got " + std::to_string(got) + " of " + std::to_string(frames) + " frames");
    }
    const bool registered = producer_->registry()
                                .responder()
                                .find({.stream_id = kStreamId, .consumer_id = one.consumer_id()})
                                .has_value();
    if (registered && one.wish().supports_progress && frames > 100 && completed == 0) {
      fail_liveness(k, "hears of no frame that it is complete");
    }
  }
}

/// When everybody has gone, nothing is left of them.
void World::demand_end() {
  if (verdict().failed()) {
    return;
  }
  for (std::uint32_t k = 0; k < consumers_.size(); ++k) {
    if (consumer(k).alive) {
      consumer(k).bury();
    }
  }
  stage_.run_for(scenario().stale_timeout + 2 * scenario().interval + milliseconds(100));
  using core::registration::OwnKind;
  const RegistrySide& registry = producer_->registry();
  if (registry.responder().size() != 0 || registry.open_streams(OwnKind::kDescriptor) != 0 ||
      registry.open_streams(OwnKind::kControl) != 0) {
    environment_.broken("consumers are remembered that have gone");
  }
  if (supervisor_ != nullptr && supervisor_->known() != 0) {
    environment_.broken("the supervisor remembers consumers that have gone");
  }
}

void World::fail_liveness(std::size_t index, const std::string& what) {
  environment_.verdict.fail(Failure::kLiveness, "consumer " + std::to_string(index) + " (" +
                                                    consumer(index).describe() + ") " + what);
}

}  // namespace tensorpool::inline v0::sim::service
