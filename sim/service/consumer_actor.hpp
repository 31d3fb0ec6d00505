// A consumer of the simulated stream: says how it wants to be served, goes where it is sent, hears
// metadata and progress; and whether what reaches it is what the specification allows.
//
// Invariants that it checks
//  1. On a stream of its own it never gets what was sent for somebody else, while its producer
//     counts it as served there (W306).
//  2. On the shared stream a limit is kept by the consumer itself (W338).
//  3. Attributes are those of one set that was in force under that version (W373, W376).
//  4. A blob is delivered as it was sent, or not at all (W385..W389).
//  5. A prefix is there, of a frame that is committed or has its header early, and grows
//     (W359..W364, W369).
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "core/metadata/blob_receiver.hpp"
#include "core/metadata/set_store.hpp"
#include "core/progress/progress_tracker.hpp"
#include "core/registration/hello_sender.hpp"
#include "core/registration/qos.hpp"
#include "core/registration/rate.hpp"
#include "core/registration/stream_move.hpp"
#include "parts/actor.hpp"
#include "service/environment.hpp"

namespace tensorpool::inline v0::sim::service {

class ConsumerActor final : public Actor {
 public:
  ConsumerActor(Environment& environment, std::uint32_t index);

  void start() override;
  void bury() override;
  void run() override;
  void run_between() override { run(); }
  [[nodiscard]] Nanos interval() override;

  /// The application wants another mode or rate.
  void change_rate();

  /// What has arrived so far, in all lives.
  struct Taken {
    std::uint64_t notices = 0;    ///< given to the application
    std::uint64_t completed = 0;  ///< frames that COMPLETE was heard of
    std::uint64_t blobs = 0;
  };
  [[nodiscard]] const Taken& taken() const noexcept { return taken_; }
  [[nodiscard]] std::uint32_t consumer_id() const noexcept { return id_; }
  [[nodiscard]] const core::registration::OwnStream& descriptor_place() const {
    return descriptor_->place();
  }
  [[nodiscard]] const core::registration::OwnStream& control_place() const {
    return control_->place();
  }
  [[nodiscard]] bool is_settled() const {
    return !descriptor_->is_moving() && !control_->is_moving();
  }
  [[nodiscard]] layout::Mode mode_in_force() const noexcept { return mode_; }
  [[nodiscard]] const core::registration::ConsumerWish& wish() const { return wish_; }
  [[nodiscard]] const std::shared_ptr<const MetadataSet>& metadata() const {
    return sets_->current();
  }
  /// Mode and present state, for a person who has to understand a failure.
  [[nodiscard]] std::string describe() const;

 private:
  using Move = core::registration::StreamMove;
  struct Listening {
    PrivateStreams::Handle at = 0;    ///< of the present place; 0: shared
    PrivateStreams::Handle next = 0;  ///< while moving
  };

  void hear_control();
  void hear_metadata();
  void hear(const layout::ConsumerConfig& config);
  void hear(const layout::FrameProgress& progress);
  void hear(const layout::DataSourceMeta& set);
  void hear(const layout::MetaBlobComplete& complete);
  void say();
  void keep(Move& move, Listening& listening);
  void assign(Move& move, Listening& listening, core::registration::OwnStream to);
  void close(PrivateStreams::Handle& handle);
  void take_notices();
  void take_shared(const Notice& notice);
  void take_own(const Notice& notice);
  void attach(std::uint64_t epoch);
  [[nodiscard]] core::progress::Prefix look(std::uint64_t seq, std::uint64_t filled_bytes) const;
  void check_progress(const layout::FrameProgress& progress,
                      const core::progress::ProgressTracker::Outcome& outcome);
  [[nodiscard]] const ConsumerPlan& plan() const { return world_->scenario.consumers[index_]; }
  [[nodiscard]] Nanos now() const { return world_->clock.mono(); }

  Environment* world_;
  std::uint32_t index_;
  base::Random random_;
  std::uint32_t id_ = 0;
  core::registration::ConsumerWish wish_;
  layout::Mode mode_ = layout::Mode::kStream;
  std::optional<core::registration::HelloSender> hello_;
  std::optional<core::registration::Periodic> qos_;
  std::optional<Move> descriptor_;
  std::optional<Move> control_;
  Listening descriptors_;
  Listening own_control_;
  core::registration::RateGate gate_;
  std::optional<core::metadata::SetStore> sets_;
  std::optional<core::metadata::BlobReceiver> blobs_;
  std::optional<core::progress::ProgressTracker> tracker_;
  core::tensor::Layout rows_;  ///< of every frame
  std::uint64_t attached_ = 0;
  Taken taken_;
  std::optional<Nanos> accepted_at_;                 ///< the checker's, on the shared stream
  std::map<std::uint64_t, std::uint64_t> prefixes_;  ///< the checker's: bytes by frame
};

}  // namespace tensorpool::inline v0::sim::service
