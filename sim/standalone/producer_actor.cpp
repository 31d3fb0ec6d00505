#include "standalone/producer_actor.hpp"

#include <algorithm>
#include <string>

namespace tensorpool::inline v0::sim::standalone {

ProducerActor::ProducerActor(Environment& environment)
    : world_(&environment),
      random_(random_for(environment.scenario.seed, 4)),
      frames_(environment, environment.truth, environment.scenario.producer, random_,
              [&environment](const EpochTruth& epoch, std::uint64_t seq) {
                environment.on_committed(epoch, seq);
              }) {}

void ProducerActor::start() {
  process = {};
  alive = true;
  ++life;
  world_->descriptors.new_image(world_->clock.mono());
  world_->control.new_image(world_->clock.mono());
  former_regions_ = regions_;
  regions_ = nullptr;
  if (!world_->healed && life > 1 && random_.chance(1, 16)) {  // once more, while it sets up
    process.stores_left = random_.below(layout::kSuperblockWords * 4);
  }
}

void ProducerActor::bury() {
  alive = false;
  frames_.bury();
  announcer_.reset();
  mapping_ = nullptr;
}

void ProducerActor::open_epoch() {
  // W410: the larger of the highest existing one + 1 and the wall clock.
  scribbled_ = false;
  epoch_ = std::max(epoch_ + 1, static_cast<std::uint64_t>(world_->clock.real().count()));
  const Geometry geometry = Geometry::draw(random_);
  regions_ =
      std::make_shared<AnnouncedRegions>(plan_of(stream_geometry(kStreamId, geometry), epoch_));
  mapping_ = world_->store.create(regions_->plan);
  EpochTruth& truth = world_->truth.begin(kStreamId, epoch_, geometry);
  note("opens epoch, slots", epoch_, geometry.nslots);
  mapping_->initialise(
      regions_->plan,
      {.pid = 1000 + life, .now_ns = static_cast<std::uint64_t>(world_->clock.mono().count())});
  if (dead()) {
    TP_MARK("killed while its regions are created");
    return;
  }
  if (former_regions_ != nullptr) {
    world_->store.remove(former_regions_->plan);
  }
  frames_.begin(mapping_, truth, world_->descriptors);
  announcer_.emplace(
      core::producer::Announcer::Options{
          .timing = core::Timing::around(world_->scenario.announce_period), .has_name = false},
      world_->clock.mono());
}

void ProducerActor::run() {
  if (regions_ == nullptr) {
    open_epoch();
    if (dead()) {
      return;
    }
  }
  say_signs_of_life();
  if (world_->finished) {
    frames_.abort_all_claims();
    return;
  }
  frames_.work();
}

void ProducerActor::run_between() {
  if (regions_ == nullptr || world_->finished) {
    return;
  }
  frames_.publish_frames(1);
}

Nanos ProducerActor::interval() {
  return around(random_, world_->scenario.producer.frame_interval);
}

void ProducerActor::say_signs_of_life() {
  const Nanos now = world_->clock.mono();
  const auto due = announcer_->poll(now);
  if (due.refresh_activity) {
    mapping_->refresh_activity(now);
    announcer_->activity_refreshed(now);
  }
  if (!due.announce || dead() || (mutes_after_restart && life > 1)) {
    return;
  }
  Announce announce{.message = regions_->message(), .regions = regions_};
  if (random_.chance(1, 8)) {
    announce.message.announce_clock_domain = layout::ClockDomain::kRealtimeSynced;
    announce.message.announce_timestamp_ns =
        static_cast<std::uint64_t>(world_->clock.real().count());
  } else {
    announce.message.announce_timestamp_ns = static_cast<std::uint64_t>(now.count());
  }
  if (world_->control.offer(announce, now) == Offer::kSent) {
    announcer_->announced(now);
    ++frames_.writer().counters().announces_sent;
  } else {
    ++frames_.writer().counters().announces_failed;  // stays due (W211)
  }
}

void ProducerActor::talk_nonsense() {
  if (regions_ == nullptr) {
    return;
  }
  const Nanos now = world_->clock.mono();
  if (random_.chance(1, 2)) {
    static_cast<void>(world_->control.offer(nonsensical_announce(), now));
  } else {
    static_cast<void>(world_->descriptors.offer(nonsensical_descriptor(), now));
  }
}

void ProducerActor::scribble_pid() {
  if (mapping_ != nullptr) {
    scribbled_ = true;
    mapping_->scribble_pid(1);
  }
}

Descriptor ProducerActor::nonsensical_descriptor() {
  Descriptor descriptor{.stream_id = kStreamId, .epoch = epoch_, .seq = world_->truth.frames};
  switch (random_.below(5)) {
    case 0:
      descriptor.stream_id = kStreamId + 1;
      break;
    case 1:
      descriptor.seq = layout::kSeqLimit + random_.below(2);
      break;
    case 2:
      descriptor.seq += 1'000'000 + random_.below(256);
      break;
    case 3:
      ++descriptor.epoch;
      break;
    case 4:
      --descriptor.epoch;
      break;
  }
  return descriptor;
}

Announce ProducerActor::nonsensical_announce() {
  const auto now = static_cast<std::uint64_t>(world_->clock.mono().count());
  const auto window = 3 * static_cast<std::uint64_t>(world_->scenario.announce_period.count());
  Announce announce{.message = regions_->message(), .regions = regions_};
  layout::ShmPoolAnnounce& message = announce.message;
  message.announce_timestamp_ns = now;
  switch (random_.below(10)) {
    case 0:
      message.stream_id = kStreamId + 1;
      break;
    case 1:
      message.epoch = random_.chance(1, 2) ? 0 : ~std::uint64_t{0};
      break;
    case 2:
      message.announce_timestamp_ns = now - window - 1;
      break;
    case 3:
      message.announce_timestamp_ns = now + window + 1;
      break;
    case 4:
      message.announce_timestamp_ns = random_.chance(1, 2) ? 0 : 1;
      message.announce_clock_domain = layout::ClockDomain::kRealtimeSynced;
      break;
    case 5:
      message.header_nslots = 3;
      break;
    case 6:
      message.epoch = epoch_ + 1;
      break;
    case 7:
      message.payload_pools = {};
      break;
    case 8:
      message.layout_version = 2;
      break;
    case 9: {  // the right epoch with another shape
      Geometry other = world_->truth.of(kStreamId, epoch_).geometry;
      other.strides.front() *= 2;
      announce.regions =
          std::make_shared<AnnouncedRegions>(plan_of(stream_geometry(kStreamId, other), epoch_));
      message.payload_pools = announce.regions->message().payload_pools;
      break;
    }
  }
  return announce;
}

void ProducerActor::note(const char* what, std::uint64_t a, std::uint64_t b) {
  world_->verdict.note(world_->clock.mono(), "producer", 0, what, a, b);
}

}  // namespace tensorpool::inline v0::sim::standalone
