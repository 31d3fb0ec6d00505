// The control thread of a consumer: the mapping machine, driven as agents/MappingAgent drives it,
// and the checkers that watch it.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "announce_checker.hpp"
#include "core/consumer/mapping_machine.hpp"
#include "environment.hpp"
#include "mapping_checker.hpp"
#include "sim_epoch.hpp"

namespace tensorpool::inline v0::sim {

class ControlSide {
 public:
  ControlSide(Environment& environment, std::uint32_t index);

  /// A new process; `use_shm` is its configuration.
  void start(bool use_shm);
  void bury();
  /// One duty cycle.
  void run();
  /// A ConsumerConfig arrives.
  void configure(bool use_shm, const char* fallback_uri);

  /// What the data side is to read from its next poll on, or nothing.
  [[nodiscard]] const std::shared_ptr<SimEpoch>& offered() const noexcept { return offered_; }
  [[nodiscard]] MappingState state() const noexcept { return machine_->state(); }

  bool believes_announces = false;  ///< planted bug: whoever sent them, and whenever

 private:
  using MappingMachine = core::consumer::MappingMachine;

  void hear_announces(const base::Now& now);
  void hear(const Announce& announce, Nanos joined_at, const base::Now& now);
  /// Returns how many there were.
  int carry_out_actions(Nanos now);
  void map(Nanos now);
  void unmap(UnmapReason reason);
  void fail(const char* what) { world_->verdict.fail(Failure::kSafety, what); }
  void note(const char* what, std::uint64_t a = 0, std::uint64_t b = 0);

  Environment* world_;
  std::uint32_t index_;
  base::Random random_;
  std::optional<AnnounceChecker> announces_checked_;
  std::optional<MappingChecker> mappings_checked_;
  std::optional<MappingMachine> machine_;
  std::shared_ptr<SimEpoch> offered_;
};

}  // namespace tensorpool::inline v0::sim
