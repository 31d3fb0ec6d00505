// One run of the world without a driver: a producer that owns its regions, and up to four
// consumers. Plans the faults, stops them and demands progress.
#pragma once

#include <string>
#include <vector>

#include "parts/stage.hpp"
#include "parts/world.hpp"
#include "standalone/consumer_actor.hpp"
#include "standalone/environment.hpp"
#include "standalone/planted_bug.hpp"
#include "standalone/producer_actor.hpp"

namespace tensorpool::inline v0::sim::standalone {

class World final : public sim::World, private Stage::Script {
 public:
  World(const Scenario& scenario, PlantedBug bug);

  void run() override;
  [[nodiscard]] const Verdict& verdict() const override { return environment_.verdict; }
  [[nodiscard]] RunStats stats() const override;

 private:
  static constexpr std::uint32_t kProducer = 0;  ///< index of the actor; consumers follow
  /// A reader of the ring may need a poll for each slot, to prove that the next number was aborted.
  static constexpr Nanos kProofOfAbort = std::chrono::milliseconds(200);

  enum Strike : std::uint32_t { kBlockBus, kClockJump, kConfigure, kNonsense, kScribble };

  void plant(PlantedBug bug);
  void plan_faults();
  void strike(const Event& event) override;
  [[nodiscard]] Turn next_turn() override;

  void heal();
  void demand_progress();
  void demand_arrival();
  void demand_no_loss(std::size_t consumer_index, const DataSide::Calm& before);
  void fail_liveness(std::size_t consumer_index, const std::string& what);
  void check_promises();

  [[nodiscard]] ConsumerActor& consumer(std::size_t index) { return *consumers_[index]; }
  [[nodiscard]] const Scenario& scenario() const { return environment_.scenario; }
  [[nodiscard]] const EpochTruth& present() const {
    return environment_.truth.of(kStreamId, environment_.truth.current(kStreamId));
  }

  Scenario scenario_;
  Environment environment_;
  Stage stage_;
  ProducerActor* producer_ = nullptr;
  std::vector<ConsumerActor*> consumers_;
  bool crashes_ = false;
};

}  // namespace tensorpool::inline v0::sim::standalone
