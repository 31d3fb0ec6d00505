// One simulated run: plans the faults, lets processes run, preempts them in the middle of what they
// do, stops the faults and demands progress.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "consumer_actor.hpp"
#include "environment.hpp"
#include "producer_actor.hpp"

namespace tensorpool::inline v0::sim {

/// A bug that is planted, to see that the simulator finds it.
enum class PlantedBug : std::uint8_t {
  kNone,
  kNoFirstCheck,
  kNoSecondCheck,
  kNoCheckAfterUse,
  kNoInProgress,
  kForgetsGaps,
  kKeepsMapping,
  kBelievesAnnounces,
  kMuteAfterRestart,
  kCrash,  ///< of the simulated code itself
};

/// What a run did.
struct RunStats {
  std::uint64_t events = 0;  ///< duty cycles, messages taken, faults
  std::uint64_t steps = 0;   ///< accesses of shared memory
  std::uint64_t frames_published = 0;
  std::uint64_t frames_received = 0;
  std::uint64_t crashes = 0;
  std::uint64_t laps = 0;
  std::uint64_t messages_lost = 0;
  std::uint64_t messages_doubled = 0;
  std::uint64_t messages_reordered = 0;
  std::uint64_t messages_delayed = 0;
  std::uint64_t preemptions = 0;
  Nanos virtual_time{};

  RunStats& operator+=(const RunStats& other) noexcept;
};

class World final : private Steps::Preemptor {
 public:
  World(const Scenario& scenario, PlantedBug bug);
  ~World() = default;

  /// Runs from the first to the last event; the verdict tells.
  void run();

  [[nodiscard]] const Verdict& verdict() const { return environment_.verdict; }
  [[nodiscard]] RunStats stats() const;

 private:
  static constexpr std::uint32_t kProducer = 0;  ///< index in actors_; consumers follow
  static constexpr int kDepthMax = 3;
  /// A reader of the ring may need a poll for each slot, to prove that the next number was aborted.
  static constexpr Nanos kProofOfAbort = std::chrono::milliseconds(200);

  void plant(PlantedBug bug);
  void plan_faults();
  void plan_at(Nanos at, EventKind kind, std::uint32_t actor);
  [[nodiscard]] Nanos anywhen();
  [[nodiscard]] Nanos up_to(Nanos most);

  void run_until(Nanos until);
  void handle(const Event& event);
  void wake(const Event& event);
  void start(std::uint32_t index);
  void kill(std::uint32_t index);
  void bury_if_dead(std::uint32_t index);
  void run_actor(Actor& actor, void (Actor::*what)());

  void preempt() noexcept override;
  void pause(Nanos span);
  void let_others_run();
  void plan_preemption();

  void heal();
  void demand_progress();
  void demand_arrival();
  /// What a consumer had when the calm began.
  struct Calm {
    std::uint64_t frames = 0;
    std::uint64_t remaps = 0;
    std::uint64_t resyncs = 0;
    std::uint64_t drops_gap = 0;
    std::uint64_t last_seq = 0;
  };
  [[nodiscard]] static Calm calm_of(const ConsumerActor& consumer);
  void demand_no_loss(std::size_t consumer_index, const Calm& before);
  void fail_liveness(std::size_t consumer_index, const std::string& what);
  void check_promises();

  [[nodiscard]] ConsumerActor& consumer(std::size_t index) { return *consumers_[index]; }
  [[nodiscard]] const Scenario& scenario() const { return environment_.scenario; }

  Scenario scenario_;
  Environment environment_;
  Steps steps_;
  base::Random random_;
  EventQueue queue_;
  ProducerActor* producer_ = nullptr;
  std::vector<ConsumerActor*> consumers_;
  std::vector<std::unique_ptr<Actor>> actors_;
  Actor* running_ = nullptr;
  Actor* pause_wanted_ = nullptr;
  Nanos started_{};
  Nanos heal_at_{};
  int depth_ = 0;
  bool crashes_ = false;
  RunStats stats_;
};

}  // namespace tensorpool::inline v0::sim
