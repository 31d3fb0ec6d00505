// A consumer: its two threads, which meet in the epoch that the one offers to the other.
#pragma once

#include <string>

#include "parts/actor.hpp"
#include "parts/data_side.hpp"
#include "standalone/control_side.hpp"

namespace tensorpool::inline v0::sim::standalone {

class ConsumerActor final : public Actor {
 public:
  ConsumerActor(Environment& environment, std::uint32_t index);

  void start() override;
  void bury() override;
  void run() override;
  void run_between() override { run(); }
  /// In the middle of a poll: control work, where that has a thread of its own.
  void run_beside() override;
  void stopped_inside() override { TP_MARK("a consumer is stopped in the middle of an operation"); }
  [[nodiscard]] Nanos interval() override;

  /// A ConsumerConfig arrives: use shared memory or not, and where to fall back to.
  void reconfigure();

  [[nodiscard]] std::uint64_t frames() const noexcept { return data_.frames(); }
  [[nodiscard]] const SimReceiver& receiver() const noexcept { return data_.receiver(); }
  [[nodiscard]] bool needs_descriptors() const noexcept {
    return plan().mode == ConsumerMode::kDescriptor;
  }
  [[nodiscard]] bool mapped_to(std::uint64_t epoch) const noexcept;
  void frame_committed(std::uint64_t epoch, std::uint64_t seq) {
    data_.frame_committed(epoch, seq);
  }
  /// Mode and present state, for a person who has to understand a failure.
  [[nodiscard]] std::string describe() const;

  [[nodiscard]] ControlSide& control() noexcept { return control_; }
  [[nodiscard]] DataSide& data() noexcept { return data_; }
  [[nodiscard]] const DataSide& data() const noexcept { return data_; }

 private:
  [[nodiscard]] const ConsumerPlan& plan() const { return world_->scenario.consumers[index_]; }

  Environment* world_;
  std::uint32_t index_;
  base::Random random_;
  ControlSide control_;
  DataSide data_;
  bool polling_ = false;
};

}  // namespace tensorpool::inline v0::sim::standalone
