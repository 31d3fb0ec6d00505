// Somebody else than the producer answers hellos: opens nothing, and has policies.
#pragma once

#include <optional>

#include "core/registration/responder.hpp"
#include "parts/actor.hpp"
#include "service/environment.hpp"

namespace tensorpool::inline v0::sim::service {

class SupervisorActor final : public Actor {
 public:
  explicit SupervisorActor(Environment& environment);

  void start() override;
  void bury() override {
    alive = false;
    responder_.reset();
  }
  void run() override;
  void run_between() override { run(); }
  [[nodiscard]] Nanos interval() override;

  /// Another policy, for all of its lives from now on.
  void change_policy(bool none);
  [[nodiscard]] const core::registration::Responder::Policy& policy() const { return policy_; }

 private:
  void carry_out();

  Environment* world_;
  base::Random random_;
  core::registration::Responder::Policy policy_;
  std::optional<core::registration::Responder> responder_;
  bool unsent_ = false;  ///< a config, in this duty cycle
};

}  // namespace tensorpool::inline v0::sim::service
