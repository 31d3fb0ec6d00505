// How a consumer begins: what its options ask for is checked, and becomes what its agent does.
#include <utility>

#include "client/consumer_core.hpp"
#include "os/entropy.hpp"

namespace tensorpool::inline v0::detail {
namespace {

/// What is asked for, as far as it can be said before there is a consumer id (W287, W288).
[[nodiscard]] Result<core::registration::OwnStream> own_of(const OwnStreamOptions& options) {
  if (!options.wanted) {
    return core::registration::OwnStream{};
  }
  if (const Result<bus::Channel> channel = bus::Channel::parse(options.channel); !channel) {
    return fail(channel.error());
  }
  if (options.stream_id != 0 && !bus::is_valid_stream_id(options.stream_id)) {
    return fail(Errc::kInvalidArgument, "own stream id",
                static_cast<std::uint64_t>(options.stream_id), 0x7FFF'FFFF);  // W432
  }
  return core::registration::OwnStream{.channel = options.channel,
                                       .stream_id = static_cast<std::uint32_t>(options.stream_id)};
}

/// How the consumer wants to be served (§1.15.1).
[[nodiscard]] Status want_delivery(const ConsumerOptions& options,
                                   agents::MappingAgent::Options& agent) {
  agent.wish.supports_shm = options.use_shm;
  agent.wish.max_rate_hz = options.max_rate_hz;
  agent.wish.supports_progress = options.progress.wanted;
  agent.wish.progress_interval_us = options.progress.hints.interval_us;
  agent.wish.progress_bytes_delta = options.progress.hints.bytes_delta;
  agent.wish.progress_major_delta_units = options.progress.hints.major_delta_units;
  if (const Status sane = core::registration::check_wish(agent.wish); !sane) {
    return sane;
  }
  const Result<core::registration::OwnStream> descriptors = own_of(options.own_descriptors);
  const Result<core::registration::OwnStream> control = own_of(options.own_control);
  if (!descriptors || !control) {
    return fail(descriptors ? control.error() : descriptors.error());
  }
  agent.own = {.descriptors = *descriptors, .control = *control};
  return {};
}

/// What the consumer needs besides under a driver.
[[nodiscard]] Status want_lease(const ClientCore& client, const ConsumerOptions& options,
                                agents::MappingAgent::Options& agent) {
  core::attach::AttachMachine::Options lease =
      client.lease_options(layout::Role::kConsumer, options.announce_period);
  lease.reattach = options.reattach;
  lease.publish_mode = options.create_stream ? layout::PublishMode::kExistingOrCreate
                                             : layout::PublishMode::kRequireExisting;
  if (const Status sane = core::attach::AttachMachine::check(lease); !sane) {
    return sane;
  }
  agent.lease = lease;
  agent.ask_number =
      client.ask_number({.operation = admin::Operation::kResolveStream, .name = options.name});
  return {};
}

}  // namespace

Result<std::unique_ptr<ConsumerCore>> ConsumerCore::create(std::shared_ptr<ClientCore> client,
                                                           const ConsumerOptions& options) {
  if (options.stream_id == 0 && options.name.empty()) {
    return fail(Errc::kInvalidArgument, "stream_id or name: give one of them");
  }
  if (options.stream_id != 0 && !layout::valid_stream_id(options.stream_id)) {
    return fail(Errc::kInvalidArgument, "stream_id", options.stream_id, layout::kStreamIdMax);
  }
  agents::MappingAgent::Options agent;
  agent.stream_id = options.stream_id;
  agent.name = options.name;
  agent.consumer_id = options.consumer_id;
  agent.direct = options.mode == FollowMode::kDirect;
  agent.use_shm = options.use_shm;
  agent.remap_same_epoch_on_pid_change = options.remap_same_epoch_on_pid_change;
  agent.max_pools = client->options().regions.max_pools;
  agent.timing =
      core::Timing::of(options.announce_period, options.freshness_window, options.liveness_timeout);
  agent.timing.hello_interval = options.hello_interval;
  agent.timing.qos_interval = options.qos_interval;
  agent.descriptor_stream_id = options.descriptor_stream_id;
  agent.on_event = options.on_event;
  agent.metadata = {.liveness_timeout = agent.timing.liveness_timeout,
                    .limits = options.metadata,
                    .on_metadata = options.on_metadata,
                    .on_blob = options.on_blob};
  if (const Status timing = core::check_timing(agent.timing); !timing) {
    return fail(timing.error());
  }
  if (client->has_driver()) {
    if (const Status wanted = want_lease(*client, options, agent); !wanted) {
      return fail(wanted.error());
    }
  } else if (agent.consumer_id == 0) {
    base::Random random(os::entropy());
    agent.consumer_id = core::registration::random_consumer_id(random);  // W284
    agent.self_picked_id = true;
  }
  if (const Status wanted = want_delivery(options, agent); !wanted) {
    return fail(wanted.error());
  }
  const Channels& shared = client->options().channels;
  Result<bus::Channel> channel = bus::Channel::parse(options.descriptor_channel);
  Result<bus::Channel> control = bus::Channel::parse(shared.control_channel);
  if (!channel || !control) {
    return fail(channel ? control.error() : channel.error());
  }
  agent.descriptor_channel = std::move(*channel);
  agent.control_channel = std::move(*control);
  agent.control_stream_id = shared.control_stream_id;
  std::unique_ptr<ConsumerCore> core(new ConsumerCore(std::move(client), options));
  core->agent_ = core->client_->add_consumer(core->shared_, std::move(agent));
  return core;
}

}  // namespace tensorpool::inline v0::detail
