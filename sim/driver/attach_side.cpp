#include "driver/attach_side.hpp"

namespace tensorpool::inline v0::sim::driver {

namespace attach = core::attach;

namespace {

void mark(LeaseLoss loss) {
  switch (loss) {
    case LeaseLoss::kExpired:
      TP_MARK("a client loses its lease: deadline");
      break;
    case LeaseLoss::kRevoked:
      TP_MARK("a client loses its lease: notice");
      break;
    case LeaseLoss::kKeepalive:
      TP_MARK("a client loses its lease: keepalives cannot be sent");
      break;
    case LeaseLoss::kDriverSilent:
      TP_MARK("a client loses its lease: the driver is silent");
      break;
    case LeaseLoss::kDriverShutdown:
      TP_MARK("a client loses its lease: the driver goes down");
      break;
    case LeaseLoss::kNewerEpoch:
      TP_MARK("a client loses its lease: newer epoch");
      break;
    default:
      break;
  }
}

void mark(attach::AttachReport::Kind kind) {
  using Kind = attach::AttachReport::Kind;
  switch (kind) {
    case Kind::kRefused:
      TP_MARK("an attach is refused");
      break;
    case Kind::kProtocolError:
      TP_MARK("an attach response is not believed, or not to be mapped");
      break;
    case Kind::kTimedOut:
      TP_MARK("an attach times out");
      break;
    case Kind::kInterrupted:
      TP_MARK("an attach is interrupted by a shutdown");
      break;
    case Kind::kDetached:
      TP_MARK("a lease is given back");
      break;
    default:
      break;
  }
}

}  // namespace

AttachSide::AttachSide(Environment& environment, std::uint32_t index, User& user)
    : world_(&environment),
      index_(index),
      user_(&user),
      random_(random_for(environment.scenario.seed, 30 + index)) {}

void AttachSide::start() {
  ids_.emplace(random_.next());
  gives_up_ = false;
  wants_again_at_ = Nanos::max();
  machine_.emplace(Machine::Options{.role = plan().role,
                                    .stream_id = plan().stream_id,
                                    .client_id = plan().client_id,
                                    .publish_mode = layout::PublishMode::kExistingOrCreate,
                                    .node_id = plan().node_id,
                                    .attach_timeout = plan().attach_timeout,
                                    .retry_interval = plan().retry_interval,
                                    .keepalive_interval =
                                        world_->scenario.settings.policies.lease_keepalive_interval,
                                    .detach_timeout = plan().detach_timeout,
                                    .silence_timeout = world_->scenario.silence_timeout()},
                   *ids_, base::Random(random_.next()));
  const Nanos now = world_->clock.mono();
  world_->answers.subscribe(index_, now, 0);
  if (world_->scenario.announces_apart) {
    world_->announces.subscribe(index_, now, 0);
  }
  machine_->want_attach(now);
  carry_out_all(now);
}

void AttachSide::bury() {
  world_->answers.unsubscribe(index_);
  world_->announces.unsubscribe(index_);
}

void AttachSide::run(const base::Now& now) {
  hear(world_->answers, now);
  if (world_->scenario.announces_apart) {
    hear(world_->announces, now);
  }
  if (now.mono >= wants_again_at_ || world_->healed) {
    wants_again_at_ = Nanos::max();
    machine_->want_attach(now.mono);
    carry_out_all(now.mono);
  }
  machine_->on_connection(world_->requests[index_].connected(0));
  machine_->poll(now.mono);
  carry_out_all(now.mono);
  if (gives_up_) {
    gives_up_ = false;
    machine_->give_up(now.mono);
    carry_out_all(now.mono);
  }
  if (!machine_->check_invariants()) {
    world_->verdict.fail(Failure::kSafety, "an attach machine broke its invariants");
  }
}

void AttachSide::leave() {
  note("leaves");
  const Nanos now = world_->clock.mono();
  machine_->close(now);
  carry_out_all(now);
  wants_again_at_ = now + up_to(random_, std::chrono::seconds(4));
}

void AttachSide::hear(SimTopic<ControlMessage>& topic, const base::Now& now) {
  if (!topic.connected(index_)) {
    topic.subscribe(index_, now.mono, 0);
  }
  topic.poll(index_, now.mono, 64, [&](const ControlMessage& message, Nanos joined_at) {
    handle(message, joined_at, now);
  });
}

void AttachSide::handle(const ControlMessage& message, Nanos joined_at, const base::Now& now) {
  if (const auto* const announce = std::get_if<layout::ShmPoolAnnounce>(&message.body)) {
    machine_->on_announce(*announce, now.mono);
    carry_out_all(now.mono);
    user_->on_announce(*announce, joined_at, now);
  } else if (const auto* const answer = std::get_if<layout::ShmAttachResponse>(&message.body)) {
    machine_->on_response(*answer, now.mono);
  } else if (const auto* const detached = std::get_if<layout::ShmDetachResponse>(&message.body)) {
    machine_->on_detach_response(*detached);
  } else if (const auto* const notice = std::get_if<layout::ShmLeaseRevoked>(&message.body)) {
    machine_->on_revoked(*notice, now.mono);
    carry_out_all(now.mono);
    user_->on_revoked(*notice, now.mono);
  } else if (const auto* const end = std::get_if<layout::ShmDriverShutdown>(&message.body)) {
    machine_->on_shutdown(*end, now.mono);
  }
  carry_out_all(now.mono);
}

void AttachSide::carry_out_all(Nanos now) {
  while (const auto action = machine_->next_action()) {
    std::visit([&](const auto& each) { carry_out(each, now); }, *action);
  }
}

void AttachSide::carry_out(const attach::MapRegions&, Nanos now) {
  machine_->on_mapped(user_->map(machine_->grant().plan, now), now);
}

void AttachSide::carry_out(const attach::UnmapRegions& action, Nanos now) {
  user_->unmap(action.reason, now);
}

void AttachSide::carry_out(const attach::AttachReport& report, Nanos) {
  using Kind = attach::AttachReport::Kind;
  if (report.kind == Kind::kLost) {
    mark(report.loss);
    note("loses its lease, because", static_cast<std::uint64_t>(report.loss));
  } else {
    mark(report.kind);
    note("reports, code", static_cast<std::uint64_t>(report.kind),
         static_cast<std::uint64_t>(report.code));
  }
  user_->report(report);
}

template <class Message>
void AttachSide::carry_out(const Message& message, Nanos now) {
  attach::SendResult result = attach::SendResult::kBackPressured;
  if (steps->message()) {
    switch (world_->requests[index_].offer({.body = message}, now)) {
      case Offer::kSent:
        result = attach::SendResult::kOk;
        break;
      case Offer::kNotConnected:
        result = attach::SendResult::kNotConnected;
        break;
      case Offer::kBackPressured:
        break;
    }
  }
  machine_->on_sent(result, now);
}

}  // namespace tensorpool::inline v0::sim::driver
