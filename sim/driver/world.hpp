// One run of the world with a driver: the driver, producers that compete and consumers, on several
// streams. Plans the faults, stops them, and demands that everything flows and nothing is left
// over.
#pragma once

#include <set>
#include <string>
#include <utility>
#include <vector>

#include "driver/consumer_actor.hpp"
#include "driver/driver_actor.hpp"
#include "driver/environment.hpp"
#include "driver/planted_bug.hpp"
#include "driver/producer_actor.hpp"
#include "parts/stage.hpp"
#include "parts/world.hpp"

namespace tensorpool::inline v0::sim::driver {

class World final : public sim::World, private Stage::Script {
 public:
  World(const Scenario& scenario, PlantedBug bug);

  void run() override;
  [[nodiscard]] const Verdict& verdict() const override { return environment_.verdict; }
  [[nodiscard]] RunStats stats() const override;

 private:
  static constexpr std::uint32_t kDriver = 0;  ///< index of the actor; clients follow
  /// A reader of the ring may need a poll for each slot, to prove that the next number was aborted.
  static constexpr Nanos kProofOfAbort = std::chrono::milliseconds(400);

  enum Strike : std::uint32_t {
    kStop,
    kLeave,
    kRevoke,
    kReshape,
    kCollect,
    kLoseFile,
    kFillDisk,
    kClearDisk,
    kBlockBus,
    kClockJump,
    kNonsense,
    kConfigure,
  };

  void plan_faults();
  void strike(const Event& event) override;
  void strike_driver(Strike strike);
  void strike_surroundings(Strike strike);
  void lose_some_file();
  void talk_nonsense();
  [[nodiscard]] Turn next_turn() override;
  void check() override;

  void heal();
  void replace_harmed_epochs();
  void demand_recovery();
  void demand_flow();
  void demand_no_loss(const std::vector<DataSide::Calm>& before);
  void demand_arrival();
  void demand_tidiness();
  using Garbage = std::set<std::pair<std::uint32_t, std::uint64_t>>;  // stream, epoch
  [[nodiscard]] Garbage garbage_after_collection();
  void check_promises();
  /// What does not work yet; empty when everything does.
  [[nodiscard]] std::string trouble() const;
  [[nodiscard]] const ProducerActor* producer_of(std::uint32_t stream_id) const;
  void fail_liveness(const std::string& what) {
    environment_.verdict.fail(Failure::kLiveness, what);
  }

  [[nodiscard]] const Scenario& scenario() const { return environment_.scenario; }
  [[nodiscard]] ClientActor& client(std::uint32_t index) { return *clients_[index]; }

  Scenario scenario_;
  Environment environment_;
  Stage stage_;
  DriverActor* driver_ = nullptr;
  std::vector<ClientActor*> clients_;
  std::vector<ProducerActor*> producers_;
  std::vector<ConsumerActor*> consumers_;
};

}  // namespace tensorpool::inline v0::sim::driver
