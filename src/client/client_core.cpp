#include "client/client_core.hpp"

#include <algorithm>

#include "os/syscalls.hpp"

namespace tensorpool::inline v0::detail {
namespace {

constexpr Nanos kRejoinPause = std::chrono::seconds(1);
constexpr Nanos kAskPause = std::chrono::seconds(1);

constexpr std::int32_t kBuiltinAnnounceStream = 1001;

/// Where the driver announces, unless the caller has said it. False when that is a guess, because
/// no driver answers yet.
[[nodiscard]] bool find_announces(ClientOptions& options) {
  Channels& channels = options.channels;
  if (channels.announce_stream_id != 0 || !channels.announce_channel.empty()) {
    return true;
  }
  if (const auto said = ask_announces(options.aeron_dir, channels.control_stream_id)) {
    channels.announce_channel = said->channel;
    channels.announce_stream_id = said->stream_id;
    return true;
  }
  channels.announce_stream_id = kBuiltinAnnounceStream;
  return false;
}

/// The client's own driver; the options then say how to come to it.
[[nodiscard]] Result<std::unique_ptr<DriverCore>> start_driver(ClientOptions& options) {
  DriverOptions wanted = options.driver;
  wanted.aeron_dir = options.aeron_dir;
  wanted.threading = options.threading;
  wanted.log = wanted.log ? wanted.log : options.log;
  Result<std::unique_ptr<DriverCore>> driver = DriverCore::start(wanted);
  if (driver) {
    const core::driver::Settings& settings = (*driver)->settings();
    options.aeron_dir = (*driver)->host().aeron_dir();
    options.media_driver = MediaDriverPolicy::kExternal;
    options.channels.control_channel = settings.control.channel;
    options.channels.control_stream_id = static_cast<std::int32_t>(settings.control.stream_id);
    options.channels.announce_channel = settings.announce.channel;
    options.channels.announce_stream_id = static_cast<std::int32_t>(settings.announce.stream_id);
  }
  return driver;
}

[[nodiscard]] layout::HugepagesPolicy asked_of_driver(Hugepages pages) noexcept {
  switch (pages) {
    case Hugepages::kRequired:
      return layout::HugepagesPolicy::kHugepages;
    case Hugepages::kForbidden:
      return layout::HugepagesPolicy::kStandard;
    case Hugepages::kAllowed:
      break;
  }
  return layout::HugepagesPolicy::kUnspecified;
}

}  // namespace

Result<std::shared_ptr<ClientCore>> ClientCore::create(ClientOptions options) {
  const RegionLimits& limits = options.regions;
  if (limits.max_pools == 0 || limits.max_pools > layout::kPoolsMax) {
    return fail(Errc::kInvalidArgument, "max_pools", limits.max_pools, layout::kPoolsMax);
  }
  Result<os::RegionPolicy> policy = os::RegionPolicy::create(
      os::system_calls(), {.allowed_base_dirs = options.allowed_base_dirs,
                           .forbidden_mode_bits = limits.forbidden_mode_bits,
                           .expected_uid = limits.expected_uid,
                           .expected_gid = limits.expected_gid,
                           .require_hugepages = limits.hugepages == Hugepages::kRequired,
                           .forbid_hugepages = limits.hugepages == Hugepages::kForbidden,
                           .max_region_bytes = limits.max_region_bytes,
                           .populate = true,
                           .lock = limits.lock_memory});
  if (!policy) {
    return fail(policy.error());
  }
  std::unique_ptr<DriverCore> driver;
  if (options.mode == DeploymentMode::kEmbedded) {
    Result<std::unique_ptr<DriverCore>> started = start_driver(options);
    if (!started) {
      return fail(started.error());
    }
    driver = std::move(*started);
  }
  options.aeron_dir = bus::choose_aeron_dir(options.aeron_dir);
  const bool knows_announces = options.mode != DeploymentMode::kDriver || find_announces(options);
  Result<bus::Client> connection = bus::Client::create({.aeron_dir = options.aeron_dir});
  if (!connection) {
    return fail(connection.error());
  }
  std::shared_ptr<ClientCore> core(new ClientCore(std::move(options), std::move(*policy),
                                                  std::move(driver), std::move(*connection)));
  if (!knows_announces) {
    core->announces_asked_.emplace(core->aeron_dir(), core->options_.channels.control_stream_id,
                                   admin::Request{.operation = admin::Operation::kStatus});
  }
  if (const Status started = core->start(); !started) {
    return fail(started.error());
  }
  return core;
}

ClientCore::ClientCore(ClientOptions options, os::RegionPolicy policy,
                       std::unique_ptr<DriverCore> driver, bus::Client bus)
    : options_(std::move(options)),
      policy_(std::move(policy)),
      generation_(os::fork_generation()),
      own_driver_(std::move(driver)),
      bus_(std::move(bus)),
      directory_(core::Timing{},
                 [this](const Error& why) { log(LogLevel::kWarning, describe(why)); }) {}

ClientCore::~ClientCore() {
  stop();
}

Status ClientCore::start() {
  Result<std::unique_ptr<agents::ControlBus>> control =
      agents::ControlBus::create(bus_, options_.channels);
  if (!control) {
    return fail(control.error());
  }
  control_ = std::move(*control);
  leases_.emplace(*control_, [this](const core::attach::AttachMachine& machine) {
    ask_for_pass(aeron_dir(), options_.channels.control_stream_id, machine);
  });
  if (options_.media_driver != MediaDriverPolicy::kExternal) {
    if (const Status joined = join_media_driver(std::chrono::seconds(10)); !joined) {
      return joined;
    }
  }
  if (options_.threading == Threading::kInvoked) {
    invoked_.emplace(duty_);
    return {};
  }
  agents::ThreadRunner<ControlDuty>::Options runner;
  runner.thread.name = "tp-control";
  if (options_.background_cpu >= 0) {
    runner.thread.cpu = options_.background_cpu;
  }
  runner.on_failure = [this](std::string_view role, std::string_view what) {
    log(LogLevel::kError, std::string(role) + " stopped: " + std::string(what));
  };
  auto started = agents::ThreadRunner<ControlDuty>::start(duty_, clock_, std::move(runner));
  if (!started) {
    return fail(started.error());
  }
  background_ = std::move(*started);
  return {};
}

void ClientCore::stop() noexcept {
  background_.reset();
  invoked_.reset();
}

int ControlDuty::do_work(Nanos now) {
  return core_.do_work(now);
}

int ClientCore::do_work(Nanos now_mono) {
  const bool drives_driver = own_driver_ != nullptr && is_invoked();
  const int driven = drives_driver ? own_driver_->host().do_work() : 0;
  const std::lock_guard lock(control_mutex_);
  const base::Now now{.mono = now_mono, .real = clock_.real()};
  int work = driven + bus_.do_work(now.mono);
  watch_connection();
  rejoin_media_driver(now.mono);
  work += control_->do_work(now, [this](auto&& give) { for_each_listener(give); });
  directory_.remove_silent(now.mono);
  follow_announces(now.mono);
  for (agents::OwnerAgent* owner : owners_) {
    work += owner->do_work(*control_, now);
  }
  for (agents::MappingAgent* consumer : consumers_) {
    work += consumer->do_work(*control_, now);
  }
  for (agents::TenantAgent* tenant : tenants_) {
    work += tenant->do_work(*control_, now);
  }
  for (agents::WakeKeeper* keeper : wake_keepers_) {
    work += keeper->do_work(now.mono, bus_.is_up());
  }
  for (agents::MetadataReceiver* reader : metadata_readers_) {
    reader->do_work(directory_, now.mono);
  }
  work += leases_->do_work(now.mono);
  std::erase_if(leaving_, [](const auto& lease) {
    return lease->machine().state() == AttachState::kUnattached;
  });
  return work;
}

void ResponseListener::on_control_response(const layout::ControlResponse& response,
                                           const base::Now&) {
  if (options_.on_control_response) {
    options_.on_control_response({.correlation_id = response.correlation_id,
                                  .code = static_cast<std::int32_t>(response.code),
                                  .text = std::string(response.error_message)});
  }
}

/// Until the driver has told where it announces.
void ClientCore::follow_announces(Nanos now) {
  if (!announces_asked_ || now < ask_announces_at_) {
    return;
  }
  const std::optional<Result<std::string>> answer = announces_asked_->poll(now);
  if (!answer) {
    return;
  }
  ask_announces_at_ = now + kAskPause;
  const Result<AnnounceEndpoint> said = announces_in(*answer);
  if (!said) {
    return;
  }
  announces_asked_.reset();
  const Channels& guess = options_.channels;
  if (said->stream_id == guess.announce_stream_id && said->channel == guess.control_channel) {
    return;
  }
  if (const Status moved = control_->follow_announces(said->channel, said->stream_id); !moved) {
    log(LogLevel::kWarning, describe(moved.error()));
  }
}

template <class Give>
void ClientCore::for_each_listener(Give&& give) {
  give(static_cast<agents::ControlListener&>(directory_));
  give(static_cast<agents::ControlListener&>(responses_));
  for (agents::OwnerAgent* owner : owners_) {
    give(static_cast<agents::ControlListener&>(*owner));
  }
  for (agents::MetadataReceiver* reader : metadata_readers_) {
    give(static_cast<agents::ControlListener&>(*reader));
  }
  for (agents::MappingAgent* consumer : consumers_) {
    give(static_cast<agents::ControlListener&>(consumer->metadata()));
    give(static_cast<agents::ControlListener&>(*consumer));
  }
  for (agents::TenantAgent* tenant : tenants_) {
    give(static_cast<agents::ControlListener&>(*tenant));
  }
  give(static_cast<agents::ControlListener&>(*leases_));
}

void ClientCore::leave(std::unique_ptr<agents::AttachAgent> lease) {
  if (lease != nullptr && lease->machine().state() != AttachState::kUnattached) {
    leaving_.push_back(std::move(lease));
  }
}

agents::AskNumber ClientCore::ask_number(const admin::Request& request) const {
  return [inquiry = std::make_shared<Inquiry>(aeron_dir(), options_.channels.control_stream_id,
                                              request)](Nanos now) {
    const std::optional<Result<std::string>> answer = inquiry->poll(now);
    return answer ? std::optional(number_in(*answer)) : std::nullopt;
  };
}

agents::AskNumber ClientCore::ask_responder() const {
  return [inquiry = std::make_shared<Inquiry>(
              aeron_dir(), options_.channels.control_stream_id,
              admin::Request{.operation = admin::Operation::kStatus})](Nanos now) {
    const std::optional<Result<std::string>> answer = inquiry->poll(now);
    return answer ? std::optional(responder_in(*answer)) : std::nullopt;
  };
}

core::attach::AttachMachine::Options ClientCore::lease_options(layout::Role role,
                                                               Nanos announce_period) const {
  const LeaseTiming& timing = options_.leases;
  return {.role = role,
          .hugepages = asked_of_driver(options_.regions.hugepages),
          .attach_timeout = timing.attach_timeout,
          .retry_interval = timing.attach_retry_interval,
          .keepalive_interval = timing.keepalive_interval,
          .silence_timeout = timing.driver_silence_timeout.value_or(5 * announce_period),
          .limits = {.region_bytes_max = policy_.options().max_region_bytes,
                     .pools_max = options_.regions.max_pools}};
}

int ClientCore::invoke() {
  return invoked_ ? invoked_->do_work(clock_.mono()) : 0;
}

std::uint64_t ClientCore::late_calls() const noexcept {
  if (invoked_) {
    return invoked_->stalls().stalls();
  }
  return background_ ? background_->stalls().stalls() : 0;
}

std::unique_ptr<agents::OwnerAgent> ClientCore::add_owner(const os::OwnedStream& stream,
                                                          agents::OwnerAgent::Shared shared,
                                                          agents::OwnerAgent::Options options) {
  const std::lock_guard lock(control_mutex_);
  options.counters = counters();
  auto agent = std::make_unique<agents::OwnerAgent>(stream, bus_, *control_, shared,
                                                    std::move(options), clock_.mono());
  owners_.push_back(agent.get());
  return agent;
}

std::unique_ptr<agents::MappingAgent> ClientCore::add_consumer(
    agents::ConsumerShared& shared, agents::MappingAgent::Options options) {
  const std::lock_guard lock(control_mutex_);
  options.counters = counters();
  auto agent = std::make_unique<agents::MappingAgent>(bus_, *leases_, directory_, policy_, shared,
                                                      std::move(options), clock_.mono());
  consumers_.push_back(agent.get());
  return agent;
}

std::unique_ptr<agents::MetadataReceiver> ClientCore::add_metadata_reader(
    agents::MetadataReceiver::Options options) {
  const std::lock_guard lock(control_mutex_);
  auto agent = std::make_unique<agents::MetadataReceiver>(std::move(options));
  metadata_readers_.push_back(agent.get());
  return agent;
}

void ClientCore::remove(std::unique_ptr<agents::MetadataReceiver> agent) {
  const std::lock_guard lock(control_mutex_);
  std::erase(metadata_readers_, agent.get());
  agent.reset();
}

void ClientCore::remove(std::unique_ptr<agents::OwnerAgent> agent) {
  const std::lock_guard lock(control_mutex_);
  std::erase(owners_, agent.get());
  agent.reset();
}

std::unique_ptr<agents::TenantAgent> ClientCore::add_tenant(agents::TenantShared& shared,
                                                            agents::TenantAgent::Options options) {
  const std::lock_guard lock(control_mutex_);
  options.counters = counters();
  auto agent = std::make_unique<agents::TenantAgent>(bus_, *control_, *leases_, policy_, shared,
                                                     std::move(options), clock_.mono());
  tenants_.push_back(agent.get());
  return agent;
}

void ClientCore::remove(std::unique_ptr<agents::MappingAgent> agent) {
  const std::lock_guard lock(control_mutex_);
  std::erase(consumers_, agent.get());
  leave(agent->close(clock_.mono()));
  agent.reset();
}

void ClientCore::remove(std::unique_ptr<agents::TenantAgent> agent) {
  const std::lock_guard lock(control_mutex_);
  std::erase(tenants_, agent.get());
  leave(agent->close(clock_.mono()));
  agent.reset();
}

std::unique_ptr<agents::WakeKeeper> ClientCore::add_wake_keeper() {
  const std::lock_guard lock(control_mutex_);
  auto keeper = std::make_unique<agents::WakeKeeper>(aeron_dir());
  wake_keepers_.push_back(keeper.get());
  return keeper;
}

void ClientCore::remove(std::unique_ptr<agents::WakeKeeper> keeper) {
  const std::lock_guard lock(control_mutex_);
  std::erase(wake_keepers_, keeper.get());
  keeper.reset();
}

Status ClientCore::join_media_driver(Nanos patience) {
  bus::RendezvousOptions rendezvous;
  rendezvous.driver.aeron_dir = bus_.aeron_dir();
  rendezvous.policy = policy_of(options_.media_driver);
  rendezvous.patience = patience;
  Result<bus::MediaDriverHandle> joined = bus::join_or_embed(rendezvous);
  if (!joined) {
    return fail(joined.error());
  }
  driver_.emplace(std::move(*joined));
  if (driver_->is_embedded()) {
    log(LogLevel::kInfo, "media driver embedded in " + bus_.aeron_dir());
  }
  return {};
}

/// The process that embedded the driver has ended, perhaps before we were connected: the next one
/// that may embeds anew (design §9).
void ClientCore::rejoin_media_driver(Nanos now) {
  if (options_.media_driver != MediaDriverPolicy::kAuto || bus_.is_up() ||
      (driver_ && driver_->is_embedded()) || now < rejoin_at_) {
    return;
  }
  rejoin_at_ = now + kRejoinPause;
  if (const Status joined = join_media_driver(kRejoinPause); !joined) {
    log(LogLevel::kWarning, describe(joined.error()));
  }
}

void ClientCore::watch_connection() {
  const ConnectionState present =
      bus_.state() == bus::ClientState::kUp     ? ConnectionState::kConnected
      : bus_.state() == bus::ClientState::kLost ? ConnectionState::kLost
                                                : ConnectionState::kConnecting;
  if (connection_.exchange(present, std::memory_order_relaxed) == present) {
    return;
  }
  if (present == ConnectionState::kLost) {
    log(LogLevel::kWarning, "media driver lost: " + describe(bus_.last_error()));
  } else if (present == ConnectionState::kConnected) {
    log(LogLevel::kInfo, "connected to the media driver in " + bus_.aeron_dir());
  }
}

void ClientCore::log(LogLevel level, std::string_view line) const {
  if (options_.log) {
    options_.log(level, line);
  }
}

}  // namespace tensorpool::inline v0::detail
