#include "service/supervisor_actor.hpp"

#include <algorithm>
#include <string>
#include <utility>
#include <variant>

#include "service/registry_side.hpp"

namespace tensorpool::inline v0::sim::service {

using core::supervisor::ConsumerSeen;
using core::supervisor::Report;
using core::supervisor::Supervisor;

SupervisorActor::SupervisorActor(Environment& environment)
    : world_(&environment), random_(random_for(environment.scenario.seed, 500)) {}

Supervisor::Options SupervisorActor::options() const {
  const core::registration::Responder::Options usual = responder_options(world_->scenario);
  Supervisor::Options options{.transport_of = usual.transport_of, .taken = usual.taken};
  options.settings.consumer_capacity = static_cast<std::uint32_t>(world_->scenario.capacity);
  options.settings.consumer_stale = world_->bug == PlantedBug::kHastySupervisor
                                        ? world_->scenario.stale_timeout / 16
                                        : world_->scenario.stale_timeout;
  options.settings.liveness_check_interval = kCheckInterval;
  options.settings.force_mode = force_mode_;
  options.settings.per_consumer_enabled = true;
  if (usual.handed_out) {
    const auto granted = [](const core::registration::Responder::IdRange& ids) {
      return core::driver::SupervisorSettings::Granted{.base = ids.first,
                                                       .count = ids.last - ids.first + 1};
    };
    options.settings.per_consumer_descriptor = granted(usual.handed_out->descriptors.front());
    options.settings.per_consumer_control = granted(usual.handed_out->controls.front());
  }
  return options;
}

void SupervisorActor::start() {
  process = {};
  alive = true;
  ++life;
  begin();
}

void SupervisorActor::begin() {
  heard_at_.clear();
  machine_.emplace(*Supervisor::create(options(), world_->clock.mono()));
  world_->hellos.subscribe(Environment::kSupervisor, world_->clock.mono(), 0);
}

void SupervisorActor::run() {
  const Nanos now = world_->clock.mono();
  world_->hellos.poll(Environment::kSupervisor, now, 64, [&](const Message& message, Nanos) {
    hear(message, now);
    carry_out();
  });
  machine_->poll(now);
  carry_out();
  if (!machine_->check_invariants()) {
    world_->broken("the supervisor's invariants do not hold");
  }
  for (const ConsumerSeen& one : machine_->consumers()) {
    if (heard_at_.count({one.stream_id, one.consumer_id}) == 0) {
      world_->broken("the supervisor knows a consumer that it has not heard");
    }
  }
}

void SupervisorActor::hear(const Message& message, Nanos now) {
  if (const auto* const hello = std::get_if<layout::ConsumerHello>(&message.body)) {
    heard_at_[{hello->stream_id, hello->consumer_id}] = now;
    machine_->on_hello(*hello, now);
  } else if (const auto* const qos = std::get_if<layout::QosConsumer>(&message.body)) {
    heard_at_[{qos->stream_id, qos->consumer_id}] = now;
    machine_->on_qos(*qos, now);
  }
}

void SupervisorActor::carry_out() {
  while (const auto action = machine_->next_action()) {
    std::visit([this](const auto& each) { carry_out(each); }, *action);
  }
}

/// Once: whoever does not hear it asks again (D303).
void SupervisorActor::carry_out(const layout::ConsumerConfig& config) {
  if (world_->control.offer(keeping_channels(config), world_->clock.mono()) == Offer::kSent) {
    machine_->config_published();
  }
}

void SupervisorActor::carry_out(const Report& report) {
  const Nanos now = world_->clock.mono();
  world_->verdict.note(now, "supervisor", 0, "tells; consumer", report.id,
                       static_cast<std::uint64_t>(report.kind));
  if (report.kind == Report::Kind::kConsumerStale) {
    TP_MARK("a supervisor finds a consumer silent");
    const auto heard = heard_at_.find({report.stream_id, report.id});
    if (heard == heard_at_.end() || now - heard->second < world_->scenario.stale_timeout) {
      world_->broken("the supervisor calls a consumer silent that is not");
    }
  } else if (report.kind == Report::Kind::kRegistryFull) {
    TP_MARK("a supervisor has no room");
    if (known() < world_->scenario.capacity) {
      world_->broken("the supervisor ignores a hello although it has room");
    }
  }
}

void SupervisorActor::change_policy(bool none) {
  force_mode_ = none ? 0 : number(random_, 1, 2);
  if (alive) {
    begin();
  }
}

bool SupervisorActor::knows(std::uint32_t consumer_id) const {
  const auto all = machine_ ? machine_->consumers() : std::vector<ConsumerSeen>();
  return std::any_of(all.begin(), all.end(), [consumer_id](const ConsumerSeen& one) {
    return one.consumer_id == consumer_id;
  });
}

Nanos SupervisorActor::interval() {
  return around(random_, std::chrono::milliseconds(5));
}

}  // namespace tensorpool::inline v0::sim::service
