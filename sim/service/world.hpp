// One run of the world of one stream and those who consume it: registration, streams of single
// consumers, rates, metadata and progress; with or without a supervisor. Plans the faults, stops
// them and demands that everybody is served as he wished.
#pragma once

#include <string>
#include <vector>

#include "parts/stage.hpp"
#include "parts/world.hpp"
#include "service/consumer_actor.hpp"
#include "service/environment.hpp"
#include "service/producer_actor.hpp"
#include "service/supervisor_actor.hpp"

namespace tensorpool::inline v0::sim::service {

class World final : public sim::World, private Stage::Script {
 public:
  World(const Scenario& scenario, PlantedBug bug);

  void run() override;
  [[nodiscard]] const Verdict& verdict() const override { return environment_.verdict; }
  [[nodiscard]] RunStats stats() const override;

 private:
  static constexpr std::uint32_t kProducer = 0;  ///< index of the actor; consumers follow

  enum Strike : std::uint32_t { kRate, kSet, kBlob, kPolicy, kNonsense };

  void plan_faults();
  void strike(const Event& event) override;
  [[nodiscard]] Turn next_turn() override;
  void talk_nonsense();

  void heal();
  void demand_agreement();
  void demand_metadata();
  void demand_service();
  void demand_own_streams(std::size_t index);
  [[nodiscard]] bool is_ignored(std::size_t index) const;
  void demand_end();
  void fail_liveness(std::size_t index, const std::string& what);

  [[nodiscard]] ConsumerActor& consumer(std::size_t index) { return *consumers_[index]; }
  [[nodiscard]] const Scenario& scenario() const { return environment_.scenario; }

  Scenario scenario_;
  Environment environment_;
  Stage stage_;
  ProducerActor* producer_ = nullptr;
  SupervisorActor* supervisor_ = nullptr;  ///< null without
  std::vector<ConsumerActor*> consumers_;
};

}  // namespace tensorpool::inline v0::sim::service
