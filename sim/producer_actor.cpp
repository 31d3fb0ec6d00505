#include "producer_actor.hpp"

#include <algorithm>
#include <string>

namespace tensorpool::inline v0::sim {

core::region::MappingPlan plan_of(std::uint64_t epoch, const Geometry& geometry) {
  core::region::StreamGeometry stream{
      .stream_id = kStreamId, .nslots = geometry.nslots, .pools = {}};
  for (std::size_t k = 0; k < geometry.strides.size(); ++k) {
    stream.pools.push_back(
        {.pool_id = static_cast<std::uint16_t>(k + 1), .stride_bytes = geometry.strides[k]});
  }
  core::region::MappingPlan plan;
  const std::string directory = "shm:file?path=/sim/" + std::to_string(epoch) + "/";
  for (const core::region::ExpectedRegion& region : core::region::regions_of(stream, epoch)) {
    if (region.type == layout::RegionType::kHeaderRing) {
      plan.header_ring = {.expected = region, .uri = directory + "header.ring"};
    } else {
      plan.pools.push_back(
          {.expected = region, .uri = directory + std::to_string(region.pool_id) + ".pool"});
    }
  }
  return plan;
}

ProducerActor::ProducerActor(Environment& environment)
    : world_(&environment), random_(random_for(environment.scenario.seed, 4)) {}

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
  claims_.clear();
  writer_.reset();
  announcer_.reset();
  mapping_ = nullptr;
  truth_ = nullptr;
}

void ProducerActor::open_epoch() {
  // W410: the larger of the highest existing one + 1 and the wall clock.
  scribbled_ = false;
  epoch_ = std::max(epoch_ + 1, static_cast<std::uint64_t>(world_->clock.real().count()));
  const Geometry geometry = Geometry::draw(random_);
  regions_ = std::make_shared<AnnouncedRegions>(plan_of(epoch_, geometry));
  mapping_ = world_->store.create(regions_->plan);
  truth_ = &world_->truth.begin(epoch_, geometry);
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
  writer_.emplace(mapping_->memory(), Writer::Options{.stream_id = kStreamId, .epoch = epoch_});
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
    abort_all_claims();
    return;
  }
  const ProducerPlan& plan = world_->scenario.producer;
  if (random_.chance(plan.refuse_permille, 1000)) {
    try_invalid_things();
  }
  const bool burst = !world_->healed && random_.chance(plan.burst_permille, 1000);
  publish_frames(burst ? random_.between(1, 2 * std::uint64_t{mapping_->memory().nslots}) : 1);
}

void ProducerActor::run_between() {
  if (regions_ == nullptr || world_->finished) {
    return;
  }
  publish_frames(1);
}

Nanos ProducerActor::interval() {
  const auto mean = static_cast<std::uint64_t>(world_->scenario.producer.frame_interval.count());
  return Nanos(static_cast<std::int64_t>(random_.between(mean / 2, mean + mean / 2)));
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
    ++writer_->counters().announces_sent;
  } else {
    ++writer_->counters().announces_failed;  // stays due (W211)
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
      Geometry other = world_->truth.of(epoch_).geometry;
      other.strides.front() *= 2;
      announce.regions = std::make_shared<AnnouncedRegions>(plan_of(epoch_, other));
      message.payload_pools = announce.regions->message().payload_pools;
      break;
    }
  }
  return announce;
}

void ProducerActor::publish_frames(std::uint64_t count) {
  const ProducerPlan& plan = world_->scenario.producer;
  for (; count != 0 && !dead(); --count) {
    const bool claim = random_.chance(plan.claim_permille, 1000);
    if (claim && claims_.size() < plan.claims_max) {
      take_claim();
    } else if (!claims_.empty()) {
      settle_oldest_claim();
    } else {
      publish();
    }
  }
}

void ProducerActor::publish() {
  const std::uint64_t seq = writer_->next_seq();
  const FrameContent content = content_of(seq);
  content.fill(words_);
  writer_->set_meta_version(content.meta_version());
  const PublishStatus status =
      writer_->publish(content.info(), std::as_bytes(std::span(words_)).first(content.bytes()),
                       content.timestamp_ns());
  if (status != PublishStatus::kPublished) {
    world_->verdict.fail(Failure::kSafety, "publish of a valid frame was refused");
    return;
  }
  committed(seq);
}

