#include "agents/mapping_agent.hpp"

#include "agents/lease_report.hpp"
#include "core/naming/stream_names.hpp"
#include "os/entropy.hpp"
#include "os/syscalls.hpp"

namespace tensorpool::inline v0::agents {

using core::consumer::MappingAction;
using core::consumer::MappingMachine;
using Observation = MappingMachine::Observation;

namespace {

[[nodiscard]] Observation observe(const os::MappedStream& regions) noexcept {
  const layout::Superblock block = regions.header_ring.superblock();
  return {.pid = block.pid, .activity_timestamp_ns = block.activity_timestamp_ns};
}

}  // namespace

MappingAgent::MappingAgent(bus::Client& client, AttachGroup& leases,
                           const StreamDirectory& directory, const os::RegionPolicy& policy,
                           ConsumerShared& shared, Options options, Nanos now)
    : client_(client),
      leases_(leases),
      directory_(directory),
      policy_(policy),
      shared_(shared),
      options_(std::move(options)),
      metadata_(options_.metadata),
      ask_at_(now) {
  if (options_.counters != nullptr) {
    report_.emplace(client_, *options_.counters, shared_,
                    ConsumerReport::Options{.name = options_.name, .direct = options_.direct});
  }
  if (options_.stream_id != 0) {
    begin(options_.stream_id, now);
  }
}

MappingAgent::~MappingAgent() {
  if (present_) {
    unmap(UnmapReason::kClosed);
  }
  epochs_.close();  // the data thread polls no more: its share goes with this
  report_ended();
}

void MappingAgent::begin(std::uint32_t stream_id, Nanos now) {
  metadata_.begin(stream_id);
  machine_.emplace(
      MappingMachine::Options{
          .stream_id = stream_id,
          .timing = options_.timing,
          .use_shm = options_.use_shm,
          .standalone = !options_.lease,
          .remap_same_epoch_on_pid_change = options_.remap_same_epoch_on_pid_change,
          .limits = {.region_bytes_max = policy_.options().max_region_bytes,
                     .pools_max = options_.max_pools}},
      now);
  registration_.emplace(
      client_, shared_.delivery,
      RegistrationAgent::Options{
          .stream_id = stream_id,
          .timing = options_.timing,
          .wish = options_.wish,
          .own = options_.own,
          .direct = options_.direct,
          .descriptor_channel = options_.descriptor_channel,
          .descriptor_stream_id = options_.descriptor_stream_id != 0
                                      ? options_.descriptor_stream_id
                                      : core::naming::descriptor_stream_id(stream_id),
          .control_channel = options_.control_channel,
          .control_stream_id = options_.control_stream_id},
      now);
  show_state();
  shared_.stream_id.store(stream_id, std::memory_order_release);  // sync(stream-found): publish
  if (options_.lease) {
    begin_lease(stream_id, now);
  }
}

int MappingAgent::do_work(ControlBus& control, const base::Now& now) {
  watch_bus();
  count_messages(control.counters());
  if (!machine_) {
    const auto found = find_stream(now.mono);
    if (!found) {
      return 0;
    }
    begin(*found, now.mono);
    emit({.kind = ConsumerEvent::Kind::kStreamFound, .stream_id = *found, .text = options_.name});
  }
  metadata_.do_work(directory_, now.mono);
  int work = registration_->do_work(control, consumer_id(), machine_->epoch(), now.mono);
  if (const auto refused = registration_->take_refusal()) {
    emit({.kind = ConsumerEvent::Kind::kError, .error = *refused});  // W326
  }
  epochs_.collect();
  if (std::exchange(give_up_, false)) {
    lease_->give_up(now.mono);
  }
  renew_lost_image(now.mono);
  if (present_) {
    // sync(unmap-wanted): observe.
    const std::uint8_t wanted = (*present_)->unmap_wanted.load(std::memory_order_acquire);
    if (wanted != 0) {
      machine_->on_unmap_wanted(static_cast<UnmapReason>(wanted));
    }
  }
  machine_->poll(now.mono);
  carry_out_actions(now.mono);
  report_ended();
  show_outside(now.mono);
  return work;
}

void MappingAgent::on_announce(const layout::ShmPoolAnnounce& announce, Nanos joined_at,
                               const base::Now& now) {
  if (machine_) {
    machine_->on_announce(announce, joined_at, now);
    carry_out_actions(now.mono);
  }
}

/// A driver knows the number of a name before anybody has announced it.
std::optional<std::uint32_t> MappingAgent::find_stream(Nanos now) {
  if (const auto heard = directory_.find(options_.name)) {
    return heard;
  }
  if (!options_.ask_number || now < ask_at_) {
    return std::nullopt;
  }
  const std::optional<Result<std::uint32_t>> number = options_.ask_number(now);
  if (!number) {
    return std::nullopt;
  }
  ask_at_ = now + kAskPeriod;
  return *number ? std::optional(**number) : std::nullopt;
}

// -- Under a driver ------------------------------------------------------------------------------

void MappingAgent::begin_lease(std::uint32_t stream_id, Nanos now) {
  core::attach::AttachMachine::Options wanted = *options_.lease;
  wanted.stream_id = stream_id;
  wanted.client_id = options_.consumer_id;
  lease_ = std::make_unique<AttachAgent>(
      leases_, wanted,
      AttachAgent::User{.map = [this](const core::region::MappingPlan& plan,
                                      Nanos at) { return on_granted(plan, at); },
                        .unmap =
                            [this](UnmapReason reason, Nanos at) {
                              machine_->on_lease_lost(reason);
                              carry_out_actions(at);
                            },
                        .report = [this](const core::attach::AttachReport& report,
                                         std::string_view text) { on_lease(report, text); },
                        .tally = &shared_.attach});
  lease_->want_attach(now);
}

/// All or nothing (D124, D127): what is refused ends the attempt.
Status MappingAgent::on_granted(const core::region::MappingPlan& plan, Nanos now) {
  refusal_.reset();
  machine_->on_attached(plan, now);
  carry_out_actions(now);
  return refusal_ ? Status(fail(*refusal_)) : Status();
}

void MappingAgent::on_lease(const core::attach::AttachReport& report, std::string_view text) {
  emit(event_of<ConsumerEvent>(report, text, lease_->machine()));
}

std::unique_ptr<AttachAgent> MappingAgent::close(Nanos now) {
  if (lease_ != nullptr) {
    lease_->close(now);  // unmaps first (D165)
    lease_->forget_user();
  }
  return std::move(lease_);
}

std::uint32_t MappingAgent::consumer_id() const noexcept {
  return lease_ != nullptr ? lease_->machine().client_id() : options_.consumer_id;  // D84
}

void MappingAgent::on_lease_revoked(const layout::ShmLeaseRevoked& notice, const base::Now& now) {
  if (machine_ && options_.lease) {
    machine_->on_revoked(notice);
    carry_out_actions(now.mono);
  }
}

// -- Messages ------------------------------------------------------------------------------------

void MappingAgent::on_config(const layout::ConsumerConfig& config, const base::Now& now) {
  if (!machine_ || config.stream_id != shared_.stream_id.load(std::memory_order_relaxed) ||
      config.consumer_id != consumer_id()) {
    return;  // W323
  }
  if (const Status taken = registration_->on_config(config); !taken) {
    emit({.kind = ConsumerEvent::Kind::kError, .error = taken.error()});  // W324
    return;
  }
  machine_->on_config(config.use_shm, config.payload_fallback_uri);  // W331
  carry_out_actions(now.mono);
}

/// W285; one that has picked its number itself takes another (W286).
void MappingAgent::on_foreign_consumer(std::uint32_t stream_id, std::uint32_t other,
                                       const base::Now&) {
  if (stream_id == 0 || stream_id != shared_.stream_id.load(std::memory_order_relaxed) ||
      other == 0 || other != consumer_id()) {
    return;
  }
  if (!std::exchange(collision_told_, !options_.self_picked_id)) {
    emit({.kind = ConsumerEvent::Kind::kError,
          .error =
              make_error(Errc::kConsumerIdCollision, "consumer id", other).in_stream(stream_id)});
  }
  if (options_.self_picked_id) {
    base::Random random(os::entropy());
    options_.consumer_id = core::registration::random_consumer_id(random);
  }
}

void MappingAgent::watch_bus() {
  const bool lost = client_.state() == bus::ClientState::kLost;
  if (lost == bus_lost_) {
    return;
  }
  bus_lost_ = lost;
  had_image_ = false;
  if (lost) {
    emit({.kind = ConsumerEvent::Kind::kBusLost, .error = client_.last_error()});
  } else {
    emit({.kind = ConsumerEvent::Kind::kBusBack});
  }
}

void MappingAgent::count_messages(const ControlBus::Counters& all) {
  const ControlBus::Counters& before =
      counted_before_ ? *counted_before_ : counted_before_.emplace(all);
  shared_.malformed_control.store(
      all.malformed_messages - before.malformed_messages + metadata_.malformed(),
      std::memory_order_relaxed);
  shared_.unsupported_control.store(all.unsupported_version - before.unsupported_version,
                                    std::memory_order_relaxed);
}

void MappingAgent::renew_lost_image(Nanos now) {
  bus::SubscriptionLink* const in = descriptors();
  if (in == nullptr || !present_ || in->newest() == nullptr || in->is_moving()) {
    return;
  }
  const bool has_image = in->newest()->image_count() != 0;
  const bool fresh = core::is_fresh((*present_)->regions.header_ring.activity_ns(), now,
                                    options_.timing.freshness_window);
  if (had_image_ && !has_image && fresh) {
    in->renew();  // a stopped reader comes back at once (design §9)
  }
  had_image_ = has_image;
}

void MappingAgent::show_outside(Nanos now) {
  if (report_) {
    report_->do_work({.consumer_id = consumer_id(), .epoch = present_ ? present_->get() : nullptr},
                     now);
  }
}

void MappingAgent::carry_out_actions(Nanos now) {
  while (const std::optional<MappingAction> action = machine_->next_action()) {
    switch (action->kind) {
      case MappingAction::Kind::kMap:
        machine_->on_mapped(map(), now);
        break;
      case MappingAction::Kind::kRecheck:
        machine_->on_rechecked(recheck(), now);
        break;
      case MappingAction::Kind::kObserve:
        machine_->on_observed(observe((*present_)->regions), now);
        break;
      case MappingAction::Kind::kUnmap:
        unmap(action->reason);
        break;
      case MappingAction::Kind::kReport:
        emit({.kind = ConsumerEvent::Kind::kError,
              .stream_id = action->error.stream_id,
              .error = action->error});
        break;
      case MappingAction::Kind::kFallback:
        emit({.kind = ConsumerEvent::Kind::kFallback,
              .text = machine_->fallback_uri(),
              .fallback = machine_->fallback()});
        break;
      case MappingAction::Kind::kDetach:
        give_up_ = true;
        break;
    }
  }
  if (machine_->state() == MappingState::kMapped && candidate_) {
    present_.emplace(new detail::MappedEpoch(std::move(*candidate_), metadata_.history()));
    candidate_.reset();
    epochs_.offer(std::make_unique<detail::EpochRef>(*present_));
    emit({.kind = ConsumerEvent::Kind::kMapped, .epoch = machine_->epoch()});
  }
  show_state();
}

void MappingAgent::show_state() {
  const MappingState before = shared_.state.load(std::memory_order_relaxed);
  const MappingState state = machine_->state();
  if (state == MappingState::kFallback || before == MappingState::kFallback) {
    shared_.fallback.store(machine_->fallback());
  }
  shared_.state.store(state, std::memory_order_relaxed);
}

Result<Observation> MappingAgent::map() {
  Result<os::MappedStream> regions =
      os::open_stream(os::system_calls(), policy_, machine_->plan(), os::Access::kReadOnly);
  if (!regions) {
    refusal_ = regions.error();
    return fail(regions.error());
  }
  const Observation seen = observe(*regions);
  candidate_.emplace(std::move(*regions));
  return seen;
}

Result<Observation> MappingAgent::recheck() const {
  const os::MappedStream& regions = (*present_)->regions;
  if (const Status status = regions.recheck(os::system_calls(), machine_->plan()); !status) {
    return fail(status.error());
  }
  return observe(regions);
}

void MappingAgent::unmap(UnmapReason reason) {
  candidate_.reset();
  if (!present_) {
    return;
  }
  (*present_)->current.store(false, std::memory_order_release);  // sync(mapping-current): publish
  epochs_.offer(nullptr);
  ended_.push_back({.epoch = *present_, .reason = reason});
  present_.reset();
}

/// A discontinuity is told once the data thread has let go, because only it knows the last
/// sequence.
void MappingAgent::report_ended() {
  std::erase_if(ended_, [this](const Ended& ended) {
    // sync(let-go): observe. Nobody else holding it: the data thread never took it.
    if (!ended.epoch->let_go.load(std::memory_order_acquire) && !ended.epoch->is_sole_holder()) {
      return false;
    }
    emit({.kind = ConsumerEvent::Kind::kDiscontinuity,
          .epoch = ended.epoch->epoch(),
          .last_seq = ended.epoch->last_seq,
          .any_frame = ended.epoch->any_frame,
          .reason = ended.reason});
    return true;
  });
}

void MappingAgent::emit(ConsumerEvent event) const {
  if (event.stream_id == 0) {
    event.stream_id = shared_.stream_id.load(std::memory_order_relaxed);
  }
  if (options_.on_event) {
    options_.on_event(event);
  }
}

}  // namespace tensorpool::inline v0::agents
