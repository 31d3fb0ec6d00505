// What a consumer has mapped: the mapping machine, driven as agents/MappingAgent drives it.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "core/consumer/mapping_machine.hpp"
#include "parts/sim_epoch.hpp"
#include "parts/sim_memory.hpp"
#include "parts/surroundings.hpp"
#include "parts/truth.hpp"

namespace tensorpool::inline v0::sim {

class MappingSide {
 public:
  using Machine = core::consumer::MappingMachine;

  /// Told of what the machine has done.
  class Observer {
   public:
    Observer() = default;
    Observer(const Observer&) = delete;
    Observer& operator=(const Observer&) = delete;
    virtual void attempts_to_map() {}
    virtual void maps(const SimMapping& /*mapping*/) {}
    virtual void unmaps(std::uint64_t /*epoch*/, UnmapReason /*reason*/) {}
    virtual void gives_lease_back() = 0;

   protected:
    ~Observer() = default;
  };

  /// The references outlive the side.
  MappingSide(Surroundings& surroundings, RegionStore& store, Truth& truth, Observer& observer,
              std::uint32_t index)
      : world_(&surroundings),
        store_(&store),
        truth_(&truth),
        observer_(&observer),
        index_(index) {}

  /// A new process.
  void start(const Machine::Options& options);
  void bury() { offered_ = nullptr; }
  /// One duty cycle.
  void run(Nanos now);

  /// For inputs; `carry_out_actions` after each.
  [[nodiscard]] Machine& machine() noexcept { return *machine_; }
  [[nodiscard]] const Machine& machine() const noexcept { return *machine_; }
  /// Returns how many there were that do something.
  int carry_out_actions(Nanos now);

  void forget_refusal() noexcept { refused_ = false; }
  /// Whether an attempt to map has come to nothing since, because regions were refused.
  [[nodiscard]] bool refused() const noexcept { return refused_; }
  /// What the data side is to read from its next poll on, or nothing.
  [[nodiscard]] const std::shared_ptr<SimEpoch>& offered() const noexcept { return offered_; }

 private:
  void map(Nanos now);
  void unmap(UnmapReason reason);
  void note(const char* what, std::uint64_t a = 0, std::uint64_t b = 0) {
    world_->verdict.note(world_->clock.mono(), "consumer", index_, what, a, b);
  }

  Surroundings* world_;
  RegionStore* store_;
  Truth* truth_;
  Observer* observer_;
  std::uint32_t index_;
  std::optional<Machine> machine_;
  std::shared_ptr<SimEpoch> offered_;
  bool refused_ = false;
};

}  // namespace tensorpool::inline v0::sim
