// The writing side of a producer: frames, claims, descriptors of one epoch at a time, and what only
// the simulation knows about them.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>

#include "core/consumer/frame.hpp"
#include "core/producer/frame_writer.hpp"
#include "parts/frame_content.hpp"
#include "parts/plans.hpp"
#include "parts/sim_bus.hpp"
#include "parts/sim_memory.hpp"
#include "parts/surroundings.hpp"
#include "parts/truth.hpp"

namespace tensorpool::inline v0::sim {

using core::consumer::Descriptor;

class PublishSide {
 public:
  using Writer = core::producer::FrameWriter<SimAtom, SimCopier>;
  /// Told of each committed number.
  using OnCommitted = std::function<void(const EpochTruth& epoch, std::uint64_t seq)>;

  /// The references outlive the side. `random` is that of the producer.
  PublishSide(Surroundings& surroundings, Truth& truth, const ProducerPlan& plan,
              base::Random& random, OnCommitted on_committed)
      : world_(&surroundings),
        all_truth_(&truth),
        plan_(&plan),
        random_(&random),
        on_committed_(std::move(on_committed)) {}

  /// Frames of another epoch begin, with number 0.
  void begin(std::shared_ptr<SimMapping> mapping, EpochTruth& truth,
             SimTopic<Descriptor>& descriptors);
  /// No frame of this epoch any more. Its open claims are lost; the writer of the next one refuses
  /// them, or it is a failure.
  void end();
  /// The process is gone.
  void bury();

  [[nodiscard]] bool open() const noexcept { return writer_.has_value(); }
  [[nodiscard]] Writer& writer() noexcept { return *writer_; }
  [[nodiscard]] const EpochTruth& truth() const noexcept { return *truth_; }
  [[nodiscard]] std::uint64_t nslots() const {
    return mapping_ == nullptr ? 1 : mapping_->memory().nslots;
  }

  /// One duty cycle: a frame, or a burst of them. Precondition: open().
  void work();
  void publish_frames(std::uint64_t count);
  void abort_all_claims();

 private:
  void publish();
  void take_claim();
  void settle_oldest_claim();
  void try_invalid_things();
  void try_lost_claims();
  /// `seq` is committed, unless the process died on the way.
  void committed(std::uint64_t seq);
  void send_descriptor();
  [[nodiscard]] FrameContent content_of(std::uint64_t seq) const {
    return {truth_->geometry, truth_->epoch, seq};
  }
  [[nodiscard]] static bool dead() noexcept { return steps->running()->dead; }
  void fail(const char* what) { world_->verdict.fail(Failure::kSafety, what); }

  Surroundings* world_;
  Truth* all_truth_;
  const ProducerPlan* plan_;
  base::Random* random_;
  OnCommitted on_committed_;
  std::shared_ptr<SimMapping> mapping_;
  EpochTruth* truth_ = nullptr;
  SimTopic<Descriptor>* descriptors_ = nullptr;
  std::optional<Writer> writer_;
  std::deque<core::producer::OpenClaim> claims_;
  std::deque<core::producer::OpenClaim> lost_claims_;  ///< of epochs that have ended
  std::array<std::uint64_t, FrameContent::kWordsMax> words_{};
};

}  // namespace tensorpool::inline v0::sim
