// Somebody else than the producer answers hellos: a supervisor with core/supervisor's machine, as
// agents/supervisor_agent has it. Another policy means another process.
//
// Invariants that it checks
//  1. A consumer is told to be silent only when it has been, for the stale timeout (D291).
//  2. A hello is ignored only when the table is full (D301).
//  3. Nobody is known who was not heard (D287).
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <utility>

#include "core/supervisor/supervisor.hpp"
#include "parts/actor.hpp"
#include "service/environment.hpp"

namespace tensorpool::inline v0::sim::service {

class SupervisorActor final : public Actor {
 public:
  /// How often it looks who is silent.
  static constexpr Nanos kCheckInterval = std::chrono::milliseconds(50);

  explicit SupervisorActor(Environment& environment);

  void start() override;
  void bury() override {
    alive = false;
    machine_.reset();
  }
  void run() override;
  void run_between() override { run(); }
  [[nodiscard]] Nanos interval() override;

  /// Another policy, or none, for all of its lives from now on; it is started anew.
  void change_policy(bool none);
  [[nodiscard]] bool knows(std::uint32_t consumer_id) const;
  [[nodiscard]] std::size_t known() const { return machine_ ? machine_->consumers().size() : 0; }

 private:
  [[nodiscard]] core::supervisor::Supervisor::Options options() const;
  void begin();
  void hear(const Message& message, Nanos now);
  void carry_out();
  void carry_out(const layout::ConsumerConfig& config);
  void carry_out(const core::supervisor::Report& report);

  Environment* world_;
  base::Random random_;
  std::uint32_t force_mode_ = 0;
  std::optional<core::supervisor::Supervisor> machine_;
  using Key = std::pair<std::uint32_t, std::uint32_t>;  ///< stream and consumer
  std::map<Key, Nanos> heard_at_;                       ///< the checker's, in this life
};

}  // namespace tensorpool::inline v0::sim::service
