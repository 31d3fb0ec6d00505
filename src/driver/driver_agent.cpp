#include "driver/driver_agent.hpp"

#include <utility>

#include "base/kill_point.hpp"

namespace tensorpool::inline v0::driver {

namespace core_driver = core::driver;

Result<std::unique_ptr<DriverAgent>> DriverAgent::create(os::Syscalls& calls, bus::Client& client,
                                                         const base::Clock& clock,
                                                         Options options) {
  const EpochKeeper::Jobs jobs = options.jobs;
  const std::uint64_t first_lease_id = options.first_lease_id;
  std::optional<AdminDesk::Options> admin = std::move(options.admin);
  os::StoreAccess access = std::move(options.access.files);
  Result<Telemetry> telemetry = Telemetry::create(options.settings.telemetry, clock.mono());
  if (!telemetry) {
    return fail(telemetry.error());
  }
  std::unique_ptr<DriverAgent> agent(
      new DriverAgent(client, clock, std::move(*telemetry), std::move(options)));
  Result<std::unique_ptr<EpochKeeper>> keeper =
      EpochKeeper::create(calls, agent->settings_, clock, jobs, std::move(access));
  if (!keeper) {
    return fail(keeper.error());
  }
  agent->keeper_ = std::move(*keeper);
  agent->warn_at_start();
  agent->machine_ = std::make_unique<core_driver::DriverMachine>(
      core_driver::DriverMachine::Options{.settings = agent->settings_,
                                          .pages = agent->keeper_->pages(),
                                          .first_lease_id = first_lease_id});
  Result<std::unique_ptr<DriverBus>> bus =
      DriverBus::create(client, agent->settings_, agent->machine_->counters(), *agent);
  if (!bus) {
    return fail(bus.error());
  }
  agent->bus_ = std::move(*bus);
  if (ConsumerStreams::is_responder(agent->settings_)) {
    agent->consumer_streams_.emplace(
        agent->settings_, agent->machine_->counters(),
        [machine = agent->machine_.get()](core::registration::ConsumerKey consumer) {
          return machine->consumes(consumer.stream_id, consumer.consumer_id);
        });
  }
  if (const Status begun = agent->begin_supervisor(); !begun) {
    return fail(begun.error());
  }
  if (admin) {
    admin->telemetry = &agent->telemetry_;
    admin->supervisor = agent->supervisor_.get();
    Result<std::unique_ptr<AdminDesk>> desk = AdminDesk::open(
        std::move(*admin), agent->settings_, *agent->machine_, *agent->keeper_, agent->audit_,
        [self = agent.get()](Nanos now) { self->carry_out_all(now); });
    if (!desk) {
      return fail(desk.error());
    }
    agent->desk_ = std::move(*desk);
  }
  agent->carry_out_all(clock.mono());  // what is due at startup (D230)
  return agent;
}

DriverAgent::DriverAgent(bus::Client& client, const base::Clock& clock, Telemetry telemetry,
                         Options options)
    : settings_(std::move(options.settings)),
      log_(std::move(options.log)),
      audit_(log_),
      client_(client),
      clock_(clock),
      telemetry_(std::move(telemetry)),
      counter_board_(client,
                     {.type_id_base = core_driver::kCounterTypeIdBase,
                      .instance_id = settings_.instance_id,
                      .names = agents::CounterBoard::names_of(core_driver::kCounterFields)}) {}

Status DriverAgent::begin_supervisor() {
  if (!settings_.supervisor) {
    return {};
  }
  auto supervisor = agents::SupervisorAgent::create(
      client_,
      {.settings = *settings_.supervisor,
       .timing = core::Timing::around(settings_.policies.announce_period),
       .instance_id = settings_.instance_id,
       .log = log_},
      clock_.mono());
  if (!supervisor) {
    return fail(supervisor.error());
  }
  supervisor_ = std::move(*supervisor);
  return {};
}

int DriverAgent::do_work(Nanos now) {
  core_driver::Counters& counters = machine_->counters();
  ++counters.total_duty_cycles;
  pressing_ = 0;
  int work = client_.do_work(now) + bus_->keep_up(now);
  const Nanos begun = tick();
  const int fragments = bus_->poll([&](const Request& request) { handle(request, now); });
  machine_->on_inputs_drained(now);
  carry_out_all(now);
  machine_->poll(now);
  carry_out_all(now);
  telemetry_.record(Measure::kDriverPoll, tick() - begun);
  work += keeper_->do_work() + take_results(now);
  if (desk_ != nullptr) {
    work += desk_->do_work(now);
  }
  if (supervisor_ != nullptr) {
    work += supervisor_->do_work({.mono = now, .real = clock_.real()});
  }
  audit_.poll(now);
  work += export_telemetry(now);
  counters.total_work_done += static_cast<std::uint64_t>(work + fragments);
  counter_board_.do_work(counters, core_driver::kCounterFields);
  const bool more_wait = fragments >= static_cast<int>(DriverBus::kFragmentsPerCycle);
  return work + pressing_ + (more_wait ? 1 : 0);
}

void DriverAgent::stop(Nanos now) {
  machine_->stop(now);
  carry_out_all(now);
}

bool DriverAgent::has_ended() const noexcept {
  return machine_->state() == core_driver::DriverState::kStopped && notice_sent_ &&
         machine_->jobs() == 0 && keeper_->removals() == 0;
}

Status DriverAgent::revoke(std::uint64_t lease_id, std::string_view text, Nanos now) {
  const Status done = machine_->revoke(lease_id, text, now);
  carry_out_all(now);
  return done;
}

void DriverAgent::handle(const Request& request, Nanos now) {
  if (const auto* const hello = std::get_if<layout::ConsumerHello>(&request)) {
    consumer_streams_->on_hello(
        *hello, now, [this](const layout::ConsumerConfig& config) { bus_->send(config); });
    return;
  }
  pressing_ += std::holds_alternative<layout::ShmLeaseKeepalive>(request) ? 0 : 1;
  if (const auto* const attach = std::get_if<layout::ShmAttachRequest>(&request)) {
    TP_KILLPOINT("driver.attach.request");
    machine_->on_attach(*attach, now);
    TP_KILLPOINT("driver.attach.judged");
  } else if (const auto* const keepalive = std::get_if<layout::ShmLeaseKeepalive>(&request)) {
    if (const std::optional<Nanos> delta = machine_->on_keepalive(*keepalive, now)) {
      telemetry_.record(Measure::kKeepaliveDelta, *delta);
    }
    TP_KILLPOINT("driver.keepalive");
  } else if (const auto* const detach = std::get_if<layout::ShmDetachRequest>(&request)) {
    TP_KILLPOINT("driver.detach.request");
    machine_->on_detach(*detach, now);
    TP_KILLPOINT("driver.detach.judged");
  } else if (const auto* const end = std::get_if<layout::ShmDriverShutdownRequest>(&request)) {
    machine_->on_shutdown_request(*end, now);
    TP_KILLPOINT("driver.shutdown.judged");
  } else {
    machine_->on_unsupported_version(std::get<LaterAttachRequest>(request).correlation_id, now);
  }
  carry_out_all(now);
}

int DriverAgent::take_results(Nanos now) {
  int taken = 0;
  for (; std::optional<TaskResult> result = keeper_->next_result(); ++taken) {
    std::visit([&](auto&& each) { take(std::move(each), now); }, std::move(*result));
    carry_out_all(now);
  }
  return taken;
}

void DriverAgent::take(Provisioned result, Nanos now) {
  if (!result.outcome.regions) {
    log(LogLevel::kWarning,
        "stream " + std::to_string(result.outcome.stream_id) +
            ": no new epoch: " + core_driver::provision_detail(result.outcome.regions.error()));
  }
  TP_KILLPOINT("driver.provisioned");
  machine_->on_provisioned(std::move(result.outcome), now);
  TP_KILLPOINT("driver.provisioned.judged");
}

void DriverAgent::take(const Collected& result, Nanos) {
  if (result.ticket != 0) {
    desk_->on_collected(result.ticket, result.outcome);
  } else if (result.outcome) {
    warn_of(*result.outcome);
    machine_->on_collected(*result.outcome);
  } else {
    log(LogLevel::kWarning, "garbage collection: " + describe(result.outcome.error()));
  }
}

void DriverAgent::take(const Removed& result, Nanos) {
  if (result.outcome) {
    warn_of(*result.outcome);
    machine_->on_collected(*result.outcome);
  }
}

void DriverAgent::take(const SpaceWanted& wanted, Nanos now) {
  std::vector<core_driver::CollectRequest> requests =
      machine_->collect_requests(wanted.of_all_streams, now);
  if (!wanted.of_all_streams) {
    std::erase_if(requests, [&](const core_driver::CollectRequest& request) {
      return request.stream_id != wanted.stream_id;
    });
  }
  keeper_->make_space(wanted.stream_id, requests);
}

void DriverAgent::carry_out_all(Nanos now) {
  for (;;) {
    while (const std::optional<core_driver::Action> action = machine_->next_action()) {
      std::visit([&](const auto& each) { carry_out(each, now); }, *action);
    }
    if (answers_.empty()) {
      return;
    }
    const Verified verified = std::move(answers_.front());
    answers_.pop_front();
    machine_->on_verified(verified.stream_id, verified.epoch, verified.files, now);
  }
}

void DriverAgent::carry_out(const core_driver::AttachAnswer& action, Nanos now) {
  audit_.write(action, now);
  TP_KILLPOINT("driver.attach.unanswered");
  bus_->send(action.response, action.received_at, now);
  TP_KILLPOINT("driver.attach.answered");
}

void DriverAgent::carry_out(const core_driver::DetachAnswer& action, Nanos now) {
  audit_.write(action, now);
  TP_KILLPOINT("driver.detach.unanswered");
  bus_->send(action.response, action.received_at, now);
  TP_KILLPOINT("driver.detach.answered");
}

void DriverAgent::carry_out(const core_driver::LeaseNotice& action, Nanos now) {
  audit_.write(action, now);
  if (consumer_streams_) {
    consumer_streams_->on_lease_notice(action.notice);  // D251
  }
  const bool expired = action.notice.reason == layout::LeaseRevokeReason::kExpired;
  TP_KILLPOINT("driver.notice.unsent");
  bus_->send(action.notice, expired ? action.expiry : std::nullopt, now);
  TP_KILLPOINT("driver.notice.sent");
}

void DriverAgent::carry_out(const core_driver::Announce& action, Nanos now) {
  TP_KILLPOINT("driver.announce.unsent");
  bus_->send(action.message, now);
  TP_KILLPOINT("driver.announce.sent");
}

void DriverAgent::carry_out(const core_driver::ShutdownNotice& action, Nanos now) {
  TP_KILLPOINT("driver.shutdown.unsent");
  bus_->send(action.message, now);
  TP_KILLPOINT("driver.shutdown.sent");
}

void DriverAgent::carry_out(const core_driver::VerifyEpoch& action, Nanos) {
  answers_.emplace_back(Verified{.stream_id = action.plan->stream_id(),
                                 .epoch = action.plan->epoch(),
                                 .files = keeper_->carry_out(action)});
}

void DriverAgent::carry_out(const core_driver::RefreshActivity& action, Nanos now) {
  if (Status whole = keeper_->carry_out(action, now); !whole) {
    answers_.push_back(
        {.stream_id = action.stream_id, .epoch = action.epoch, .files = std::move(whole)});
  }
  TP_KILLPOINT("driver.activity");
}

template <class KeeperAction>
void DriverAgent::carry_out(const KeeperAction& action, Nanos) {
  keeper_->carry_out(action);
}

void DriverAgent::on_ended(const Outgoing& message, core_driver::Ending ending) {
  notice_sent_ = notice_sent_ || message.kind == core_driver::MessageKind::kShutdown;
  if (message.kind == core_driver::MessageKind::kLeaseRevoked &&
      ending != core_driver::Ending::kPublished) {
    machine_->on_notice_unheard(message.lease_id);
  }
  if (telemetry_.enabled() && ending == core_driver::Ending::kPublished) {
    measure(message);
  }
}

void DriverAgent::measure(const Outgoing& published) {
  const Nanos now = clock_.mono();
  const auto delay = [&](Measure measure) {
    if (published.since) {
      telemetry_.record(measure, now - *published.since);
    }
  };
  switch (published.kind) {
    case core_driver::MessageKind::kAttachResponse:
    case core_driver::MessageKind::kAttachReject:
      delay(Measure::kAttachLatency);
      break;
    case core_driver::MessageKind::kDetachResponse:
      delay(Measure::kDetachLatency);
      break;
    case core_driver::MessageKind::kLeaseRevoked:
      delay(Measure::kLeaseExpireDelay);
      break;
    case core_driver::MessageKind::kAnnounce:
      if (const std::optional<Nanos> delta = machine_->on_announced(published.stream_id, now)) {
        telemetry_.record(Measure::kAnnounceDelta, *delta);
      }
      break;
    case core_driver::MessageKind::kShutdown:
      break;
  }
}

int DriverAgent::export_telemetry(Nanos now) {
  const std::optional<Telemetry::Summaries> summaries = telemetry_.do_work(now);
  for (std::size_t k = 0; summaries && k < summaries->size(); ++k) {
    if ((*summaries)[k].count != 0) {
      log(LogLevel::kInfo, "telemetry: " + summary_line(static_cast<Measure>(k), (*summaries)[k]));
    }
  }
  return summaries ? 1 : 0;
}

// D208, D213, D216.
void DriverAgent::warn_at_start() const {
  if (keeper_->goes_without_mlock()) {
    log(LogLevel::kWarning, "policies.mlock_shm: this system has no mlock; regions are not locked");
  }
  if (settings_.shm.require_hugepages && !keeper_->pages().hugepages_available) {
    log(LogLevel::kWarning, "shm.require_hugepages: there are none in " + settings_.shm.base_dir +
                                "; attaches that do not waive them will be refused");
  }
  if (keeper_->is_exposed()) {
    log(LogLevel::kWarning, "shm.base_dir: " + settings_.shm.base_dir +
                                " may be written by everybody and is not sticky: others can put "
                                "files in the place of ours; chmod +t");
  }
  if (settings_.policies.reuse_existing_shm) {
    log(LogLevel::kWarning,
        "policies.reuse_existing_shm has no effect: regions of earlier epochs are never used "
        "again");
  }
}

/// D232: once for each epoch.
void DriverAgent::warn_of(const core_driver::CollectOutcome& outcome) {
  for (const core_driver::CollectOutcome::Kept& kept : outcome.kept) {
    const bool failed = kept.reason == core_driver::KeepReason::kForeignFile ||
                        kept.reason == core_driver::KeepReason::kFailed;
    if (failed && warned_of_.admit(outcome.stream_id, kept.epoch)) {
      log(LogLevel::kWarning, "epoch " + std::to_string(kept.epoch) + " of stream " +
                                  std::to_string(outcome.stream_id) +
                                  " stays: " + std::string(core_driver::to_string(kept.reason)) +
                                  " " + kept.detail);
    }
  }
}

void DriverAgent::log(LogLevel level, std::string_view line) const {
  if (log_) {
    log_(level, line);
  }
}

}  // namespace tensorpool::inline v0::driver
