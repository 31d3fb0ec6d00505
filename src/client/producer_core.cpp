#include "client/producer_core.hpp"

#include <unistd.h>

#include <algorithm>
#include <string_view>
#include <utility>

#include "agents/idle.hpp"
#include "agents/mapped_epoch.hpp"
#include "client/driver_desk.hpp"
#include "core/naming/stream_names.hpp"
#include "core/wake/wake_protocol.hpp"
#include "os/futex.hpp"
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
  auto* const core = new ProducerCore(std::move(client), options);
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

ProducerCore::ProducerCore(std::shared_ptr<ClientCore> client, const StreamOptions& options)
    : client_(std::move(client)),
      commit_hook_(options.commit_hook),
      stamp_descriptors_(options.stamp_descriptors),
      leased_(client_->has_driver()) {}

ProducerCore::~ProducerCore() {
  if (wake_ != nullptr) {
    client_->remove(std::move(wake_));
  }
  for (WrittenEpoch* epoch = std::exchange(left_, nullptr); epoch != nullptr;) {
    std::exchange(epoch, epoch->next_left)->release();
  }
  if (present_ != nullptr) {
    present_->release();
  }
}

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
  owner_ = client_->add_owner(*stream_,
                              {.own_streams = shared_.own_streams, .next_seq = shared_.next_seq},
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

void ProducerCore::close() noexcept {
  closed_ = true;
  if (client_->is_forked()) {
    return;
  }
  if (wake_ != nullptr) {
    client_->remove(std::move(wake_));
  }
  if (tenant_ != nullptr) {
    client_->remove(std::move(tenant_));
  }
  if (owner_ != nullptr) {
    client_->remove(std::move(owner_));
    stream_->remove_files();  // W152; open claims keep the memory
  }
}

void ProducerCore::release() noexcept {
  if (--holders_ == 0 && !client_->is_forked()) {
    delete this;  // a forked child leaves everything to its parent
  }
}

// -- Epochs --------------------------------------------------------------------------------------

inline void ProducerCore::take_offered() noexcept {
  const WrittenRef* const offered = shared_.epochs.current();
  WrittenEpoch* const epoch = offered == nullptr ? nullptr : offered->get();
  if (epoch != present_) [[unlikely]] {
    switch_epoch(epoch);
  }
}

[[gnu::cold, gnu::noinline]] void ProducerCore::switch_epoch(WrittenEpoch* offered) noexcept {
  if (present_ != nullptr) {
    kept_ = present_->writer.counters();
    loss_untold_ = !std::exchange(lapse_told_, false);
    if (present_->open_claims != 0) {
      present_->next_left = std::exchange(left_, present_);
    } else {
      present_->release();
    }
  }
  present_ = offered;
  shared_.seq_epoch.store(0, std::memory_order_relaxed);
  if (present_ != nullptr) {
    present_->retain();
    present_->writer.counters() = kept_;
    if (wake_ != nullptr) {
      wake_->want(stream_id(), present_->epoch());
    }
    shared_.next_seq.store(present_->writer.next_seq(), std::memory_order_relaxed);
    // sync(told-seq): publish.
    shared_.seq_epoch.store(present_->epoch(), std::memory_order_release);
  }
  writable_ = loss_untold_ ? nullptr : present_;
}

/// Why nothing may be written now.
[[gnu::cold, gnu::noinline]] PublishStatus ProducerCore::refuse() noexcept {
  if (writable_ != nullptr) {
    lapse_told_ = true;  // by our own clock; the control thread has not noticed yet (D142)
    return PublishStatus::kLeaseLost;
  }
  loss_untold_ = false;
  writable_ = present_;
  return shared_.lost_one.load(std::memory_order_relaxed) ? PublishStatus::kLeaseLost
                                                          : PublishStatus::kNotAttached;
}

/// `timestamp_ns` of the frame, and a time that is late enough to tell whether the lease still
/// holds.
inline Nanos ProducerCore::read_clock(std::optional<std::uint64_t> capture_time_ns,
                                      std::uint64_t& timestamp_ns) const noexcept {
  if (capture_time_ns) {
    timestamp_ns = *capture_time_ns;
    return leased_ ? os::SystemClock::coarse_mono() : Nanos{};
  }
  const Nanos now = client_->clock().mono();
  timestamp_ns = static_cast<std::uint64_t>(now.count());  // W194
  return now;
}

// -- Frames --------------------------------------------------------------------------------------

PublishStatus ProducerCore::publish(const TensorInfo& info, std::span<const std::byte> payload,
                                    std::optional<std::uint64_t> capture_time_ns) noexcept {
  if (client_->is_forked()) [[unlikely]] {
    return PublishStatus::kForked;
  }
  take_offered();
  std::uint64_t timestamp_ns = 0;
  const Nanos now = read_clock(capture_time_ns, timestamp_ns);
  if (writable_ == nullptr || !writable_->may_write(now)) [[unlikely]] {
    return refuse();
  }
  const PublishStatus status = writable_->writer.publish(info, payload, timestamp_ns);
  if (status == PublishStatus::kPublished) [[likely]] {
    shared_.next_seq.store(writable_->writer.next_seq(), std::memory_order_relaxed);
    tell_consumers(*writable_);
  }
  return status;
}

PublishStatus ProducerCore::claim(std::size_t bytes, FillWith fill, OpenClaim& out) noexcept {
  if (client_->is_forked()) [[unlikely]] {
    return PublishStatus::kForked;
  }
  take_offered();
  const Nanos now = leased_ ? os::SystemClock::coarse_mono() : Nanos{};
  if (writable_ == nullptr || !writable_->may_write(now)) [[unlikely]] {
    return refuse();
  }
  const PublishStatus status = writable_->writer.claim(bytes, out, fill);
  if (status == PublishStatus::kPublished) [[likely]] {
    shared_.next_seq.store(writable_->writer.next_seq(), std::memory_order_relaxed);
    ++writable_->open_claims;
  }
  return status;
}

CommitStatus ProducerCore::commit(const OpenClaim& claim, const TensorInfo& info,
                                  std::size_t payload_bytes,
                                  std::optional<std::uint64_t> capture_time_ns) noexcept {
  if (client_->is_forked()) [[unlikely]] {
    return CommitStatus::kForked;
  }
  take_offered();
  std::uint64_t timestamp_ns = 0;
  const Nanos now = read_clock(capture_time_ns, timestamp_ns);
  WrittenEpoch* const epoch = present_;
  if (closed_ || epoch == nullptr || epoch->epoch() != claim.epoch || !epoch->may_write(now))
      [[unlikely]] {
    return CommitStatus::kStaleClaim;  // W183, D314
  }
  if (commit_hook_.flush != nullptr) {
    commit_hook_.flush(commit_hook_.context, claim.payload);  // W155
  }
  const CommitStatus status = epoch->writer.commit(claim, info, payload_bytes, timestamp_ns);
  if (status == CommitStatus::kCommitted) [[likely]] {
    --epoch->open_claims;
    tell_consumers(*epoch);
  }
  return status;
}

void ProducerCore::abort(const OpenClaim& claim) noexcept {
  end_claim(claim, &ProducerCounters::claims_aborted);
}

void ProducerCore::drop(const OpenClaim& claim) noexcept {
  end_claim(claim, &ProducerCounters::claims_dropped);
}

void ProducerCore::end_claim(const OpenClaim& claim,
                             std::uint64_t ProducerCounters::*count) noexcept {
  if (client_->is_forked()) {
    return;
  }
  ProducerCounters& counters = present_ != nullptr ? present_->writer.counters() : kept_;
  ++(counters.*count);
  if (present_ != nullptr && present_->epoch() == claim.epoch) {
    --present_->open_claims;
    present_->writer.abort(claim);
    return;
  }
  for (WrittenEpoch** at = &left_; *at != nullptr; at = &(*at)->next_left) {
    WrittenEpoch* const epoch = *at;
    if (epoch->epoch() == claim.epoch) {
      if (--epoch->open_claims == 0) {
        *at = epoch->next_left;
        epoch->release();
      }
      return;
    }
  }
}

/// The frame is in the ring. Whoever is woken finds its descriptor.
inline void ProducerCore::tell_consumers(WrittenEpoch& epoch) noexcept {
  send_descriptor(epoch, epoch.descriptors.current());  // W187
  if (shared_.own_streams.descriptors.any()) [[unlikely]] {
    send_to_single_consumers(epoch);
  }
  layout::WakeWords* const words = wake_ == nullptr ? nullptr : wake_->words();
  if (words != nullptr && core::wake::somebody_sleeps<base::DefaultAtom>(words->armed))
      [[unlikely]] {
    wake_sleepers(*words, epoch.writer.counters());
  }
}

[[gnu::cold, gnu::noinline]] void ProducerCore::wake_sleepers(layout::WakeWords& words,
                                                              ProducerCounters& counters) noexcept {
  if (!wake_budget_.take(client_->clock().mono())) {
    ++counters.wakes_put_off;
    return;
  }
  core::wake::take_armings<base::DefaultAtom>(words.armed, words.ticket);
  os::futex_wake_all(words.ticket);
  ++counters.wakes;
}

/// W188, W335..W337. A failure on one stream has no effect on another (W202).
[[gnu::noinline]] void ProducerCore::send_to_single_consumers(WrittenEpoch& epoch) noexcept {
  std::optional<Nanos> now;
  shared_.own_streams.descriptors.use([&](agents::OwnStreams::List& streams) noexcept {
    for (agents::OwnPublication* const stream : streams) {
      const Nanos interval{stream->interval_ns.load(std::memory_order_relaxed)};
      if (interval == Nanos{0}) {
        send_descriptor(epoch, stream->link.current());
        continue;
      }
      now = now ? now : client_->clock().mono();
      if (stream->cap.is_due(*now, interval)) {
        if (send_descriptor(epoch, stream->link.current())) {
          stream->cap.sent(*now);
        }
      }
    }
  });
}

/// W191, W198..W201: never blocks, and each failure has its counter. True when it was sent.
bool ProducerCore::send_descriptor(WrittenEpoch& epoch, bus::ExclusivePublication* out) noexcept {
  ProducerCounters& counters = epoch.writer.counters();
  if (out == nullptr) [[unlikely]] {
    ++counters.descriptor_closed;
    return false;
  }
  bus::BufferClaim claim;
  bus::OfferStatus status = out->try_claim(sizeof(layout::FrameDescriptorMessage), claim);
  if (status == bus::OfferStatus::kAdminAction) {
    status = out->try_claim(sizeof(layout::FrameDescriptorMessage), claim);  // W200
  }
  if (status == bus::OfferStatus::kOk) [[likely]] {
    auto& message = *reinterpret_cast<layout::FrameDescriptorMessage*>(claim.data());
    epoch.writer.write_descriptor(message);
    if (stamp_descriptors_) {
      message.timestamp_ns = static_cast<std::uint64_t>(client_->clock().mono().count());
    }
    out->commit(claim);
    return true;
  }
  switch (status) {
    case bus::OfferStatus::kOk:
      break;
    case bus::OfferStatus::kNotConnected:
      ++counters.descriptor_not_connected;
      break;
    case bus::OfferStatus::kBackPressured:
      ++counters.descriptor_backpressured;
      break;
    case bus::OfferStatus::kAdminAction:
      ++counters.descriptor_admin_action;
      break;
    case bus::OfferStatus::kClosed:
      ++counters.descriptor_closed;
      break;
    case bus::OfferStatus::kError:
      ++counters.descriptor_error;
      break;
  }
  return false;
}

// -- Metadata ------------------------------------------------------------------------------------

agents::MetadataSource& ProducerCore::metadata() noexcept {
  return owner_ != nullptr ? owner_->metadata() : tenant_->metadata();
}

/// The agent says which version the set has, in which epoch; the writer of that epoch, or of a
/// later one, knows it as soon as the next frame.
Status ProducerCore::set_metadata(std::vector<Attribute> attributes) {
  if (client_->is_forked() || closed_) {
    return fail(client_->is_forked() ? Errc::kForked : Errc::kClosed, "set_metadata");
  }
  using EpochVersion = agents::TenantAgent::EpochVersion;
  auto set =
      client_->with_control([&](agents::ControlBus& control, Nanos now) -> Result<EpochVersion> {
        if (tenant_ != nullptr) {
          return tenant_->set_metadata(std::move(attributes), control, now);
        }
        const Result<std::uint32_t> version =
            owner_->set_metadata(std::move(attributes), control, now);
        return version ? Result<EpochVersion>({stream_->epoch(), *version}) : fail(version.error());
      });
  if (!set) {
    return fail(set.error().in_stream(stream_id()));
  }
  take_offered();
  if (present_ != nullptr && present_->epoch() == set->epoch) {
    present_->writer.set_meta_version(set->version);  // W375
  }
  return {};
}

Status ProducerCore::send_blob(std::uint32_t type, std::vector<std::byte> bytes) {
  if (client_->is_forked() || closed_) {
    return fail(client_->is_forked() ? Errc::kForked : Errc::kClosed, "send_blob");
  }
  return client_->with_control(
      [&](agents::ControlBus&, Nanos) { return metadata().push_blob(type, std::move(bytes)); });
}

std::size_t ProducerCore::blobs_pending() {
  if (client_->is_forked() || closed_) {
    return 0;
  }
  return client_->with_control(
      [&](agents::ControlBus&, Nanos) { return metadata().blobs_pending(); });
}

// -- Readings ------------------------------------------------------------------------------------

Status ProducerCore::wait_attached(Nanos patience) {
  if (client_->is_forked()) {
    return fail(Errc::kForked, "wait_attached");
  }
  if (!leased_) {
    return {};
  }
  agents::Standing::Now standing =
      client_->is_invoked() ? drive_until_settled(patience) : shared_.standing.wait(patience);
  if (standing.state == AttachState::kAttached) {
    return {};
  }
  return standing.error.code != Errc{} ? fail(standing.error)
                                       : fail(Errc::kTimeout, "no driver has answered");
}

agents::Standing::Now ProducerCore::drive_until_settled(Nanos patience) {
  agents::Idle idle{{}};
  const Nanos end = client_->clock().mono() + patience;
  while (!shared_.standing.now().is_settled() && client_->clock().mono() < end) {
    idle.idle(client_->invoke());
  }
  return shared_.standing.now();
}

AttachState ProducerCore::attach_state() const noexcept {
  if (client_->is_forked()) {
    return AttachState::kUnattached;  // the lock may have been held by a thread that is not here
  }
  return leased_ ? shared_.standing.now().state : AttachState::kAttached;
}

const WrittenEpoch::Writer* ProducerCore::writer() noexcept {
  if (!client_->is_forked()) {
    take_offered();
  }
  return present_ == nullptr ? nullptr : &present_->writer;
}

bool ProducerCore::has_subscribers() noexcept {
  if (client_->is_forked() || closed_) {
    return false;
  }
  take_offered();
  bus::ExclusivePublication* const out =
      present_ == nullptr ? nullptr : present_->descriptors.current();
  bool any = out != nullptr && out->is_connected();
  if (!any && shared_.own_streams.descriptors.any()) {
    shared_.own_streams.descriptors.use([&any](agents::OwnStreams::List& streams) noexcept {
      any = std::any_of(streams.begin(), streams.end(), [](agents::OwnPublication* stream) {
        bus::ExclusivePublication* const own = stream->link.current();
        return own != nullptr && own->is_connected();
      });
    });
  }
  return any;
}

ProducerCounters ProducerCore::counters() const noexcept {
  ProducerCounters counters = present_ != nullptr ? present_->writer.counters() : kept_;
  if (owner_ != nullptr) {
    counters.announces_sent = owner_->announces_sent();
    counters.announces_failed = owner_->announces_failed();
  }
  return counters;
}

}  // namespace tensorpool::inline v0::detail
