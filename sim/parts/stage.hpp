// Where simulated processes live: each has its turn, is preempted in the middle of what it does,
// stopped, killed and started again. What else may happen is the business of a world (Script).
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "parts/actor.hpp"
#include "parts/plans.hpp"
#include "parts/sim_atom.hpp"
#include "parts/surroundings.hpp"

namespace tensorpool::inline v0::sim {

/// Who runs while somebody is preempted, and how many times.
struct Turn {
  std::uint32_t actor = 0;
  std::uint64_t times = 1;
};

class Stage final : private Steps::Preemptor {
 public:
  struct Options {
    std::uint64_t seed = 0;
    std::uint64_t preempt_steps = 1;  ///< mean distance of preemptions
    Nanos pause_max{};
    Nanos pause_min{};
    Nanos restart_max{};
    Nanos faults_for{};
  };

  /// What a world adds.
  class Script {
   public:
    Script() = default;
    Script(const Script&) = delete;
    Script& operator=(const Script&) = delete;
    /// A fault that was planned with plan_strike.
    virtual void strike(const Event& event) = 0;
    [[nodiscard]] virtual Turn next_turn() = 0;
    /// After each turn of an actor.
    virtual void check() {}

   protected:
    ~Script() = default;
  };

  /// The references outlive the stage.
  Stage(const Options& options, Surroundings& surroundings, Script& script);
  ~Stage();

  void add(std::unique_ptr<Actor> actor) { actors_.push_back(std::move(actor)); }
  [[nodiscard]] Actor& actor(std::uint32_t index) { return *actors_[index]; }
  [[nodiscard]] std::size_t actors() const noexcept { return actors_.size(); }

  /// Begins to act: everybody starts.
  void begin();
  void run_until(Nanos until);
  void run_for(Nanos span) { run_until(now() + span); }
  /// Faults go on for a while.
  void put_off_healing(Nanos span) noexcept { heal_at_ += span; }
  [[nodiscard]] Nanos heal_at() const noexcept { return heal_at_; }
  /// From now on nobody dies, and everybody lives.
  void heal();

  void plan_at(Nanos at, EventKind kind, std::uint32_t actor);
  void plan_strike(Nanos at, std::uint32_t strike, std::uint32_t actor);
  /// While there are faults.
  [[nodiscard]] Nanos anywhen() { return started_ + up_to(options_.faults_for); }
  [[nodiscard]] Nanos up_to(Nanos most) { return sim::up_to(random_, most); }
  [[nodiscard]] base::Random& random() noexcept { return random_; }

  /// `what(actor)` happens in the process of `actor`, which is not busy.
  template <class What>
  void within(std::uint32_t index, What&& what);
  /// SIGKILL.
  void kill(std::uint32_t index);

  [[nodiscard]] Steps& steps() noexcept { return steps_; }
  [[nodiscard]] const Steps& steps() const noexcept { return steps_; }
  [[nodiscard]] std::uint64_t events() const noexcept { return events_; }
  [[nodiscard]] std::uint64_t crashes() const noexcept { return crashes_; }
  [[nodiscard]] std::uint64_t preemptions() const noexcept { return preemptions_; }
  [[nodiscard]] Nanos virtual_time() const noexcept { return now() - started_; }

 private:
  static constexpr int kDepthMax = 3;

  [[nodiscard]] Nanos now() const noexcept { return around_->clock.mono(); }
  void handle(const Event& event);
  void wake(const Event& event);
  void start(std::uint32_t index);
  void bury_if_dead(std::uint32_t index);
  void preempt() noexcept override;
  void pause(Nanos span);
  [[nodiscard]] Nanos pause_span();
  void let_others_run();
  void plan_preemption();

  Options options_;
  Surroundings* around_;
  Script* script_;
  Steps steps_;
  Steps* outer_steps_;  ///< of the run that this one lies in
  base::Random random_;
  EventQueue queue_;
  std::vector<std::unique_ptr<Actor>> actors_;
  Actor* running_ = nullptr;
  Actor* pause_wanted_ = nullptr;
  Nanos started_{};
  Nanos heal_at_{};
  int depth_ = 0;
  std::uint64_t events_ = 0;
  std::uint64_t crashes_ = 0;
  std::uint64_t preemptions_ = 0;
};

template <class What>
void Stage::within(std::uint32_t index, What&& what) {
  Actor& actor = *actors_[index];
  const bool was_busy = std::exchange(actor.busy, true);
  Actor* const other = std::exchange(running_, &actor);
  Process* const other_process = steps_.enter(&actor.process);
  what(actor);
  steps_.enter(other_process);
  running_ = other;
  actor.busy = was_busy;
  if (!was_busy) {
    bury_if_dead(index);
  }
}

}  // namespace tensorpool::inline v0::sim
