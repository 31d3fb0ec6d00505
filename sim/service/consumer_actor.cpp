#include "service/consumer_actor.hpp"

#include <algorithm>
#include <utility>

namespace tensorpool::inline v0::sim::service {

using core::progress::Prefix;
using core::progress::SlotStanding;
using core::registration::LiveConsumer;
using core::registration::OwnStream;
using Verdict = core::progress::ProgressTracker::Verdict;

ConsumerActor::ConsumerActor(Environment& environment, std::uint32_t index)
    : world_(&environment),
      index_(index),
      random_(random_for(environment.scenario.seed, 300 + index)) {
  wish_ = plan().wish;
  rows_.info.progress_unit = ProgressUnit::kRows;
  rows_.info.progress_stride_bytes = environment.scenario.producer.row_bytes;
  rows_.contiguous = true;
}

void ConsumerActor::start() {
  process = {};
  alive = true;
  ++life;
  if (life == 1 || !random_.chance(plan().same_id_permille, 1000)) {
    id_ = 1 + index_ + 100 * life;
  }
  mode_ = wish_.mode;
  hello_.emplace(kStreamId, world_->scenario.interval, wish_, now());
  hello_->set_consumer_id(id_);
  qos_.emplace(world_->scenario.interval, now());
  descriptor_.emplace();
  control_.emplace();
  gate_ = {};
  sets_.emplace(core::metadata::SetStore::Options{
      .stream_id = kStreamId, .liveness_timeout = world_->scenario.stale_timeout});
  blobs_.emplace(core::metadata::BlobReceiver::Options{.stream_id = kStreamId});
  tracker_.emplace(core::progress::ProgressTracker::Options{
      .stream_id = kStreamId, .wants_progress = wish_.supports_progress});
  attached_ = 0;
  accepted_at_.reset();
  world_->control.subscribe(index_, now(), 0);
  world_->metadata.subscribe(index_, now(), 0);
  world_->descriptors.subscribe(index_, now(), 0);
}

void ConsumerActor::bury() {
  alive = false;
  for (Listening* const one : {&descriptors_, &own_control_}) {
    close(one->at);
    close(one->next);
  }
  world_->control.unsubscribe(index_);
  world_->metadata.unsubscribe(index_);
  world_->descriptors.unsubscribe(index_);
}

void ConsumerActor::run() {
  hear_control();
  hear_metadata();
  keep(*descriptor_, descriptors_);
  keep(*control_, own_control_);
  say();
  take_notices();
  blobs_->poll(now());
}

Nanos ConsumerActor::interval() {
  return around(random_, plan().poll_interval);
}

void ConsumerActor::change_rate() {
  wish_.mode = random_.chance(2, 3) ? layout::Mode::kRateLimited : layout::Mode::kStream;
  wish_.max_rate_hz = random_.chance(1, 6) ? 0 : number(random_, 5, 400);
  if (alive) {
    mode_ = wish_.mode;  // until a config says otherwise
    hello_->set_wish(wish_);
  }
}

// -- What is said --------------------------------------------------------------------------------

void ConsumerActor::say() {
  if (hello_->is_due(now()) &&
      world_->hellos.offer(keeping_channels(hello_->hello()), now()) == Offer::kSent) {
    hello_->sent(now());
  }
  layout::QosConsumer qos;
  qos.stream_id = kStreamId;
  qos.consumer_id = id_;
  if (qos_->is_due(now()) && world_->hellos.offer(plain(qos), now()) == Offer::kSent) {
    qos_->sent(now());
  }
}

// -- Where it listens ----------------------------------------------------------------------------

void ConsumerActor::hear_control() {
  world_->control.poll(index_, now(), 64, [this](const Message& message, Nanos) {
    if (const auto* const config = std::get_if<layout::ConsumerConfig>(&message.body)) {
      hear(*config);
    } else if (const auto* const progress = std::get_if<layout::FrameProgress>(&message.body);
               progress != nullptr && own_control_.at == 0) {
      hear(*progress);
    }
  });
  if (own_control_.at != 0) {
    world_->own_streams.take(own_control_.at, now(), [this](const auto& traffic) {
      if (const auto* const progress = std::get_if<layout::FrameProgress>(&traffic)) {
        TP_MARK("progress on a stream of one's own");
        hear(*progress);
      }
    });
  }
}

void ConsumerActor::hear(const layout::ConsumerConfig& config) {
  if (config.stream_id != kStreamId || config.consumer_id != id_) {
    return;
  }
  OwnStream descriptors = OwnStream::of(config.descriptor_channel, config.descriptor_stream_id);
  OwnStream control = OwnStream::of(config.control_channel, config.control_stream_id);
  if (descriptors.is_half() || control.is_half()) {
    TP_MARK("half an assignment is refused");
    return;
  }
  world_->verdict.note(now(), "consumer", index_, "is told; descriptors on", id_,
                       config.descriptor_stream_id);
  mode_ = config.mode;
  assign(*descriptor_, descriptors_, std::move(descriptors));
  assign(*control_, own_control_, std::move(control));
}

void ConsumerActor::assign(Move& move, Listening& listening, OwnStream to) {
  switch (move.assign(std::move(to))) {
    case Move::Step::kNothing:
      break;
    case Move::Step::kAdd:
      close(listening.next);
      if (!move.target().is_absent()) {
        listening.next = world_->own_streams.subscribe(move.target(), now());
      }
      break;
    case Move::Step::kCancel:
      close(listening.next);
      break;
  }
}

void ConsumerActor::keep(Move& move, Listening& listening) {
  if (!move.is_moving()) {
    return;
  }
  if (listening.next == 0) {  // back to the shared stream, which is there
    close(listening.at);
    move.on_added(true);
    return;
  }
  switch (world_->own_streams.state(listening.next, now())) {
    case PrivateStreams::State::kComing:
      break;
    case PrivateStreams::State::kUp:
      close(listening.at);
      listening.at = std::exchange(listening.next, 0);
      move.on_added(true);
      break;
    case PrivateStreams::State::kFailed:
      break;  // no subscription does
  }
}

void ConsumerActor::close(PrivateStreams::Handle& handle) {
  if (handle != 0) {
    world_->own_streams.close(std::exchange(handle, 0));
  }
}

// -- Frames --------------------------------------------------------------------------------------

void ConsumerActor::take_notices() {
  const bool limited = mode_ == layout::Mode::kRateLimited && wish_.max_rate_hz != 0;
  const bool on_own = descriptors_.at != 0;
  gate_.set_interval(limited && !on_own ? core::registration::interval_of(wish_.max_rate_hz)
                                        : Nanos{});
  if (!limited || on_own) {
    accepted_at_.reset();
  }
  world_->descriptors.poll(index_, now(), 256, [&](const Notice& notice, Nanos) {
    if (!on_own) {
      take_shared(notice);
    }
  });
  if (on_own) {
    world_->own_streams.take(descriptors_.at, now(), [this](const auto& traffic) {
      if (const auto* const notice = std::get_if<Notice>(&traffic)) {
        take_own(*notice);
      }
    });
  }
}

void ConsumerActor::take_shared(const Notice& notice) {
  attach(notice.epoch);
  const auto at_ns = static_cast<std::uint64_t>(notice.at.count());
  if (gate_.is_active() && world_->bug != PlantedBug::kNoGate &&
      !gate_.accepts(core::registration::FrameTime::of_descriptor(at_ns))) {
    return;
  }
  if (gate_.is_active() && accepted_at_ && notice.at >= *accepted_at_ &&
      notice.at - *accepted_at_ < core::registration::interval_of(wish_.max_rate_hz)) {
    world_->broken("a limited consumer takes frames faster than it wanted");
  }
  if (gate_.is_active()) {
    accepted_at_ = notice.at;
  }
  ++taken_.notices;
}

void ConsumerActor::take_own(const Notice& notice) {
  attach(notice.epoch);
  ++taken_.notices;
  if (notice.for_consumer == id_ || world_->registry == nullptr) {
    return;
  }
  const std::optional<LiveConsumer> me =
      world_->registry->find({.stream_id = kStreamId, .consumer_id = id_});
  const std::optional<LiveConsumer> other =
      world_->registry->find({.stream_id = kStreamId, .consumer_id = notice.for_consumer});
  const std::uint32_t here = descriptor_->place().stream_id;
  if (me && other && me->descriptor_stream_id == here && other->descriptor_stream_id == here) {
    world_->broken("two consumers are served on one stream");
  }
}

// -- Metadata ------------------------------------------------------------------------------------

void ConsumerActor::hear_metadata() {
  world_->metadata.poll(index_, now(), 64, [this](const Message& message, Nanos) {
    if (const auto* const announce = std::get_if<layout::DataSourceAnnounce>(&message.body)) {
      sets_->on_announce(*announce, now());
    } else if (const auto* const set = std::get_if<layout::DataSourceMeta>(&message.body)) {
      hear(*set);
    } else if (const auto* const blob = std::get_if<layout::MetaBlobAnnounce>(&message.body)) {
      blobs_->on_announce(*blob, now());
    } else if (const auto* const chunk = std::get_if<layout::MetaBlobChunk>(&message.body)) {
      blobs_->on_chunk(*chunk, now());
    } else if (const auto* const end = std::get_if<layout::MetaBlobComplete>(&message.body)) {
      hear(*end);
    }
  });
}

void ConsumerActor::hear(const layout::DataSourceMeta& set) {
  const std::uint32_t before = sets_->current() ? sets_->current()->version : 0;
  if (world_->bug == PlantedBug::kOldSet) {  // as if nothing had been known
    sets_.emplace(core::metadata::SetStore::Options{
        .stream_id = kStreamId, .liveness_timeout = world_->scenario.stale_timeout});
  }
  if (sets_->on_set(set) != core::metadata::SetStore::Verdict::kStored) {
    return;
  }
  const MetadataSet& stored = *sets_->current();
  if (stored.version < before) {
    world_->broken("an older set takes the place of a newer one");
  }
  if (!world_->truth.was_ever(stored.version, stored.attributes)) {
    world_->broken("a set is stored that was never in force");
  }
}

void ConsumerActor::hear(const layout::MetaBlobComplete& complete) {
  MetadataBlob blob;
  layout::MetaBlobComplete heard = complete;
  if (world_->bug == PlantedBug::kSkipsChecksum && !blobs_->is_open()) {
    // Delivers what it has although the blob was given up: nothing.
    blob = {.stream_id = kStreamId, .version = complete.meta_version, .type = 1};
  } else if (blobs_->on_complete(heard, blob) !=
             core::metadata::BlobReceiver::Verdict::kDelivered) {
    return;
  }
  const auto sent = world_->truth.blobs.find(blob.type);
  if (sent == world_->truth.blobs.end() || sent->second != blob.bytes) {
    world_->broken("a blob is delivered that was not sent");
  }
  TP_MARK("a blob is whole");
  ++taken_.blobs;
}

// -- Progress ------------------------------------------------------------------------------------

void ConsumerActor::attach(std::uint64_t epoch) {
  if (epoch > attached_) {
    attached_ = epoch;
    prefixes_.clear();
    const ProducerPlan& producer = world_->scenario.producer;
    tracker_->attach(epoch, kNslots, producer.rows * producer.row_bytes);
  }
}

/// What lies in the slot of frame `seq`, as the producer left it.
Prefix ConsumerActor::look(std::uint64_t seq, std::uint64_t filled_bytes) const {
  const auto& frames = world_->truth.taken;
  Prefix prefix;
  if (attached_ != world_->truth.epoch || frames.empty()) {
    prefix.standing = SlotStanding::kLater;
    return prefix;
  }
  const std::uint64_t newest = frames.rbegin()->first;
  const auto frame = frames.find(seq);
  if (frame == frames.end()) {
    return prefix;  // an earlier one is there
  }
  if (newest - seq >= kNslots) {
    prefix.standing = SlotStanding::kLater;
    return prefix;
  }
  prefix.standing = frame->second.committed ? SlotStanding::kCommitted : SlotStanding::kInProgress;
  const bool early = world_->scenario.early_header && filled_bytes != 0;
  if (frame->second.committed || early) {
    prefix.readable = true;
    prefix.tensor = &rows_;
    prefix.values_len_bytes = static_cast<std::uint32_t>(frame->second.total_bytes);
  }
  return prefix;
}

void ConsumerActor::hear(const layout::FrameProgress& progress) {
  auto outcome = tracker_->on_message(
      progress,
      [this](std::uint64_t seq, std::uint64_t filled_bytes) { return look(seq, filled_bytes); });
  if (world_->bug == PlantedBug::kProgressUnchecked && wish_.supports_progress) {
    outcome = {.verdict = Verdict::kPrefix,
               .prefix = look(progress.seq, progress.payload_bytes_filled),
               .bytes = progress.payload_bytes_filled};
  }
  check_progress(progress, outcome);
}

void ConsumerActor::check_progress(const layout::FrameProgress& progress,
                                   const core::progress::ProgressTracker::Outcome& outcome) {
  if (outcome.verdict != Verdict::kPrefix) {
    return;
  }
  if (!wish_.supports_progress) {
    world_->broken("progress reaches somebody who did not ask for it");
  }
  const auto frame = world_->truth.taken.find(progress.seq);
  if (!outcome.prefix.readable || frame == world_->truth.taken.end() ||
      outcome.bytes > frame->second.filled_bytes) {
    world_->broken("a prefix is handed out that is not there");
  }
  if (frame != world_->truth.taken.end() && !frame->second.committed) {
    TP_MARK("a prefix before the commit");
  }
  std::uint64_t& told = prefixes_[progress.seq];
  if (outcome.bytes < told) {
    world_->broken("a prefix becomes shorter");
  }
  told = outcome.bytes;
  taken_.completed += progress.state == layout::FrameProgressState::kComplete ? 1 : 0;
}

std::string ConsumerActor::describe() const {
  std::string text = wish_.mode == layout::Mode::kRateLimited
                         ? "at most " + std::to_string(wish_.max_rate_hz) + " Hz"
                         : "every frame";
  text += ", asks for " + std::to_string(wish_.descriptors.stream_id) + " and " +
          std::to_string(wish_.control.stream_id);
  if (alive) {
    text += ", listens on " + std::to_string(descriptor_->place().stream_id) + " and " +
            std::to_string(control_->place().stream_id);
  }
  return text;
}

}  // namespace tensorpool::inline v0::sim::service
