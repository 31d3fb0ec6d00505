#include "parts/publish_side.hpp"

#include <utility>

namespace tensorpool::inline v0::sim {

void PublishSide::begin(std::shared_ptr<SimMapping> mapping, EpochTruth& truth,
                        SimTopic<Descriptor>& descriptors) {
  mapping_ = std::move(mapping);
  truth_ = &truth;
  descriptors_ = &descriptors;
  writer_.emplace(mapping_->memory(),
                  Writer::Options{.stream_id = truth.stream_id, .epoch = truth.epoch});
}

void PublishSide::end() {
  for (const core::producer::OpenClaim& claim : claims_) {
    truth_->aborted.insert(claim.seq);
    lost_claims_.push_back(claim);
  }
  claims_.clear();
  writer_.reset();
}

void PublishSide::bury() {
  claims_.clear();
  lost_claims_.clear();
  writer_.reset();
  mapping_ = nullptr;
  truth_ = nullptr;
}

void PublishSide::work() {
  try_lost_claims();
  if (random_->chance(plan_->refuse_permille, 1000)) {
    try_invalid_things();
  }
  const bool burst = !world_->healed && random_->chance(plan_->burst_permille, 1000);
  publish_frames(burst ? random_->between(1, 2 * std::uint64_t{mapping_->memory().nslots}) : 1);
}

/// Claims of an epoch that is over: nothing may be written for them (D314).
void PublishSide::try_lost_claims() {
  for (const core::producer::OpenClaim& claim : std::exchange(lost_claims_, {})) {
    TP_MARK("a claim of a lost epoch is refused");
    const std::uint64_t next = writer_->next_seq();
    if (writer_->commit(claim, content_of(next).info(), 8, 0) != CommitStatus::kStaleClaim ||
        writer_->abort(claim) || writer_->next_seq() != next) {
      fail("a claim of a lost epoch was not refused");
    }
  }
}

void PublishSide::publish_frames(std::uint64_t count) {
  for (; count != 0 && !dead(); --count) {
    const bool claim = random_->chance(plan_->claim_permille, 1000);
    if (claim && claims_.size() < plan_->claims_max) {
      take_claim();
    } else if (!claims_.empty()) {
      settle_oldest_claim();
    } else {
      publish();
    }
  }
}

void PublishSide::publish() {
  const std::uint64_t seq = writer_->next_seq();
  const FrameContent content = content_of(seq);
  content.fill(words_);
  writer_->set_meta_version(content.meta_version());
  const PublishStatus status =
      writer_->publish(content.info(), std::as_bytes(std::span(words_)).first(content.bytes()),
                       content.timestamp_ns());
  if (status != PublishStatus::kPublished) {
    fail("publish of a valid frame was refused");
    return;
  }
  committed(seq);
}

void PublishSide::take_claim() {
  const std::uint64_t seq = writer_->next_seq();
  const FrameContent content = content_of(seq);
  core::producer::OpenClaim claim;
  const PublishStatus status = writer_->claim(content.bytes(), claim);
  const bool full = claims_.size() >= mapping_->memory().nslots;
  if (status != (full ? PublishStatus::kTooManyClaims : PublishStatus::kPublished)) {
    fail("a claim was answered wrongly");
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

void PublishSide::settle_oldest_claim() {
  const core::producer::OpenClaim claim = claims_.front();
  const FrameContent content = content_of(claim.seq);
  if (claims_.size() > 1 &&
      writer_->commit(claims_.back(), content.info(), 8, 0) != CommitStatus::kCommitOutOfOrder) {
    fail("a claim was committed before an older one");
  }
  if (random_->chance(plan_->abort_permille, 1000)) {
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
    fail("commit of the oldest claim was refused");
    return;
  }
  claims_.pop_front();
  committed(claim.seq);
}

void PublishSide::try_invalid_things() {
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
    fail("an invalid publish had an effect");
  }
}

void PublishSide::abort_all_claims() {
  while (!claims_.empty()) {
    truth_->aborted.insert(claims_.front().seq);
    static_cast<void>(writer_->abort(claims_.front()));
    claims_.pop_front();
  }
}

void PublishSide::committed(std::uint64_t seq) {
  if (dead()) {
    return;
  }
  ++all_truth_->frames;
  ++truth_->committed;
  truth_->newest = seq;
  if (seq != 0 && seq % mapping_->memory().nslots == 0) {
    ++all_truth_->laps;
  }
  on_committed_(*truth_, seq);
  if (steps->message()) {
    send_descriptor();
  } else {
    TP_MARK("killed between COMMITTED and the descriptor");
  }
}

void PublishSide::send_descriptor() {
  const layout::FrameDescriptorMessage& message = writer_->descriptor();
  switch (descriptors_->offer(
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

}  // namespace tensorpool::inline v0::sim
