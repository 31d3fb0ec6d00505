// A consumer: the machines of the core, driven as the client drives them, and the checkers that
// watch it.
#pragma once

#include <deque>
#include <limits>
#include <memory>
#include <optional>

#include "actor.hpp"
#include "announce_checker.hpp"
#include "core/consumer/descriptor_silence.hpp"
#include "core/consumer/frame_receiver.hpp"
#include "core/consumer/mapping_machine.hpp"
#include "environment.hpp"
#include "frame_checker.hpp"
#include "ledger.hpp"
#include "mapping_checker.hpp"

namespace tensorpool::inline v0::sim {

class ConsumerActor final : public Actor {
 public:
  /// Planted bugs of a client, for the simulator's own tests.
  struct Bugs {
    bool forgets_gaps = false;        ///< numbers that were lost are not counted
    bool keeps_mapping = false;       ///< does not give a mapping up
    bool believes_announces = false;  ///< whoever sent them, and whenever
  };

  ConsumerActor(Environment& environment, std::uint32_t index);

  void start() override;
  void bury() override;
  void run() override;
  void run_between() override { run(); }
  [[nodiscard]] Nanos interval() override;

  /// A ConsumerConfig arrives: use shared memory or not, and where to fall back to.
  void reconfigure() override;

  /// Frames handed out in all lives.
  [[nodiscard]] std::uint64_t frames() const noexcept { return frames_; }
  [[nodiscard]] const ConsumerCounters& counters() const noexcept { return receiver_->counters(); }
  /// True when each descriptor is read on its own, so that in calm times only numbers that were
  /// aborted are missing.
  [[nodiscard]] bool reads_each_descriptor() const noexcept {
    return plan().mode == ConsumerMode::kDescriptor && plan().latest_permille == 0;
  }
  [[nodiscard]] bool mapped_to(std::uint64_t epoch) const noexcept;
  [[nodiscard]] std::uint64_t last_seq() const noexcept { return receiver_->last_seq(); }
  /// Frame `seq` of `epoch` has just been committed: nobody can have given it up before.
  void frame_committed(std::uint64_t epoch, std::uint64_t seq);

  /// Mode and present state, for a person who has to understand a failure.
  [[nodiscard]] std::string describe() const;

  Bugs bugs;

 private:
  using MappingMachine = core::consumer::MappingMachine;

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

  void hear_announces(const base::Now& now);
  void hear(const Announce& announce, Nanos joined_at, const base::Now& now);
  /// Returns how many there were.
  int carry_out_actions(Nanos now);
  void map(Nanos now);
  void unmap(UnmapReason reason);
  void poll_ring(Call call);
  void poll_descriptors(Call call, Nanos now);
  void look_at_ring(Call call, Nanos now);
  int take_descriptors(int messages, int frames_max, Nanos now);
  void resubscribe(Nanos now);
  void give_descriptor(const Descriptor& descriptor, int limit);
  core::consumer::Use use(const SimFrame& frame);
  void settle_in_use();
  void check_machines(Nanos now);
  void judge_kept();
  void give_up_if_wanted();
  void note(const char* what, std::uint64_t a = 0, std::uint64_t b = 0);
  [[nodiscard]] const ConsumerPlan& plan() const { return world_->scenario.consumers[index_]; }
  [[nodiscard]] int poll_limit() const;

  Environment* world_;
  std::uint32_t index_;
  base::Random random_;
  FrameChecker frames_checked_;
  core::consumer::DescriptorSilence silence_;
  std::optional<AnnounceChecker> announces_checked_;
  std::optional<MappingChecker> mappings_checked_;
  std::optional<Ledger> ledger_;
  std::optional<MappingMachine> machine_;
  std::optional<SimReceiver> receiver_;
  std::shared_ptr<const SimMapping> mapping_;
  const Truth::Epoch* truth_ = nullptr;
  std::optional<InUse> in_use_;
  std::deque<Kept> kept_;

  std::uint64_t frames_ = 0;
};

}  // namespace tensorpool::inline v0::sim
