// The polling thread of a consumer: the receiver, driven as client/ConsumerCore drives it, and the
// checkers that watch it.
#pragma once

#include <cstdint>
#include <deque>
#include <limits>
#include <memory>
#include <optional>

#include "core/consumer/descriptor_silence.hpp"
#include "core/consumer/frame.hpp"
#include "core/consumer/frame_receiver.hpp"
#include "parts/frame_checker.hpp"
#include "parts/ledger.hpp"
#include "parts/plans.hpp"
#include "parts/sim_bus.hpp"
#include "parts/sim_epoch.hpp"
#include "parts/surroundings.hpp"

namespace tensorpool::inline v0::sim {

using core::consumer::Descriptor;

class DataSide {
 public:
  /// Planted bugs, for the simulator's own tests.
  struct Bugs {
    bool forgets_gaps = false;   ///< numbers that were lost are not counted
    bool keeps_mapping = false;  ///< does not let a mapping go
    bool begins_late = false;    ///< forgets that it has followed its stream into an epoch
  };

  struct Options {
    std::uint32_t index = 0;  ///< of the consumer: names it, and its descriptor subscription
    std::uint32_t stream_id = 0;
    std::uint64_t seed = 0;
  };
  /// What may be handed out as present; for worlds with leases.
  struct Limits {
    std::uint64_t lowest_epoch = 0;  ///< those below are over
    Nanos deadline = Nanos::max();   ///< of the consumer's own lease
  };
  /// What a consumer had when a calm began.
  struct Calm {
    std::uint64_t frames = 0;
    std::uint64_t remaps = 0;
    std::uint64_t resyncs = 0;
    std::uint64_t drops_gap = 0;
    std::uint64_t last_seq = 0;
  };

  /// The references outlive the side.
  DataSide(Surroundings& surroundings, SimTopic<Descriptor>& descriptors, const ConsumerPlan& plan,
           const Options& options);

  void start();
  void bury();
  /// One call of the application, in one of the ways that it has.
  void poll(std::shared_ptr<SimEpoch> offered, MappingState state, const Limits& limits);

  [[nodiscard]] const SimReceiver& receiver() const noexcept { return *receiver_; }
  /// Frames handed out in all lives.
  [[nodiscard]] std::uint64_t frames() const noexcept { return frames_; }
  /// Frame `seq` of `epoch` has just been committed: nobody can have given it up before.
  void frame_committed(std::uint64_t epoch, std::uint64_t seq);

  [[nodiscard]] Calm calm() const;
  /// How many numbers are missing since `before` that were not aborted: in calm times none, since
  /// every descriptor arrives. Nothing where the consumer does not read each descriptor.
  [[nodiscard]] std::optional<std::int64_t> lost_since(const Calm& before,
                                                       const EpochTruth& truth) const;

  Bugs bugs;

 private:
  static constexpr int kAll = std::numeric_limits<int>::max();

  /// The three ways in which an application receives.
  enum class Call : std::uint8_t { kPoll, kNext, kLatest };

  /// A frame that was taken along.
  struct Kept {
    std::shared_ptr<const SimMapping> mapping;
    SimFrame frame;
    FrameContent content;
  };
  /// The frame that the receiver itself checks after use.
  struct InUse {
    std::uint64_t seq = 0;
    bool payload_right = true;
    std::uint64_t changed_before = 0;
  };

  void switch_epoch(const std::shared_ptr<SimEpoch>& offered);
  void let_go();
  void poll_ring(Call call);
  void poll_descriptors(Call call);
  void look_at_ring(Call call);
  int take_descriptors(int messages, int frames_max);
  void resubscribe();
  void give_descriptor(const Descriptor& descriptor, int limit);
  core::consumer::Use use(const SimFrame& frame);
  void settle_in_use();
  void judge_kept();
  void demand_unmapping();
  void fail(const char* what) { world_->verdict.fail(Failure::kSafety, what); }
  [[nodiscard]] const ConsumerPlan& plan() const { return *plan_; }
  [[nodiscard]] int poll_limit() const;

  Surroundings* world_;
  SimTopic<Descriptor>* descriptors_;
  const ConsumerPlan* plan_;
  Options options_;
  base::Random random_;
  FrameChecker frames_checked_;
  core::consumer::DescriptorSilence silence_;
  std::optional<Ledger> ledger_;
  std::optional<SimReceiver> receiver_;
  std::shared_ptr<SimEpoch> attached_;
  Nanos now_{};               ///< when the present call began
  Limits limits_;             ///< what held then
  bool in_fallback_ = false;  ///< so did it
  std::optional<InUse> in_use_;
  std::deque<Kept> kept_;
  std::uint64_t frames_ = 0;
};

}  // namespace tensorpool::inline v0::sim
