// How a producer begins: what its options ask for is checked, then the regions are made
// (standalone) or a lease is asked for (under a driver).
#include <unistd.h>

#include <algorithm>
#include <string_view>
#include <utility>

#include "client/driver_desk.hpp"
#include "client/producer_core.hpp"
#include "core/naming/stream_names.hpp"
#include "os/syscalls.hpp"

namespace tensorpool::inline v0::detail {
namespace {

constexpr std::uint32_t kSlotsDefault = 1024;

[[nodiscard]] bool is_plain_text(std::string_view text) noexcept {
  return std::all_of(text.begin(), text.end(),
                     [](char byte) { return byte >= 0x20 && byte < 0x7F; });
}

[[nodiscard]] Result<core::Timing> timing_of(const StreamOptions& options) {
  core::Timing timing =
      core::Timing::of(options.announce_period, options.freshness_window, Nanos{});
  timing.liveness_timeout = std::max(timing.liveness_timeout, timing.freshness_window);
  timing.metadata_period = options.metadata_period;
  timing.qos_interval = options.qos_interval;
  timing.hello_interval = options.hello_interval;
  if (const Status sane = core::check_timing(timing); !sane) {
    return fail(sane.error());
  }
  return timing;
}

/// How the consumers of the stream are registered (§1.15.2).
[[nodiscard]] Result<agents::RegistryAgent::Options> registry_of(const StreamOptions& options,
                                                                 const core::Timing& timing) {
  const Nanos period = std::max(timing.hello_interval, timing.qos_interval);
  const Nanos stale = options.consumer_stale == Nanos{} ? 5 * period : options.consumer_stale;
  const auto ms = [](Nanos span) { return static_cast<std::uint64_t>(span.count() / 1'000'000); };
  if (stale < 3 * period) {
    return fail(Errc::kInvalidArgument, "consumer_stale_ms", ms(stale), ms(3 * period));
  }
  if (stale > 5 * period) {
    return fail(Errc::kInvalidArgument, "consumer_stale_ms", ms(stale), ms(5 * period));
  }
  if (options.max_consumers == 0) {
    return fail(Errc::kInvalidArgument, "max_consumers", 0, 1);
  }
  return agents::RegistryAgent::Options{.responds = options.answer_hellos,
                                        .consumers_max = options.max_consumers,
                                        .stale_timeout = stale};
}

/// What both kinds of producers need to know before they begin.
struct Wanted {
  std::uint32_t number = 0;  ///< 0 where only the name is known
  core::Timing timing = {};
  bus::Channel descriptor_channel = {};
  agents::RegistryAgent::Options registry = {};
};
[[nodiscard]] Result<Wanted> wanted_by(const StreamOptions& options) {
  if (options.stream_id != 0 && !layout::valid_stream_id(options.stream_id)) {
    return fail(Errc::kInvalidArgument, "stream_id", options.stream_id,
                layout::kStreamIdMax);  // W7
  }
  const Result<core::Timing> timing = timing_of(options);
  if (!timing) {
    return fail(timing.error());
  }
  Result<bus::Channel> channel = bus::Channel::parse(options.descriptor_channel);
  if (!channel) {
    return fail(channel.error());
  }
  const Result<agents::RegistryAgent::Options> registry = registry_of(options, *timing);
  if (!registry) {
    return fail(registry.error());
  }
  return Wanted{.number = options.stream_id,
                .timing = *timing,
                .descriptor_channel = std::move(*channel),
                .registry = *registry};
}

[[nodiscard]] core::region::StreamGeometry geometry_of(const StreamOptions& options,
                                                       std::uint32_t stream_id) {
  core::region::StreamGeometry geometry;
  geometry.stream_id = stream_id;
  geometry.nslots = options.nslots != 0 ? options.nslots : kSlotsDefault;
  geometry.pools.clear();
  const std::vector<PoolOptions> usual = {PoolOptions{}};
  for (const PoolOptions& pool : options.pools.empty() ? usual : options.pools) {
    geometry.pools.push_back({.pool_id = pool.pool_id, .stride_bytes = pool.stride_bytes});
  }
  return geometry;
}

}  // namespace

Result<ProducerCore*> ProducerCore::create(std::shared_ptr<ClientCore> client,
                                           const StreamOptions& options) {
  if (!is_plain_text(options.name) || !is_plain_text(options.summary)) {
    return fail(Errc::kInvalidArgument, "name or summary: printable US-ASCII only");  // W93
  }
  Result<core::progress::ProgressSender> progress =
      core::progress::ProgressSender::create({.settings = options.progress});
  if (!progress) {
    return fail(progress.error());
  }
  auto* const core = new ProducerCore(std::move(client), options, std::move(*progress));
  if (options.wakes_consumers) {
    core->wake_ = core->client_->add_wake_keeper();
  }
  const Status begun = core->leased_ ? core->begin_lease(options) : core->begin_standalone(options);
  if (!begun) {
    delete core;
    return fail(begun.error());
  }
  return core;
}

ProducerCore::ProducerCore(std::shared_ptr<ClientCore> client, const StreamOptions& options,
                           core::progress::ProgressSender progress)
    : client_(std::move(client)),
      commit_hook_(options.commit_hook),
      stamp_descriptors_(options.stamp_descriptors),
      early_header_(options.early_header),
      leased_(client_->has_driver()),
      progress_(shared_.own_streams, std::move(progress)) {}

Status ProducerCore::begin_standalone(const StreamOptions& options) {
  Result<Wanted> wanted = wanted_by(options);
  if (!wanted) {
    return fail(wanted.error());
  }
  if (wanted->number == 0 && options.name.empty()) {
    return fail(Errc::kInvalidArgument, "stream_id or name: give one of them");
  }
  const std::uint32_t number =
      wanted->number != 0 ? wanted->number : core::naming::stream_number(options.name);
  const os::OwnerOptions owner{.base_dir = options.shm_base_dir,
                               .name_space = options.name_space,
                               .private_files = options.private_files,
                               .require_hugepages = options.require_hugepages,
                               .remove_on_close = options.unlink_on_close,
                               .populate = true};
  const Result<core::region::StreamPlace> place = os::place_of(owner, number);
  if (!place) {
    return fail(place.error());
  }
  agents::OwnerAgent::Options agent{
      .timing = wanted->timing,
      .cleaner = agents::EpochCleaner({.base_dir = owner.base_dir,
                                       .place = *place,
                                       .freshness_window = wanted->timing.freshness_window},
                                      client_->options().log)};
  agent.producer_id =
      options.producer_id != 0 ? options.producer_id : static_cast<std::uint32_t>(::getpid());
  agent.metadata = {.name = options.name, .summary = options.summary, .limits = options.metadata};
  agent.descriptor_stream_id = options.descriptor_stream_id;
  agent.descriptor_channel = std::move(wanted->descriptor_channel);
  agent.cleaner.clean(client_->clock().now());  // so that its space counts as free
  Result<os::OwnedStream> stream = os::OwnedStream::create(
      os::system_calls(), owner, geometry_of(options, number), client_->clock().now());
  if (!stream) {
    return fail(stream.error());
  }
  agent.cleaner.set_current_epoch(stream->epoch());
  stream_.emplace(std::move(*stream));
  if (wake_ != nullptr) {
    wake_->want(number, stream_->epoch());
  }
  agent.registry = std::move(wanted->registry);
  owner_ = client_->add_owner(
      *stream_,
      {.own_streams = shared_.own_streams, .next_seq = shared_.next_seq, .tally = shared_.tally},
      std::move(agent));
  shared_.stream_id.store(number, std::memory_order_relaxed);
  shared_.epochs.offer(std::make_unique<WrittenRef>(new WrittenEpoch(
      std::nullopt, memory_of(stream_->regions()), owner_->descriptors(),
      {.stream_id = number, .epoch = stream_->epoch(), .stamp_descriptors = stamp_descriptors_})));
  return {};
}

Status ProducerCore::begin_lease(const StreamOptions& options) {
  Result<Wanted> wanted = wanted_by(options);
  if (!wanted) {
    return fail(wanted.error());
  }
  agents::TenantAgent::Options agent;
  agent.registry = std::move(wanted->registry);
  agent.ask_responder = client_->ask_responder();
  agent.lease = client_->lease_options(layout::Role::kProducer, options.announce_period);
  agent.lease.stream_id = wanted->number;
  agent.lease.client_id = options.producer_id;
  agent.lease.reattach = options.reattach;
  agent.lease.publish_mode = options.create_stream ? layout::PublishMode::kExistingOrCreate
                                                   : layout::PublishMode::kRequireExisting;
  if (const Status sane = core::attach::AttachMachine::check(agent.lease); !sane) {
    return sane;
  }
  if (wanted->number == 0 && !options.name.empty()) {
    Result<admin::Request> request = ensure_request(options);
    if (!request) {
      return fail(request.error());
    }
    request->operation =
        options.create_stream ? admin::Operation::kEnsureStream : admin::Operation::kResolveStream;
    agent.ask_number = client_->ask_number(*request);
    agent.stride_bytes_min = static_cast<std::uint32_t>(request->frame_bytes);
  }
  agent.metadata = {.name = options.name, .summary = options.summary, .limits = options.metadata};
  agent.timing = wanted->timing;
  agent.stamp_descriptors = stamp_descriptors_;
  agent.descriptor_channel = std::move(wanted->descriptor_channel);
  agent.descriptor_stream_id = options.descriptor_stream_id;
  agent.on_event = options.on_event;
  shared_.stream_id.store(wanted->number, std::memory_order_relaxed);
  tenant_ = client_->add_tenant(shared_, std::move(agent));
  return {};
}

}  // namespace tensorpool::inline v0::detail
