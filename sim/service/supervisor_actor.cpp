#include "service/supervisor_actor.hpp"

#include <utility>

#include "service/registry_side.hpp"

namespace tensorpool::inline v0::sim::service {

using core::registration::Responder;

SupervisorActor::SupervisorActor(Environment& environment)
    : world_(&environment), random_(random_for(environment.scenario.seed, 500)) {}

void SupervisorActor::start() {
  process = {};
  alive = true;
  ++life;
  Responder::Options options = responder_options(world_->scenario);
  options.adds_publications = false;
  options.policy = policy_;
  responder_.emplace(*Responder::create(std::move(options)));
  world_->hellos.subscribe(Environment::kSupervisor, world_->clock.mono(), 0);
}

void SupervisorActor::run() {
  const Nanos now = world_->clock.mono();
  world_->hellos.poll(Environment::kSupervisor, now, 64, [&](const Message& message, Nanos) {
    if (const auto* const hello = std::get_if<layout::ConsumerHello>(&message.body)) {
      responder_->on_hello(*hello, now);
    } else if (const auto* const qos = std::get_if<layout::QosConsumer>(&message.body)) {
      responder_->on_qos(*qos, now);
    }
    carry_out();
  });
  unsent_ = false;
  while (!unsent_ && responder_->poll(now)) {
    carry_out();
  }
  if (!responder_->check_invariants()) {
    world_->broken("the supervisor's responder: invariants do not hold");
  }
}

void SupervisorActor::carry_out() {
  while (const auto action = responder_->next_action()) {
    if (action->kind != core::registration::ResponderAction::Kind::kSendConfig) {
      world_->broken("a supervisor wants to open or close a publication");
    } else if (world_->control.offer(keeping_channels(action->config), world_->clock.mono()) !=
               Offer::kSent) {
      unsent_ = true;
      responder_->on_config_unsent(action->consumer);
    }
  }
}

void SupervisorActor::change_policy(bool none) {
  policy_ = {};
  if (!none) {
    policy_.forced_mode = random_.chance(1, 2) ? layout::Mode::kRateLimited : layout::Mode::kStream;
  }
  if (responder_) {
    static_cast<void>(responder_->set_policy(policy_));
  }
}

Nanos SupervisorActor::interval() {
  return around(random_, std::chrono::milliseconds(5));
}

}  // namespace tensorpool::inline v0::sim::service
