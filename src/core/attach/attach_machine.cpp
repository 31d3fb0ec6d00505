#include "core/attach/attach_machine.hpp"

#include <algorithm>
#include <utility>

#include "base/assert.hpp"

namespace tensorpool::inline v0::core::attach {
namespace {

using layout::ResponseCode;
using Kind = AttachReport::Kind;

constexpr std::size_t kTextBytesMax = 1024;         // D18
constexpr std::uint32_t kClientIdMax = 2147483647;  // D81
/// The only text that a client may act on (D344).
constexpr std::string_view kClientIdTaken = "client_id already attached";

[[nodiscard]] bool is_sent(SendResult result) noexcept {
  return result == SendResult::kOk;
}
[[nodiscard]] bool is_hopeless(SendResult result) noexcept {
  return result != SendResult::kOk && result != SendResult::kBackPressured;
}

/// Of the codes 1 to 4 (D108, D109).
[[nodiscard]] bool is_refusal(ResponseCode code) noexcept {
  return code >= ResponseCode::kUnsupported && code <= ResponseCode::kInternalError;
}
/// D167.
[[nodiscard]] bool is_known(const layout::ShmLeaseRevoked& notice) noexcept {
  using layout::LeaseRevokeReason;
  return (notice.role == layout::Role::kProducer || notice.role == layout::Role::kConsumer) &&
         notice.reason >= LeaseRevokeReason::kDetached &&
         notice.reason <= LeaseRevokeReason::kRevoked;
}

}  // namespace

Status AttachMachine::check(const Options& options) noexcept {
  for (const auto& [name, span] : {std::pair{"attach_timeout_ms", options.attach_timeout},
                                   std::pair{"attach_retry_interval_ms", options.retry_interval},
                                   std::pair{"keepalive_interval_ms", options.keepalive_interval},
                                   std::pair{"detach_timeout_ms", options.detach_timeout}}) {
    if (span <= Nanos{0}) {
      return fail(Errc::kInvalidArgument, name, 0, 1);
    }
  }
  if (options.silence_timeout < Nanos{0}) {
    return fail(Errc::kInvalidArgument, "driver_silence_timeout_ms");
  }
  if (options.stream_id > layout::kStreamIdMax) {
    return fail(
        make_error(Errc::kInvalidArgument, "reserved", options.stream_id, layout::kStreamIdMax)
            .of_field(Field::kStreamId));
  }
  return {};
}

AttachMachine::AttachMachine(const Options& options, CorrelationIds& ids, base::Random random)
    : options_(options),
      ids_(ids),
      random_(random),
      client_id_(options.client_id),
      stream_id_(options.stream_id) {}

// -- What the application wants ------------------------------------------------------------------

void AttachMachine::want_attach(Nanos now) {
  begin_input();
  wanted_ = true;
  if (state_ == AttachState::kUnattached) {
    begin_attempt(now);
  }
}

void AttachMachine::close(Nanos now) {
  begin_input();
  wanted_ = false;
  switch (state_) {
    case AttachState::kAttaching:
      if (request_sent_) {
        abandoned_.remember(request_);
      }
      state_ = AttachState::kUnattached;
      break;
    case AttachState::kBackoff:
      state_ = AttachState::kUnattached;
      break;
    case AttachState::kAttached:
      push(UnmapRegions{.reason = UnmapReason::kClosed});  // D165: before the request
      detach_ = {.correlation_id = ids_.next(),
                 .lease_id = grant_.lease_id,
                 .stream_id = stream_id_,
                 .client_id = client_id_,
                 .role = options_.role};
      detach_due_ = true;
      detach_ends_ = now + options_.detach_timeout;
      state_ = AttachState::kDetaching;
      push(detach_);
      break;
    case AttachState::kUnattached:
    case AttachState::kDetaching:
      break;
  }
}

void AttachMachine::give_up(Nanos now) {
  begin_input();
  if (state_ != AttachState::kAttached) {
    return;
  }
  push(UnmapRegions{.reason = UnmapReason::kLeaseLost});
  release(grant_.lease_id, stream_id_, client_id_);
  end_lease();
  wanted_ = options_.reattach;
  back_off(now);
  report({.kind = Kind::kDetached});
}

// -- Attaching -----------------------------------------------------------------------------------

void AttachMachine::begin_attempt(Nanos now) {
  if (client_id_ == 0) {
    draw_client_id();
  }
  const std::uint32_t node_id = options_.node_id != 0 ? options_.node_id : last_node_id_;
  request_ = {.correlation_id = ids_.next(),
              .stream_id = stream_id_,
              .client_id = client_id_,
              .role = options_.role,
              .expected_layout_version = options_.expected_layout_version,
              .publish_mode = options_.publish_mode,
              .require_hugepages = options_.hugepages,
              .desired_node_id = node_id != 0 ? std::optional(node_id) : std::nullopt};  // D95
  request_sent_ = false;
  attempt_ends_ = now + options_.attach_timeout;
  state_ = AttachState::kAttaching;
  ++counters_.attach_attempts;
  poll_attempt(now);
}

void AttachMachine::draw_client_id() noexcept {
  const std::uint32_t refused = client_id_;
  while (client_id_ == refused || client_id_ == 0) {
    client_id_ = static_cast<std::uint32_t>(random_.between(1, kClientIdMax));
  }
}

void AttachMachine::poll_attempt(Nanos now) {
  if (now >= attempt_ends_) {
    ++counters_.attach_timeouts;
    end_attempt({.kind = Kind::kTimedOut, .error = make_error(Errc::kTimeout, "attach")}, {}, now);
  } else if (connected_ && now >= request_at_) {
    push(request_);  // D88: identical every time
  }
}

void AttachMachine::on_response(const layout::ShmAttachResponse& response, Nanos now) {
  begin_input();
  if (awaits(response.correlation_id)) {
    if (response.code == ResponseCode::kOk) {
      granted(response, now);
    } else if (is_refusal(response.code)) {
      refused(response.code, response.error_message, now);
    } else {
      protocol_error(make_error(Errc::kMalformedMessage, "code"), now);  // D108
    }
    return;
  }
  const auto late =
      response.code == ResponseCode::kOk ? abandoned_.take(response.correlation_id) : std::nullopt;
  if (late) {  // D92
    release(response.lease_id.value_or(0), response.stream_id.value_or(0), late->client_id);
  } else {
    ++counters_.stale_responses;
  }
}

void AttachMachine::on_malformed_response(std::int64_t correlation_id,
                                          std::optional<std::int32_t> code, const Error& error,
                                          Nanos now) {
  begin_input();
  if (!awaits(correlation_id)) {
    ++counters_.driver_event_rejects;
  } else if (code && is_refusal(static_cast<ResponseCode>(*code))) {
    refused(static_cast<ResponseCode>(*code), {}, now);  // D109
  } else {
    protocol_error(error, now);
  }
}

void AttachMachine::granted(const layout::ShmAttachResponse& response, Nanos now) {
  Result<AttachGrant> grant = check_attach_response(response, request_, options_.limits);
  if (!grant) {
    release(response.lease_id.value_or(0), response.stream_id.value_or(0), client_id_);  // D126
    protocol_error(grant.error(), now);
    return;
  }
  grant_ = *std::move(grant);
  if (grant_.expiry_timestamp_ns && LeaseClock::instant(*grant_.expiry_timestamp_ns) <= now) {
    lose(LeaseLoss::kExpired, {}, now);  // D120
    return;
  }
  clock_ = LeaseClock(grant_.expiry_timestamp_ns, now, options_.keepalive_interval);
  push(MapRegions{});
}

void AttachMachine::on_mapped(const Status& mapped, Nanos now) {
  TP_ASSERT(awaiting_ == Awaiting::kMapped);
  awaiting_ = Awaiting::kNothing;
  if (!mapped) {
    release(grant_.lease_id, grant_.plan.stream_id(), client_id_);
    grant_ = {};
    clock_ = {};
    protocol_error(mapped.error(), now);
    return;
  }
  state_ = AttachState::kAttached;
  stream_id_ = grant_.plan.stream_id();  // D247, D312
  heard_at_ = now;
  backoff_.reset();
  report({.kind = Kind::kAttached});
  if (clock_.has_lapsed(now)) {
    lose(LeaseLoss::kExpired, {}, now);  // mapping took longer than the lease
  }
}

void AttachMachine::refused(ResponseCode code, std::string_view text, Nanos now) {
  if (code == ResponseCode::kUnsupported || code == ResponseCode::kInvalidParams) {
    wanted_ = false;
  } else if (code == ResponseCode::kRejected) {
    last_node_id_ = 0;  // D105
    if (options_.client_id == 0 && text == kClientIdTaken) {
      draw_client_id();  // D82, D83
    }
  }
  end_attempt({.kind = Kind::kRefused, .code = code}, text, now);
}

void AttachMachine::protocol_error(const Error& error, Nanos now) {
  ++counters_.attach_protocol_errors;
  end_attempt({.kind = Kind::kProtocolError, .error = error}, {}, now);
}

void AttachMachine::end_attempt(const Report& why, std::string_view text, Nanos now) {
  if (request_sent_) {
    abandoned_.remember(request_);  // a repetition of it may still be granted
  }
  back_off(now);
  report(why, text);
}

void AttachMachine::back_off(Nanos now) {
  state_ = wanted_ ? AttachState::kBackoff : AttachState::kUnattached;
  backoff_ends_ = now + backoff_.next(random_);
}

// -- Holding a lease -----------------------------------------------------------------------------

void AttachMachine::on_revoked(const layout::ShmLeaseRevoked& notice, Nanos now) {
  begin_input();
  if (!is_known(notice)) {
    ++counters_.driver_event_rejects;
    return;
  }
  if (!holds_lease() || notice.lease_id != grant_.lease_id || notice.client_id != client_id_) {
    return;  // D168, D172, D173
  }
  if (state_ == AttachState::kDetaching) {
    detached();  // D169
  } else {
    lose(LeaseLoss::kRevoked, notice.error_message, now);
  }
}

void AttachMachine::on_shutdown(const layout::ShmDriverShutdown& notice, Nanos now) {
  begin_input();
  switch (state_) {
    case AttachState::kAttaching:
      end_attempt({.kind = Kind::kInterrupted}, notice.error_message, now);
      break;
    case AttachState::kAttached:
      lose(LeaseLoss::kDriverShutdown, notice.error_message, now);
      break;
    case AttachState::kDetaching:
      detached();
      break;
    case AttachState::kUnattached:
    case AttachState::kBackoff:
      break;  // D271
  }
}

void AttachMachine::on_announce(const layout::ShmPoolAnnounce& announce, Nanos now) {
  begin_input();
  if (state_ != AttachState::kAttached || announce.stream_id != stream_id_) {
    return;
  }
  heard_at_ = now;
  const std::uint64_t epoch = grant_.plan.epoch();
  const bool taken_over = announce.epoch > epoch ||
                          (announce.epoch == epoch && announce.producer_id != client_id_);  // D192
  if (options_.role == layout::Role::kProducer && layout::valid_epoch(announce.epoch) &&
      taken_over) {
    lose(LeaseLoss::kNewerEpoch, {}, now);
  }
}

void AttachMachine::poll_lease(Nanos now) {
  if (clock_.has_lapsed(now)) {
    lose(LeaseLoss::kExpired, {}, now);
  } else if (options_.silence_timeout > Nanos{0} && now - heard_at_ >= options_.silence_timeout) {
    lose(LeaseLoss::kDriverSilent, {}, now);
  } else {
    keepalive_when_due(now);
  }
}

void AttachMachine::keepalive_when_due(Nanos now) {
  if (clock_.is_due(now)) {
    push(layout::ShmLeaseKeepalive{.lease_id = grant_.lease_id,
                                   .stream_id = stream_id_,
                                   .client_id = client_id_,
                                   .role = options_.role,
                                   .client_timestamp_ns = static_cast<std::uint64_t>(now.count())});
  }
}

void AttachMachine::on_connection_replaced(Nanos now) {
  begin_input();
  if (holds_lease()) {
    keepalive_sent(SendResult::kClosed, now);
  }
}

void AttachMachine::keepalive_sent(SendResult result, Nanos now) {
  if (is_sent(result)) {
    ++counters_.keepalives_sent;
    clock_.sent(now);
  } else if (is_hopeless(result) || clock_.is_overdue(now)) {  // D143, D144
    if (state_ == AttachState::kDetaching) {
      detached();
    } else {
      lose(LeaseLoss::kKeepalive, {}, now);
    }
  }
}

void AttachMachine::lose(LeaseLoss loss, std::string_view text, Nanos now) {
  if (state_ == AttachState::kAttached) {
    push(UnmapRegions{.reason = UnmapReason::kLeaseLost});
  }
  ++counters_.lease_lost;
  end_lease();
  wanted_ = options_.reattach;
  back_off(now);
  report({.kind = Kind::kLost, .loss = loss}, text);
}

void AttachMachine::end_lease() noexcept {
  last_node_id_ = grant_.node_id;
  grant_ = {};
  clock_ = {};
}

// -- Giving it back ------------------------------------------------------------------------------

void AttachMachine::on_detach_response(const layout::ShmDetachResponse& response) {
  begin_input();
  if (state_ == AttachState::kDetaching && response.correlation_id == detach_.correlation_id) {
    detached();  // D164
  } else if (!released_.take(response.correlation_id)) {
    ++counters_.stale_responses;
  }
}

void AttachMachine::poll_detach(Nanos now) {
  if (now >= detach_ends_ || clock_.has_lapsed(now)) {
    detached();
    return;
  }
  if (detach_due_) {
    push(detach_);
  } else {
    keepalive_when_due(now);
  }
}

void AttachMachine::detached() {
  end_lease();
  state_ = AttachState::kUnattached;  // poll() goes on from there when a lease is wanted again
  report({.kind = Kind::kDetached});
}

void AttachMachine::release(std::uint64_t lease_id, std::uint32_t stream_id,
                            std::uint32_t client_id) {
  if (lease_id == 0 || stream_id == 0) {
    return;
  }
  const layout::ShmDetachRequest request{.correlation_id = ids_.next(),
                                         .lease_id = lease_id,
                                         .stream_id = stream_id,
                                         .client_id = client_id,
                                         .role = options_.role};
  released_.remember(request);
  push(request);
}

// -- Timers, actions -----------------------------------------------------------------------------

void AttachMachine::poll(Nanos now) {
  begin_input();
  switch (state_) {
    case AttachState::kUnattached:
      if (wanted_) {
        begin_attempt(now);
      }
      break;
    case AttachState::kBackoff:
      if (now >= backoff_ends_) {
        begin_attempt(now);
      }
      break;
    case AttachState::kAttaching:
      poll_attempt(now);
      break;
    case AttachState::kAttached:
      poll_lease(now);
      break;
    case AttachState::kDetaching:
      poll_detach(now);
      break;
  }
}

void AttachMachine::on_sent(SendResult result, Nanos now) {
  switch (std::exchange(awaiting_, Awaiting::kNothing)) {
    case Awaiting::kRequest:
      if (is_sent(result)) {
        request_sent_ = true;
        request_at_ = now + options_.retry_interval;  // D88, D310
      }
      break;
    case Awaiting::kKeepalive:
      keepalive_sent(result, now);
      break;
    case Awaiting::kDetach:
      detach_due_ = !is_sent(result);
      if (is_hopeless(result)) {
        detached();  // nobody is there to be told (D166)
      }
      break;
    case Awaiting::kRelease:
      break;
    case Awaiting::kMapped:
    case Awaiting::kNothing:
      TP_ASSERT(false);
  }
}

std::optional<AttachAction> AttachMachine::next_action() {
  TP_ASSERT(awaiting_ == Awaiting::kNothing);
  if (drained_ == actions_.size()) {
    actions_.clear();
    drained_ = 0;
    return std::nullopt;
  }
  const AttachAction& action = actions_[drained_++];
  if (std::holds_alternative<layout::ShmAttachRequest>(action)) {
    awaiting_ = Awaiting::kRequest;
  } else if (std::holds_alternative<layout::ShmLeaseKeepalive>(action)) {
    awaiting_ = Awaiting::kKeepalive;
  } else if (const auto* detach = std::get_if<layout::ShmDetachRequest>(&action)) {
    awaiting_ = *detach == detach_ ? Awaiting::kDetach : Awaiting::kRelease;
  } else if (std::holds_alternative<MapRegions>(action)) {
    awaiting_ = Awaiting::kMapped;
  }
  return action;
}

bool AttachMachine::expects(std::int64_t correlation_id) const noexcept {
  return awaits(correlation_id) || abandoned_.contains(correlation_id) ||
         released_.contains(correlation_id) ||
         (state_ == AttachState::kDetaching && correlation_id == detach_.correlation_id);
}

bool AttachMachine::awaits(std::int64_t correlation_id) const noexcept {
  return state_ == AttachState::kAttaching && request_sent_ &&
         correlation_id == request_.correlation_id;
}

bool AttachMachine::holds_lease() const noexcept {
  return state_ == AttachState::kAttached || state_ == AttachState::kDetaching;
}

Nanos AttachMachine::next_deadline() const noexcept {
  const Nanos lease_at = std::min(clock_.deadline(), clock_.keepalive_at());
  switch (state_) {
    case AttachState::kUnattached:
      return wanted_ ? Nanos::min() : Nanos::max();
    case AttachState::kBackoff:
      return backoff_ends_;
    case AttachState::kAttaching:
      return connected_ ? std::min(attempt_ends_, request_at_) : attempt_ends_;
    case AttachState::kAttached:
      return options_.silence_timeout > Nanos{0}
                 ? std::min(lease_at, heard_at_ + options_.silence_timeout)
                 : lease_at;
    case AttachState::kDetaching:
      return detach_due_ ? Nanos::min() : std::min(lease_at, detach_ends_);
  }
  return Nanos::max();
}

bool AttachMachine::check_invariants() const noexcept {
  const bool going_on = state_ == AttachState::kAttaching || state_ == AttachState::kAttached ||
                        state_ == AttachState::kBackoff;
  const bool request_is_ours = request_.client_id == client_id_ && request_.client_id != 0 &&
                               request_.correlation_id > 0 && request_.role == options_.role;
  return (!going_on || wanted_) && (!holds_lease() || grant_.lease_id != 0) &&
         (state_ != AttachState::kAttaching || request_is_ours) &&
         (holds_lease() || awaiting_ == Awaiting::kMapped || grant_.lease_id == 0);
}

void AttachMachine::report(Report report, std::string_view text) {
  report.tries_again = wanted_;
  text_ = text.substr(0, kTextBytesMax);
  push(report);
}

void AttachMachine::push(const AttachAction& action) {
  actions_.push_back(action);
}

void AttachMachine::begin_input() const noexcept {
  TP_ASSERT(awaiting_ == Awaiting::kNothing && drained_ == actions_.size());
}

}  // namespace tensorpool::inline v0::core::attach
