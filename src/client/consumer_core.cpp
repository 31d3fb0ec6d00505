#include "client/consumer_core.hpp"

#include <algorithm>
#include <thread>

#include "base/relax.hpp"
#include "core/consumer/descriptor_message.hpp"
#include "core/wake/wake_protocol.hpp"
#include "os/entropy.hpp"
#include "os/futex.hpp"

namespace tensorpool::inline v0::detail {
namespace {

[[nodiscard]] agents::Delivery delivery_of(DeliveryMode mode, std::uint32_t max_rate_hz) {
  return {.mode = mode == DeliveryMode::kRateLimited ? layout::Mode::kRateLimited
                                                     : layout::Mode::kStream,
          .max_rate_hz = max_rate_hz};
}

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

[[nodiscard]] core::telemetry::Waits waits_of(WaitKind kind, bool nobody_wakes) noexcept {
  using core::telemetry::Waits;
  switch (kind) {
    case WaitKind::kSpin:
      return Waits::kSpin;
    case WaitKind::kYield:
      return Waits::kYield;
    case WaitKind::kBackoff:
      return Waits::kBackoff;
    case WaitKind::kPark:
      return nobody_wakes ? Waits::kPause : Waits::kPark;
    case WaitKind::kHybrid:
      return nobody_wakes ? Waits::kPause : Waits::kHybrid;
  }
  return Waits::kNot;
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

ConsumerCore::ConsumerCore(std::shared_ptr<ClientCore> client, const ConsumerOptions& options)
    : client_(std::move(client)),
      direct_(options.mode == FollowMode::kDirect),
      recover_gaps_(options.recover_gaps),
      receiver_({.stream_id = options.stream_id,
                 .recover_gaps = options.recover_gaps,
                 .max_outstanding_seq_gap = options.max_outstanding_seq_gap}),
      progress_(options.progress.wanted
                    ? std::make_unique<ProgressReader>(options.progress.early_header)
                    : nullptr),
      silence_(options.probe_after),
      wait_(options.wait),
      parking_(client_->aeron_dir()) {
  const std::uint64_t wished = delivery_of(options.delivery, options.max_rate_hz).packed();
  shared_.delivery.wished.store(wished, std::memory_order_relaxed);
  shared_.delivery.in_force.store(wished, std::memory_order_relaxed);
}

ConsumerCore::~ConsumerCore() {
  if (client_->is_forked()) {
    static_cast<void>(agent_.release());  // the parent's
    static_cast<void>(bell_.release());
    return;
  }
  let_go();
  client_->remove(std::move(agent_));
}

ConsumerCounters ConsumerCore::counters() const noexcept {
  ConsumerCounters counters = receiver_.counters();
  counters.malformed_messages += shared_.malformed_control.load(std::memory_order_relaxed);
  counters.unsupported_version += shared_.unsupported_control.load(std::memory_order_relaxed);
  return counters;
}

bool ConsumerCore::begin_poll() noexcept {
  if (client_->is_forked()) [[unlikely]] {
    return false;
  }
  settle_borrowed();
  const std::uint64_t delivery = shared_.delivery.in_force.load(std::memory_order_relaxed);
  if (delivery != delivery_) [[unlikely]] {
    follow_delivery(delivery);
  }
  if (receiver_.is_gated()) [[unlikely]] {
    receiver_.set_arrival_time(client_->clock().mono());
  }
  EpochRef* const offered = agent_->epochs().current();
  const MappedEpoch* const present = attached_ ? attached_->get() : nullptr;
  if ((offered == nullptr ? nullptr : offered->get()) != present) [[unlikely]] {
    switch_epoch(offered);
  }
  return true;
}

void ConsumerCore::switch_epoch(EpochRef* offered) noexcept {
  let_go();
  if (offered != nullptr) {
    attached_.emplace(*offered);
    receiver_.set_stream((*attached_)->regions.stream_id());
    receiver_.attach((*attached_)->memory, (*attached_)->epoch());
    if (progress_ != nullptr) {
      progress_->attach(**attached_);
    }
    silence_.on_progress();
  }
}

void ConsumerCore::let_go() noexcept {
  if (!attached_) {
    return;
  }
  settle_borrowed();
  MappedEpoch& epoch = **attached_;
  receiver_.report_changed_after_use(
      epoch.changed_in_leases.exchange(0, std::memory_order_relaxed));
  epoch.last_seq = receiver_.last_seq();
  epoch.any_frame = receiver_.tracking();
  receiver_.detach();
  if (progress_ != nullptr) {
    progress_->detach();
  }
  epoch.let_go.store(true, std::memory_order_release);  // sync(let-go): publish
  attached_.reset();
}

void ConsumerCore::settle_borrowed() noexcept {
  if (lent_ && !lent_kept_ &&
      !core::ring::unchanged_after_use<base::DefaultAtom>(*lent_->commit, lent_->seq)) {
    receiver_.report_changed_after_use();
  }
  lent_.reset();
}

bus::Subscription* ConsumerCore::descriptors() noexcept {
  if (shared_.stream_id.load(std::memory_order_acquire) == 0)
      [[unlikely]] {  // sync(stream-found): observe
    return nullptr;
  }
  bus::Subscription* const in = agent_->descriptors()->current();
  if (in != heard_on_) [[unlikely]] {
    heard_on_ = in;
    receiver_.subscription_changed();  // W263
    const std::uint32_t own = shared_.delivery.own_stream_id.load(std::memory_order_relaxed);
    on_own_stream_ =
        in != nullptr && own != 0 && static_cast<std::uint32_t>(in->stream_id()) == own;
    follow_delivery(delivery_);
  }
  return in;
}

/// Where progress comes by; null while there is no such stream.
bus::Subscription* ConsumerCore::progress_in() noexcept {
  const bool found = progress_ != nullptr && shared_.stream_id.load(std::memory_order_acquire) !=
                                                 0;  // sync(stream-found): observe
  return found ? agent_->progress()->current() : nullptr;
}

bool ConsumerCore::is_own_control(const bus::Subscription& in) const noexcept {
  const std::uint32_t own = shared_.delivery.own_control_id.load(std::memory_order_relaxed);
  return own != 0 && static_cast<std::uint32_t>(in.stream_id()) == own;
}

/// Who thins the stream: the producer one of our own, else the gate here (W334, W340, W341).
void ConsumerCore::follow_delivery(std::uint64_t delivery) noexcept {
  delivery_ = delivery;
  const agents::Delivery now = agents::Delivery::unpack(delivery);
  const bool thinned = now.is_limited() && on_own_stream_;
  receiver_.limit_rate(
      now.is_limited() && !thinned ? core::registration::interval_of(now.max_rate_hz) : Nanos{0},
      thinned);
}

/// For the QosConsumer that the control thread sends (W396, W398).
void ConsumerCore::tell_qos() noexcept {
  agents::DeliveryShared& told = shared_.delivery;
  told.drops_gap.store(receiver_.counters().drops_gap, std::memory_order_relaxed);
  told.drops_late.store(receiver_.counters().drops_late, std::memory_order_relaxed);
  if (told.epoch.load(std::memory_order_relaxed) != receiver_.epoch()) [[unlikely]] {
    told.epoch.store(0, std::memory_order_relaxed);
    told.last_seq.store(receiver_.last_seq(), std::memory_order_release);
    told.epoch.store(receiver_.epoch(), std::memory_order_release);
    return;
  }
  told.last_seq.store(receiver_.last_seq(), std::memory_order_relaxed);
}

Status ConsumerCore::set_delivery(DeliveryMode mode, std::uint32_t max_rate_hz) {
  core::registration::ConsumerWish wish;
  wish.max_rate_hz = max_rate_hz;
  if (Status sane = core::registration::check_wish(wish); !sane) {
    return sane;
  }
  shared_.delivery.wished.store(delivery_of(mode, max_rate_hz).packed(), std::memory_order_relaxed);
  return {};
}

/// For those who look on (docs/adr/0034).
[[gnu::cold, gnu::noinline]] void ConsumerCore::tell_outside() noexcept {
  shared_.readout.answer({.counters = receiver_.counters(),
                          .tracked_epoch = receiver_.tracking() ? receiver_.epoch() : 0,
                          .waits = bell_ != nullptr ? core::telemetry::Waits::kEvent : waits_});
}

void ConsumerCore::end_poll(int frames) noexcept {
  tell_qos();
  if (shared_.readout.is_asked()) [[unlikely]] {
    tell_outside();
  }
  if (bell_ != nullptr && frames == 0) [[unlikely]] {
    ask_for_event();
  }
  if (!attached_) {
    return;
  }
  MappedEpoch& epoch = **attached_;
  if (epoch.changed_in_leases.load(std::memory_order_relaxed) != 0) [[unlikely]] {
    receiver_.report_changed_after_use(
        epoch.changed_in_leases.exchange(0, std::memory_order_relaxed));
  }
  if (const auto cause = receiver_.unmap_wanted()) [[unlikely]] {
    const UnmapReason reason = *cause == core::consumer::UnmapCause::kHigherEpochSeen
                                   ? UnmapReason::kHigherEpochDescribed
                                   : UnmapReason::kSequenceRegression;
    // sync(unmap-wanted): publish.
    epoch.unmap_wanted.store(static_cast<std::uint8_t>(reason), std::memory_order_release);
  }
}

auto ConsumerCore::borrow() noexcept {
  return [this](const Frame& frame) noexcept {
    lent_ = FrameViewFactory::record(frame, attached_->get());
    lent_info_ = &frame.tensor->info;
    lent_kept_ = false;
    return core::consumer::Use::kKept;
  };
}

std::optional<FrameView> ConsumerCore::next() noexcept {
  if (!begin_poll()) {
    return std::nullopt;
  }
  const auto sink = borrow();
  int frames = 0;
  if (direct_) {
    frames = receiver_.follow_ring(1, false, sink);
  } else {
    frames = receiver_.fill_gap(1, sink);
    bus::Subscription* const in = descriptors();
    for (int taken = 0; in != nullptr && frames == 0 && taken < kDescriptorsPerDrain; ++taken) {
      if (take_descriptors(*in, sink, 1, 1, frames) == 0) {
        frames += receiver_.on_drained(sink);
        break;
      }
    }
    if (frames == 0) {
      frames = look_at_ring(1, false, sink);
    }
  }
  end_poll(frames);
  return frames == 0 ? std::nullopt
                     : std::optional(FrameViewFactory::view(*lent_, lent_info_, &lent_kept_));
}

std::optional<FrameView> ConsumerCore::latest() noexcept {
  if (!begin_poll()) {
    return std::nullopt;
  }
  const auto sink = borrow();
  int frames = 0;
  if (direct_) {
    frames = receiver_.follow_ring(1, true, sink);
  } else {
    receiver_.begin_latest();
    bus::Subscription* const in = descriptors();
    for (int taken = 0; in != nullptr && taken < kDescriptorsPerDrain;) {
      const int more = take_descriptors(*in, sink, 256, 1, frames);
      if (more == 0) {
        break;
      }
      taken += more;
    }
    receiver_.end_latest();
    frames += receiver_.on_drained(sink);
    if (frames == 0) {
      frames = look_at_ring(1, true, sink);
    }
  }
  end_poll(frames);
  return frames == 0 ? std::nullopt
                     : std::optional(FrameViewFactory::view(*lent_, lent_info_, &lent_kept_));
}

// -- Waiting -------------------------------------------------------------------------------------

/// Whether a poll, of frames or of progress, would find something. The word of the next slot is
/// what the producer writes next, and a look takes its line away: descriptor readers that spin look
/// there seldom.
bool ConsumerCore::has_input(LookAt where) noexcept {
  bus::Subscription* const progress = progress_in();
  if (progress != nullptr && progress->has_fragment()) {
    return true;
  }
  if (direct_) {
    return receiver_.ring_goes_on();
  }
  if (receiver_.filling_gap()) {
    return true;
  }
  bus::Subscription* const in = descriptors();
  if (in != nullptr && in->has_fragment()) {
    return true;
  }
  return recover_gaps_ && where == LookAt::kRing && !receiver_.expects_jumps() &&
         receiver_.frame_in_ring();  // a thinned stream leaves frames in the ring
}

const std::shared_ptr<os::WakeFile>& ConsumerCore::wake_file(Nanos now) noexcept {
  static const std::shared_ptr<os::WakeFile> kNone;
  return attached_ ? parking_.find(receiver_.options().stream_id, receiver_.epoch(), now) : kNone;
}

bool ConsumerCore::wait(Nanos timeout) noexcept {
  if (!begin_poll()) {
    return false;
  }
  if (has_input(LookAt::kRing)) {
    return true;
  }
  core::wake::WaitPlan plan(wait_);
  const bool may_park = wait_.kind == WaitKind::kPark || wait_.kind == WaitKind::kHybrid;
  const Nanos begun = client_->clock().mono();
  for (Nanos waited{}; waited < timeout; waited = client_->clock().mono() - begun) {
    const bool can_park = may_park && wake_file(begun + waited) != nullptr;
    waits_ = waits_of(wait_.kind, may_park && !can_park);
    if (shared_.readout.is_asked()) [[unlikely]] {
      tell_outside();
    }
    const core::wake::WaitPlan::Step step = plan.next(waited, can_park);
    if (rest(step, timeout - waited)) {
      return true;
    }
    static_cast<void>(begin_poll());  // perhaps there is another epoch
  }
  return has_input(LookAt::kRing);
}

/// One step of a wait, and a look after it.
bool ConsumerCore::rest(const core::wake::WaitPlan::Step& step, Nanos patience) noexcept {
  using Action = core::wake::WaitPlan::Action;
  constexpr std::uint32_t kLooksPerRingLook = 64;
  switch (step.action) {
    case Action::kSpin:
      base::relax();
      break;
    case Action::kYield:
      std::this_thread::yield();
      break;
    case Action::kPause:
      std::this_thread::sleep_for(std::min(step.at_most, patience));
      return has_input(LookAt::kRing);
    case Action::kPark:
      return park(std::min(step.at_most, patience));
  }
  return has_input(++spins_ % kLooksPerRingLook == 0 ? LookAt::kRing : LookAt::kDescriptors);
}

/// Precondition: parking_.found().
bool ConsumerCore::park(Nanos at_most) noexcept {
  layout::WakeWords& words = parking_.file().words();
  const core::wake::Arming arming = core::wake::arm<base::DefaultAtom>(
      words.armed, words.ticket, [this] { return has_input(LookAt::kRing); });
  if (!arming.may_sleep) {
    return true;
  }
  ++receiver_.counters().sleeps;
  os::futex_wait(words.ticket, arming.ticket, at_most);
  if (base::DefaultAtom::load_acquire<base::Edge::kTicketLoad>(words.ticket) != arming.ticket) {
    ++receiver_.counters().wakes;
  }
  return has_input(LookAt::kRing);
}

Result<int> ConsumerCore::event_descriptor() {
  if (client_->is_forked()) {
    return fail(Errc::kForked, "event_descriptor");
  }
  if (bell_ == nullptr) {
    Result<std::unique_ptr<EventBell>> bell = EventBell::create();
    if (!bell) {
      return fail(bell.error());
    }
    bell_ = std::move(*bell);
  }
  return bell_->descriptor();
}

/// A poll found nothing: the helper thread takes over, unless something has come meanwhile.
void ConsumerCore::ask_for_event() noexcept {
  if (bell_->is_watching()) {
    return;
  }
  bell_->quiet();
  EventBell::Watch watch;
  bool may_sleep = false;
  if (const auto& file = wake_file(client_->clock().mono()); file != nullptr) {
    const core::wake::Arming arming = core::wake::arm<base::DefaultAtom>(
        file->words().armed, file->words().ticket, [this] { return has_input(LookAt::kRing); });
    watch.words = file;
    watch.ticket = arming.ticket;
    may_sleep = arming.may_sleep;
  } else {
    may_sleep = !has_input(LookAt::kRing);
  }
  if (!may_sleep) {
    bell_->ring();
    return;
  }
  if (attached_) {
    watch.epoch.emplace(*attached_);
    watch.next_seq = direct_ || recover_gaps_ ? receiver_.next_seq() : std::nullopt;
  }
  bell_->watch(std::move(watch));
}

}  // namespace tensorpool::inline v0::detail