void ProducerActor::take_claim() {
  const std::uint64_t seq = writer_->next_seq();
  const FrameContent content = content_of(seq);
  core::producer::OpenClaim claim;
  const PublishStatus status = writer_->claim(content.bytes(), claim);
  const bool full = claims_.size() >= mapping_->memory().nslots;
  if (status != (full ? PublishStatus::kTooManyClaims : PublishStatus::kPublished)) {
    world_->verdict.fail(Failure::kSafety, "a claim was answered wrongly");
    return;
  }
  if (full) {
    TP_MARK("every slot is claimed");
    return settle_oldest_claim();
  }
  claims_.push_back(claim);
  content.fill(words_);
  SimCopier::in(claim.payload.data(), std::as_bytes(std::span(words_)).data(), content.bytes(),
                core::CopyKind::kCached);
}

void ProducerActor::settle_oldest_claim() {
  const ProducerPlan& plan = world_->scenario.producer;
  const core::producer::OpenClaim claim = claims_.front();
  const FrameContent content = content_of(claim.seq);
  if (claims_.size() > 1 &&
      writer_->commit(claims_.back(), content.info(), 8, 0) != CommitStatus::kCommitOutOfOrder) {
    world_->verdict.fail(Failure::kSafety, "a claim was committed before an older one");
  }
  if (random_.chance(plan.abort_permille, 1000)) {
    TP_MARK("a claim is aborted");
    claims_.pop_front();
    truth_->aborted.insert(claim.seq);
    static_cast<void>(writer_->abort(claim));
    return;
  }
  writer_->set_meta_version(content.meta_version());
  const CommitStatus status =
      writer_->commit(claim, content.info(), content.bytes(), content.timestamp_ns());
  if (status != CommitStatus::kCommitted) {
    world_->verdict.fail(Failure::kSafety, "commit of the oldest claim was refused");
    return;
  }
  claims_.pop_front();
  committed(claim.seq);
}

void ProducerActor::try_invalid_things() {
  const std::uint64_t next = writer_->next_seq();
  const FrameContent content = content_of(next);
  static constexpr std::array<std::byte, 4096> kTooLong{};
  TensorInfo shapeless = content.info();
  shapeless.ndims = 0;
  const bool refused =
      claims_.empty()
          ? writer_->publish(content.info(), kTooLong, 0) == PublishStatus::kNoPoolFits &&
                writer_->publish(shapeless, {}, 0) == PublishStatus::kInvalidParams
          : writer_->commit(claims_.front(), shapeless, 8, 0) == CommitStatus::kInvalidParams &&
                writer_->publish(content.info(), {}, 0) == PublishStatus::kCommitOutOfOrder;
  if (!refused || writer_->next_seq() != next) {
    world_->verdict.fail(Failure::kSafety, "an invalid publish had an effect");
  }
}

void ProducerActor::abort_all_claims() {
  while (!claims_.empty()) {
    truth_->aborted.insert(claims_.front().seq);
    static_cast<void>(writer_->abort(claims_.front()));
    claims_.pop_front();
  }
}

void ProducerActor::committed(std::uint64_t seq) {
  if (dead()) {
    return;
  }
  ++world_->truth.frames;
  ++truth_->committed;
  truth_->newest = seq;
  if (seq != 0 && seq % mapping_->memory().nslots == 0) {
    ++world_->truth.laps;
  }
  world_->on_committed(seq);
  if (steps->message()) {
    send_descriptor();
  } else {
    TP_MARK("killed between COMMITTED and the descriptor");
  }
}

void ProducerActor::send_descriptor() {
  const layout::FrameDescriptorMessage& message = writer_->descriptor();
  switch (world_->descriptors.offer(
      {.stream_id = message.stream_id, .epoch = message.epoch, .seq = message.seq},
      world_->clock.mono())) {
    case Offer::kSent:
      break;
    case Offer::kNotConnected:
      ++writer_->counters().descriptor_not_connected;
      break;
    case Offer::kBackPressured:
      TP_MARK("a descriptor is refused by back pressure");
      ++writer_->counters().descriptor_backpressured;
      break;
  }
}

FrameContent ProducerActor::content_of(std::uint64_t seq) const {
  return {truth_->geometry, epoch_, seq};
}

void ProducerActor::note(const char* what, std::uint64_t a, std::uint64_t b) {
  world_->verdict.note(world_->clock.mono(), "producer", 0, what, a, b);
}

}  // namespace tensorpool::inline v0::sim
