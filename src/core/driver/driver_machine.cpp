// Messages, leases and the life cycle. What happens to epochs is in driver_epochs.cpp.
#include "core/driver/driver_machine.hpp"

#include <algorithm>
#include <utility>

#include "base/assert.hpp"
#include "core/driver/message_text.hpp"
#include "core/driver/same_secret.hpp"
#include "layout/limits.hpp"

namespace tensorpool::inline v0::core::driver {
namespace {

using layout::LeaseRevokeReason;
using layout::ResponseCode;
using layout::Role;

constexpr Refusal kTooManyWait{ResponseCode::kInternalError,
                               "too many attaches wait for their regions"};

[[nodiscard]] constexpr std::uint64_t nanoseconds(Nanos instant) noexcept {
  return static_cast<std::uint64_t>(instant.count());
}

[[nodiscard]] bool repeats(const layout::ShmAttachRequest& request,
                           const LeaseGrant& grant) noexcept {
  return request.client_id == grant.client_id && request.role == grant.role &&
         request.stream_id == grant.requested_stream_id &&
         request.correlation_id == grant.correlation_id;
}

[[nodiscard]] Passes::Pass pass_of(const layout::ShmAttachRequest& request) noexcept {
  return {.client_id = request.client_id, .stream_id = request.stream_id, .role = request.role};
}

[[nodiscard]] bool is_closed(const Stream& stream, Role role) noexcept {
  return role == Role::kProducer ? stream.closed_to_producers : stream.closed_to_consumers;
}

[[nodiscard]] bool same_errand(const layout::ShmAttachRequest& a,
                               const layout::ShmAttachRequest& b) noexcept {
  return a.client_id == b.client_id && a.role == b.role && a.stream_id == b.stream_id;
}

}  // namespace

DriverMachine::DriverMachine(Options options)
    : settings_(std::move(options.settings)),
      pages_(options.pages),
      leases_(options.first_lease_id, settings_.policies.lease_duration()),
      node_ids_(settings_.policies.node_id_reuse_cooldown),
      streams_(settings_) {
  if (settings_.policies.epoch_gc_enabled && settings_.policies.epoch_gc_on_startup) {
    CollectAtStart all{.static_streams = {}, .ranges = settings_.stream_ids};
    for (const auto& [id, stream] : streams_.all()) {
      all.static_streams.push_back(id);
    }
    push(std::move(all));
  }
}

void DriverMachine::begin_input() {
  TP_ASSERT(drained_ == actions_.size());
  actions_.clear();
  drained_ = 0;
  texts_.clear();
  retired_.clear();
}

std::optional<Action> DriverMachine::next_action() {
  if (drained_ == actions_.size()) {
    return std::nullopt;
  }
  return std::move(actions_[drained_++]);
}

std::string_view DriverMachine::keep(std::string text) {
  return texts_.emplace_back(std::move(text));
}

// -- Attach --------------------------------------------------------------------------------------

void DriverMachine::on_attach(const layout::ShmAttachRequest& request, Nanos now) {
  begin_input();
  if (state_ == DriverState::kStopped) {
    return;
  }
  if (const auto refusal = check_request(request, state_ == DriverState::kDraining)) {
    return refuse(request, now, *refusal);
  }
  const Lease* const lease = leases_.of_client(request.client_id);
  if (lease != nullptr && repeats(request, lease->grant)) {
    return replay(*lease, request, now);
  }
  if (const PendingAttach* const earlier = pending_.of_client(request.client_id);
      earlier != nullptr && same_errand(earlier->request, request)) {
    if (earlier->request.correlation_id == request.correlation_id) {
      return;  // D345: a replay of what waits
    }
    // The client has abandoned the earlier one (D89), or it would not ask again.
    give_up(earlier->ticket,
            {ResponseCode::kInternalError, "given up for a newer request of this client"}, now);
  }
  if (const auto refusal = check_attach(request, facts_of(request, now))) {
    return refuse(request, now, *refusal);
  }
  if (pending_.full()) {
    return refuse(request, now, kTooManyWait);
  }
  accept(request, now);
}

void DriverMachine::on_unsupported_version(std::int64_t correlation_id, Nanos now) {
  begin_input();
  if (state_ != DriverState::kStopped) {
    refuse({.correlation_id = correlation_id}, now, refusals::kUnsupportedVersion);
  }
}

AttachFacts DriverMachine::facts_of(const layout::ShmAttachRequest& request, Nanos now) {
  const Stream* const stream = request.stream_id == 0 ? nullptr : streams_.find(request.stream_id);
  const auto& profile = stream != nullptr ? stream->profile : streams_.default_profile();
  const auto node_id = NodeIds::preference(request.desired_node_id);
  const PolicySettings& policies = settings_.policies;
  return {.client_attached = leases_.of_client(request.client_id) != nullptr ||
                             pending_.of_client(request.client_id) != nullptr,
          .stream_exists = stream != nullptr,
          .dynamic_streams_allowed = policies.allow_dynamic_streams,
          .range_configured = streams_.range_configured(),
          .id_in_range = streams_.in_range(request.stream_id),
          .id_left = streams_.id_left(),
          .pass_missing = stream != nullptr && is_closed(*stream, request.role) &&
                          !passes_.holds(pass_of(request), now),
          .profile_exists = profile.has_value(),
          .profile_has_pools = profile.has_value() && !profile->pools.empty(),
          .hugepages_by_default = settings_.shm.require_hugepages,
          .pages = pages_,
          .producer_attached = stream != nullptr && (leases_.producer_of(stream->id) != nullptr ||
                                                     pending_.producer_of(stream->id) != nullptr),
          .node_id_available = node_id && node_ids_.available(*node_id, request.client_id, now),
          .lease_limit_reached = policies.max_leases != 0 &&
                                 leases_.size() + pending_.new_leases() >= policies.max_leases};
}

// D51. Without an epoch there is nothing to repeat; the job that makes one answers it, or time does
// (D184: a replay never starts one).
void DriverMachine::replay(const Lease& lease, const layout::ShmAttachRequest& request, Nanos now) {
  Stream& stream = *streams_.find(lease.grant.stream_id);
  const PendingAttach attach{
      .request = request, .stream_id = stream.id, .received_at = now, .replay_of = lease.id};
  if (stream.current != nullptr) {
    answer_ok(stream, lease, attach);
  } else if (pending_.of_client(request.client_id) != nullptr) {
    return;  // D345: it waits already
  } else if (pending_.full()) {
    refuse(request, now, kTooManyWait);
  } else {
    pending_.add(attach);
  }
}

void DriverMachine::accept(const layout::ShmAttachRequest& request, Nanos now) {
  const bool producer = request.role == Role::kProducer;
  Stream* stream = request.stream_id == 0 ? nullptr : streams_.find(request.stream_id);
  if (producer && stream != nullptr && stream->spare == nullptr &&
      stream->crash_loop.held_until() - now > PendingAttaches::kPatience &&
      stream->crash_loop.holds(now)) {
    ++counters_.provision_failures;
    const auto wait =
        std::chrono::ceil<std::chrono::seconds>(stream->crash_loop.held_until() - now);
    return refuse(request, now,
                  {ResponseCode::kInternalError,
                   keep("failed to provision SHM: held back for " + std::to_string(wait.count()) +
                        " s, because " + std::to_string(stream->crash_loop.deaths()) +
                        " producers in a row died soon after they attached")});
  }
  bool reclaimed = false;
  if (stream == nullptr && request.stream_id != 0) {
    stream = &streams_.create(request.stream_id);
  } else if (stream == nullptr) {
    const StreamTable::Allocation allocation = streams_.allocate();
    stream = &allocation.stream;
    reclaimed = allocation.reclaimed;
  }
  const auto node_id = NodeIds::preference(request.desired_node_id);
  if (node_id) {
    node_ids_.reserve(*node_id);
  }
  pending_.add({.request = request,
                .stream_id = stream->id,
                .received_at = now,
                .needs_new_epoch = producer || reclaimed,
                .node_id = node_id});
  update_use(*stream);
  advance(*stream, now);
}

// D68. Precondition: the stream has an epoch.
void DriverMachine::grant(Stream& stream, const PendingAttach& attach, Nanos now) {
  const layout::ShmAttachRequest& request = attach.request;
  if (attach.replay_of != 0) {
    if (const Lease* const lease = leases_.find(attach.replay_of); lease != nullptr) {
      return answer_ok(stream, *lease, attach);
    }
    return refuse(request, attach.received_at,
                  {ResponseCode::kInternalError, "the lease has ended meanwhile"});
  }
  const auto node_id = node_ids_.assign(attach.node_id, request.client_id, now);
  counters_.node_id_exhausted += node_id ? 0 : 1;
  const Lease& lease = leases_.issue({.stream_id = stream.id,
                                      .client_id = request.client_id,
                                      .role = request.role,
                                      .node_id = node_id,
                                      .epoch = stream.current->plan.epoch(),
                                      .requested_stream_id = request.stream_id,
                                      .correlation_id = request.correlation_id},
                                     now);
  counters_.active_leases = leases_.size();
  passes_.use(pass_of(request));
  answer_ok(stream, lease, attach);
}

// D70..D74.
void DriverMachine::answer_ok(const Stream& stream, const Lease& lease,
                              const PendingAttach& attach) {
  const region::MappingPlan& plan = stream.current->plan;
  const std::vector<layout::PayloadPool>& pools = stream.current->pools;
  push(AttachAnswer{.response = {.correlation_id = attach.request.correlation_id,
                                 .code = ResponseCode::kOk,
                                 .lease_id = lease.id,
                                 .lease_expiry_timestamp_ns = nanoseconds(lease.expiry),
                                 .stream_id = stream.id,
                                 .epoch = plan.epoch(),
                                 .layout_version = layout::kLayoutVersion,
                                 .header_nslots = plan.nslots(),
                                 .header_slot_bytes = layout::kHeaderSlotBytes,
                                 .node_id = lease.grant.node_id,
                                 .payload_pools = {pools.data(), pools.size()},
                                 .header_region_uri = plan.header_ring.uri},
                    .request = attach.request,
                    .received_at = attach.received_at});
}

// D75.
void DriverMachine::refuse(const layout::ShmAttachRequest& request, Nanos received_at,
                           const Refusal& refusal) {
  push(AttachAnswer{.response = {.correlation_id = request.correlation_id,
                                 .code = refusal.code,
                                 .error_message = refusal.text},
                    .request = request,
                    .received_at = received_at});
}

void DriverMachine::give_up(std::uint64_t ticket, const Refusal& refusal, Nanos now) {
  const PendingAttach attach = pending_.take(ticket);
  if (attach.node_id) {
    node_ids_.unreserve(*attach.node_id);
  }
  refuse(attach.request, attach.received_at, refusal);
  Stream& stream = *streams_.find(attach.stream_id);
  update_use(stream);
  forget_if_unused(stream, now);
}

// D345: no lease is made when the request is older than 5 s.
void DriverMachine::give_up_late(Nanos now) {
  while (const PendingAttach* const late = pending_.first_late(now)) {
    give_up(late->ticket,
            {ResponseCode::kInternalError, "the regions were not ready within 5 s: try again"},
            now);
  }
}

// -- Leases --------------------------------------------------------------------------------------

const Lease* DriverMachine::matching(std::uint64_t lease_id, std::uint32_t stream_id,
                                     std::uint32_t client_id, Role role) const noexcept {
  const Lease* const lease = leases_.find(lease_id);
  return lease != nullptr && lease->grant.stream_id == stream_id &&
                 lease->grant.client_id == client_id && lease->grant.role == role
             ? lease
             : nullptr;
}

std::optional<Nanos> DriverMachine::on_keepalive(const layout::ShmLeaseKeepalive& keepalive,
                                                 Nanos now) {
  begin_input();
  if (state_ == DriverState::kStopped) {
    return std::nullopt;
  }
  const std::uint32_t stream_id = keepalive.stream_id;
  const Role role = keepalive.role;
  if (const Lease* const lease =
          matching(keepalive.lease_id, stream_id, keepalive.client_id, role)) {
    ++counters_.keepalives;
    return leases_.keep_alive(*lease, now);
  }
  ++counters_.keepalive_rejects;
  const bool ours = streams_.find(stream_id) != nullptr || streams_.in_range(stream_id);
  const bool harmless = role == Role::kConsumer ||
                        (role == Role::kProducer && leases_.producer_of(stream_id) == nullptr);
  if (ours && harmless && !leases_.issued(keepalive.lease_id) &&
      unknown_leases_.admit(keepalive.lease_id, now)) {  // D157
    push(LeaseNotice{.notice = {.timestamp_ns = nanoseconds(now),
                                .lease_id = keepalive.lease_id,
                                .stream_id = stream_id,
                                .client_id = keepalive.client_id,
                                .role = role,
                                .reason = LeaseRevokeReason::kRevoked,
                                .error_message = refusals::kUnknownLease.text},
                     .expiry = std::nullopt});
  }
  return std::nullopt;
}

std::optional<Nanos> DriverMachine::on_announced(std::uint32_t stream_id, Nanos now) noexcept {
  Stream* const stream = streams_.find(stream_id);
  if (stream == nullptr) {
    return std::nullopt;
  }
  const std::optional<Nanos> before = std::exchange(stream->announced_at, now);
  return before ? std::optional(now - *before) : std::nullopt;
}

void DriverMachine::on_detach(const layout::ShmDetachRequest& request, Nanos now) {
  begin_input();
  if (state_ == DriverState::kStopped) {
    return;
  }
  const BumpJob::Detach detach{.request = request, .received_at = now};
  if (!known_role(request.role)) {
    return answer_detach(detach, &refusals::kInvalidRole);
  }
  const Lease* const lease =
      matching(request.lease_id, request.stream_id, request.client_id, request.role);
  if (lease == nullptr) {
    return answer_detach(detach, &refusals::kUnknownLease);
  }
  end_lease(*lease,
            {.reason = LeaseRevokeReason::kDetached, .text = "lease detached", .detach = detach},
            now);
  finish_if_due(now);
}

void DriverMachine::answer_detach(const BumpJob::Detach& detach, const Refusal* refusal) {
  push(DetachAnswer{
      .response = {.correlation_id = detach.request.correlation_id,
                   .code = refusal != nullptr ? refusal->code : ResponseCode::kOk,
                   .error_message = refusal != nullptr ? refusal->text : layout::Text{}},
      .request = detach.request,
      .received_at = detach.received_at});
}

// D147, D148, D151, D154.
void DriverMachine::end_lease(const Lease& lease, const LeaseEnd& end, Nanos now) {
  const Lease ended = leases_.remove(lease);
  const LeaseGrant& grant = ended.grant;
  counters_.active_leases = leases_.size();
  if (grant.node_id) {
    node_ids_.release(*grant.node_id, now);
  }
  push(LeaseNotice{.notice = {.timestamp_ns = nanoseconds(now),
                              .lease_id = ended.id,
                              .stream_id = grant.stream_id,
                              .client_id = grant.client_id,
                              .role = grant.role,
                              .reason = end.reason,
                              .error_message = end.text},
                   .expiry = ended.expiry});
  Stream& stream = *streams_.find(grant.stream_id);
  update_use(stream);
  if (grant.role == Role::kProducer) {
    const bool died =
        end.reason != LeaseRevokeReason::kDetached && end.cause == BumpCause::kLeaseEnd;
    stream.crash_loop.on_lease_ended(ended.heard_at - ended.attached_at, died, now);
    renew(stream, end.cause, end.detach, now);
  } else if (end.detach) {
    answer_detach(*end.detach);
  }
}

Status DriverMachine::revoke(std::uint64_t lease_id, std::string_view text, Nanos now) {
  begin_input();
  const Lease* const lease = state_ == DriverState::kStopped ? nullptr : leases_.find(lease_id);
  if (lease == nullptr) {
    return fail(Errc::kNotFound, "lease", lease_id);
  }
  end_lease(*lease, {.reason = LeaseRevokeReason::kRevoked, .text = keep(message_text(text))}, now);
  finish_if_due(now);
  return {};
}

Status DriverMachine::let_attach(const Passes::Pass& pass, Nanos now) {
  begin_input();
  return passes_.issue(pass, now) ? Status() : Status(fail(Errc::kLimitReached, "passes"));
}

void DriverMachine::on_inputs_drained(Nanos now) {
  begin_input();
  if (state_ == DriverState::kStopped) {
    return;
  }
  while (const Lease* const lease = leases_.first_expired(now)) {
    end_lease(*lease, {.reason = LeaseRevokeReason::kExpired, .text = "lease expired"}, now);
  }
  finish_if_due(now);
}

// -- Life cycle ----------------------------------------------------------------------------------

void DriverMachine::on_shutdown_request(const layout::ShmDriverShutdownRequest& request,
                                        Nanos now) {
  begin_input();
  if (state_ == DriverState::kStopped) {
    return;
  }
  const std::string& token = settings_.policies.shutdown_token;
  const bool authentic = same_secret(token, request.token) && !token.empty();
  const bool known_reason = request.reason <= layout::ShutdownReason::kError;
  if (!authentic || !known_reason || state_ == DriverState::kDraining) {
    ++counters_.shutdown_request_rejects;
    return;
  }
  begin_draining(request.reason, message_text(request.error_message), now);
}

void DriverMachine::stop(Nanos now) {
  begin_input();
  if (state_ == DriverState::kRunning) {
    begin_draining(layout::ShutdownReason::kNormal, {}, now);
  } else if (state_ == DriverState::kDraining) {
    finish(now);
  }
}

void DriverMachine::on_fatal_error(std::string_view text, Nanos now) {
  begin_input();
  if (state_ != DriverState::kStopped) {
    shutdown_reason_ = layout::ShutdownReason::kError;
    shutdown_text_ = message_text(text);
    finish(now, Cleanup::kNo);
  }
}

void DriverMachine::begin_draining(layout::ShutdownReason reason, std::string text, Nanos now) {
  state_ = DriverState::kDraining;
  shutdown_reason_ = reason;
  shutdown_text_ = std::move(text);
  shutdown_at_ = now + settings_.policies.shutdown_timeout;
  for (const std::uint64_t ticket : pending_.tickets()) {
    give_up(ticket, refusals::kDraining, now);
  }
  holds_.clear();
  for (auto& [id, stream] : streams_.all()) {
    if (stream.job && stream.job->cause != BumpCause::kLeaseEnd &&
        stream.job->cause != BumpCause::kRepair) {
      stream.job->cancelled = true;
      push(CancelProvisioning{.stream_id = id});
    }
    if (stream.current != nullptr) {
      announce(stream, now);
    }
  }
  finish_if_due(now);
}

// D263, D264.
void DriverMachine::finish_if_due(Nanos now) {
  if (state_ == DriverState::kDraining && (now >= shutdown_at_ || leases_.size() == 0)) {
    finish(now);
  }
}

// D266..D269. Waiting attaches get no lease any more; when the driver was Draining there are none.
void DriverMachine::finish(Nanos now, Cleanup cleanup) {
  for (const std::uint64_t ticket : pending_.tickets()) {
    give_up(ticket, refusals::kDraining, now);
  }
  for (auto& [id, stream] : streams_.all()) {
    if (!stream.job) {
      continue;
    }
    if (stream.job->detach) {
      answer_detach(*stream.job->detach);
      stream.job->detach.reset();
    }
    if (!stream.job->cancelled) {
      stream.job->cancelled = true;
      push(CancelProvisioning{.stream_id = id});
    }
  }
  state_ = DriverState::kStopped;
  push(ShutdownNotice{.message = {.timestamp_ns = nanoseconds(now),
                                  .reason = shutdown_reason_,
                                  .error_message = shutdown_text_}});
  cleanup_due_ = cleanup == Cleanup::kAsConfigured && settings_.policies.cleanup_shm_on_exit;
  clean_up_if_due();
}

/// A job that could not be stopped any more may have made another epoch.
void DriverMachine::clean_up_if_due() {
  if (cleanup_due_ && jobs_ == 0) {
    cleanup_due_ = false;
    push(RemoveOwnEpochs{});
  }
}

void DriverMachine::poll(Nanos now) {
  begin_input();
  if (state_ == DriverState::kStopped) {
    return;
  }
  give_up_late(now);
  while (!holds_.empty() && now >= holds_.begin()->first) {
    const std::uint32_t id = holds_.begin()->second;
    holds_.erase(holds_.begin());
    advance(*streams_.find(id), now);
  }
  for (std::size_t i = 0; i < kStreamsPerPoll && !ticks_.empty() && now >= ticks_.begin()->first;
       ++i) {
    const auto [due, id] = *ticks_.begin();
    ticks_.erase(ticks_.begin());
    tick(*streams_.find(id), now);
    const Nanos next = due + settings_.policies.announce_period;
    ticks_.insert({next > now ? next : now + settings_.policies.announce_period, id});
  }
  finish_if_due(now);
}

Nanos DriverMachine::next_deadline() const noexcept {
  if (state_ == DriverState::kStopped) {
    return Nanos::max();
  }
  Nanos next = shutdown_at_;
  for (const std::optional<Nanos>& deadline : {leases_.next_expiry(), pending_.next_deadline()}) {
    next = std::min(next, deadline.value_or(next));
  }
  for (const std::set<Timer>* const timers : {&ticks_, &holds_}) {
    next = timers->empty() ? next : std::min(next, timers->begin()->first);
  }
  return next;
}

// -- What others may see -------------------------------------------------------------------------

Snapshot DriverMachine::snapshot() const {
  Snapshot all{.instance_id = settings_.instance_id,
               .state = state_,
               .shutdown_reason = shutdown_reason_,
               .shutdown_text = shutdown_text_,
               .leases = {leases_.all().begin(), leases_.all().end()},
               .streams = {}};
  for (const auto& [id, stream] : streams_.all()) {
    StreamSnapshot& shown = all.streams.emplace_back();
    shown = {.stream_id = id,
             .dynamic = stream.dynamic,
             .name = stream.name,
             .profile = stream.profile ? stream.profile->name : std::string(),
             .waiting = pending_.of_stream(id).size(),
             .provisioning = stream.job.has_value(),
             .held_until = stream.crash_loop.held_until()};
    if (stream.profile) {
      shown.header_nslots = stream.profile->header_nslots;
      shown.pools = stream.profile->pools;
    }
    if (stream.current != nullptr) {
      shown.epoch = stream.current->plan.epoch();
      shown.header_ring_uri = stream.current->plan.header_ring.uri;
      for (const region::PlannedRegion& pool : stream.current->plan.pools) {
        shown.pool_uris.push_back(pool.uri);
      }
    }
  }
  for (const Lease& lease : all.leases) {
    const auto shown = std::lower_bound(
        all.streams.begin(), all.streams.end(), lease.grant.stream_id,
        [](const StreamSnapshot& stream, std::uint32_t id) { return stream.stream_id < id; });
    if (lease.grant.role == Role::kProducer) {
      shown->producer_lease = lease.id;
    } else {
      shown->consumer_leases.push_back(lease.id);
    }
  }
  return all;
}

}  // namespace tensorpool::inline v0::core::driver
