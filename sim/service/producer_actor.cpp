#include "service/producer_actor.hpp"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

namespace tensorpool::inline v0::sim::service {

using core::registration::LiveConsumer;
using std::chrono::milliseconds;
using std::chrono::seconds;

ProducerActor::ProducerActor(Environment& environment)
    : world_(&environment),
      random_(random_for(environment.scenario.seed, 100)),
      registry_(environment) {}

void ProducerActor::start() {
  process = {};
  alive = true;
  ++life;
  world_->truth.begin_epoch();
  next_seq_ = 0;
  filling_.reset();
  next_frame_at_ = now();
  world_->hellos.subscribe(Environment::kProducer, now(), 0);
  world_->control.subscribe(world_->producer_at_control(), now(), 0);
  world_->descriptors.new_image(now());
  registry_.start();
  core::Timing timing;
  timing.metadata_period = world_->scenario.interval;
  announcer_.emplace(
      core::producer::Announcer::Options{.timing = timing, .announces_regions = false}, now());
  set_.emplace();
  blobs_.emplace(core::metadata::BlobSender::Options{});
  progress_.emplace(*core::progress::ProgressSender::create(
      {.settings = {.bytes_delta_floor = 64, .max_rate_hz = kProgressRateMax}}));
  wishes_of_ = ~std::uint64_t{0};
  told_at_.clear();
  change_set();
}

void ProducerActor::bury() {
  alive = false;
  registry_.bury();
}

void ProducerActor::run() {
  hear();
  registry_.run();
  follow_wishes();
  say_metadata();
  make_frames();
}

Nanos ProducerActor::interval() {
  return around(random_, milliseconds(1));
}

void ProducerActor::hear() {
  const auto take = [this](const Message& message, Nanos) {
    if (const auto* const hello = std::get_if<layout::ConsumerHello>(&message.body)) {
      announcer_->on_hello(hello->consumer_id, now());
    }
    registry_.hear(message);
  };
  world_->hellos.poll(Environment::kProducer, now(), 64, take);
  world_->control.poll(world_->producer_at_control(), now(), 64, take);
}

// -- Metadata ------------------------------------------------------------------------------------

void ProducerActor::change_set() {
  std::vector<Attribute> attributes;
  for (std::uint32_t k = number(random_, 0, plan().attributes); k != 0; --k) {
    attributes.push_back(Attribute::integer("key." + std::to_string(k),
                                            static_cast<std::int64_t>(random_.below(1000)), "us"));
  }
  if (set_->set(attributes, static_cast<std::uint64_t>(now().count()), 65'536)) {
    StreamTruth& truth = world_->truth;
    truth.set_version = set_->version();
    truth.sets[{truth.epoch, truth.set_version}] = std::move(attributes);
    announcer_->data_source_changed();
  }
}

void ProducerActor::send_blob() {
  const auto type = static_cast<std::uint32_t>(world_->truth.blobs.size() + 1);
  std::vector<std::byte> bytes(random_.below(plan().blob_bytes_max));
  for (std::byte& one : bytes) {
    one = static_cast<std::byte>(random_.below(256));
  }
  if (blobs_->push(set_->version(), type, bytes)) {
    world_->truth.blobs[type] = std::move(bytes);
  }
}

void ProducerActor::say_metadata() {
  if (announcer_->poll(now()).data_source) {
    layout::DataSourceAnnounce announce;
    announce.stream_id = kStreamId;
    announce.producer_id = 1;
    announce.epoch = world_->truth.epoch;
    announce.meta_version = set_->version();
    if (world_->metadata.offer(plain(announce), now()) == Offer::kSent &&
        world_->metadata.offer(keeping_attributes(set_->message(kStreamId)), now()) ==
            Offer::kSent) {
      announcer_->data_source_sent(now());
    }
  }
  for (int k = 0; k < 4; ++k) {
    const auto message = blobs_->message(kStreamId, 1024);
    if (!message || world_->metadata.offer(keeping_bytes(*message), now()) != Offer::kSent) {
      return;
    }
    blobs_->sent(*message);
  }
}

// -- Frames --------------------------------------------------------------------------------------

void ProducerActor::make_frames() {
  if (filling_) {
    fill();
  } else if (!world_->finished && now() >= next_frame_at_) {
    next_frame_at_ = now() + around(random_, plan().frame_interval);
    begin_frame();
  }
  while (const auto report = progress_->poll(now())) {
    tell(report);
  }
}

void ProducerActor::begin_frame() {
  const std::uint64_t seq = next_seq_++;
  FrameTruth& frame = world_->truth.taken[seq];
  frame.total_bytes = std::uint64_t{plan().rows} * plan().row_bytes;
  filling_ = seq;
  if (random_.chance(plan().claim_permille, 1000)) {
    tell(progress_->on_claimed(seq, now()));
    return;
  }
  frame.filled_bytes = frame.total_bytes;
  commit();
}

void ProducerActor::fill() {
  FrameTruth& frame = world_->truth.taken[*filling_];
  const std::uint64_t rows = random_.between(1, std::max(1U, plan().rows / 2));
  frame.filled_bytes = std::min(frame.filled_bytes + rows * plan().row_bytes, frame.total_bytes);
  tell(progress_->on_filled(*filling_, frame.filled_bytes, ProgressUnit::kRows, plan().row_bytes,
                            now()));
  if (random_.chance(plan().abort_permille, 1000)) {
    progress_->on_aborted(*filling_);
    filling_.reset();
  } else if (frame.filled_bytes == frame.total_bytes) {
    commit();
  }
}

void ProducerActor::commit() {
  const std::uint64_t seq = *std::exchange(filling_, std::nullopt);
  FrameTruth& frame = world_->truth.taken[seq];
  frame.committed = true;
  ++world_->truth.frames;
  const Notice notice{.epoch = world_->truth.epoch, .seq = seq, .at = now()};
  static_cast<void>(world_->descriptors.offer(notice, now()));
  registry_.publish(notice);
  tell(progress_->on_committed(seq, frame.total_bytes));
}

void ProducerActor::follow_wishes() {
  if (wishes_of_ == registry_.responder().generation()) {
    return;
  }
  wishes_of_ = registry_.responder().generation();
  std::vector<core::progress::Hints> hints;
  registry_.responder().for_each([&hints](const LiveConsumer& live) {
    if (live.supports_progress) {
      hints.push_back({.interval_us = live.progress_interval_us,
                       .bytes_delta = live.progress_bytes_delta,
                       .major_delta_units = live.progress_major_delta_units});
    }
  });
  if (!hints.empty() || world_->bug != PlantedBug::kProgressForNobody) {
    progress_->set_wishes(hints);
  }
}

void ProducerActor::tell(const core::progress::ProgressSender::Answer& report) {
  if (!report) {
    return;
  }
  if (report->bytes > world_->truth.taken[report->seq].filled_bytes) {
    world_->broken("progress tells of bytes that are not there");
  }
  if (report->state == layout::FrameProgressState::kProgress) {
    TP_MARK("progress in the middle of a frame");
    told_at_.push_back(now());
    while (now() - told_at_.front() >= seconds(1)) {
      told_at_.pop_front();
    }
    if (told_at_.size() > kProgressRateMax) {
      world_->broken("more progress in a second than is allowed");
    }
  }
  layout::FrameProgress message;
  message.stream_id = kStreamId;
  message.epoch = world_->truth.epoch;
  message.seq = report->seq;
  message.payload_bytes_filled = report->bytes;
  message.state = report->state;
  registry_.tell_progress(message);
}

}  // namespace tensorpool::inline v0::sim::service
