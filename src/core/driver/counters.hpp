// The counters of a driver, in the order of their numbers.
//
// The machine counts what it decides; whoever sends counts what was published or given up, with the
// functions below. Spec: §2.22 (D336..D338), D22, D23, D78, D162, D223.
// Thread contract: plain values; one thread writes.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "layout/messages_901.hpp"

namespace tensorpool::inline v0::core::driver {

struct Counters {
  std::uint64_t total_duty_cycles = 0;
  std::uint64_t total_work_done = 0;
  std::uint64_t attach_responses = 0;
  std::uint64_t attach_response_drops = 0;
  std::uint64_t detach_responses = 0;
  std::uint64_t keepalives = 0;
  std::uint64_t lease_revoked = 0;
  std::uint64_t announces = 0;
  /// Stays 0: the machine has an answer to every event of a lease.
  std::uint64_t lease_hsm_unhandled = 0;
  std::uint64_t attach_rejects = 0;
  std::uint64_t keepalive_rejects = 0;
  std::uint64_t control_malformed = 0;
  std::uint64_t control_unsupported = 0;
  std::uint64_t control_send_drops = 0;
  std::uint64_t epoch_bumps = 0;
  std::uint64_t provision_failures = 0;
  std::uint64_t epochs_collected = 0;
  std::uint64_t epoch_gc_failures = 0;
  std::uint64_t shutdown_request_rejects = 0;
  std::uint64_t node_id_exhausted = 0;
  std::uint64_t consumer_streams_assigned = 0;
  std::uint64_t consumer_streams_declined = 0;
  std::uint64_t active_leases = 0;        ///< gauge
  std::uint64_t provisioned_streams = 0;  ///< gauge

  friend bool operator==(const Counters&, const Counters&) = default;
};

struct CounterField {
  std::string_view name;
  std::uint64_t Counters::*value;
};

/// Type id of counter number 0 (D336).
inline constexpr std::int32_t kCounterTypeIdBase = 54000;

/// Counter number n is entry n - 1.
inline constexpr auto kCounterFields = std::to_array<CounterField>({
    {"TotalDutyCycles", &Counters::total_duty_cycles},
    {"TotalWorkDone", &Counters::total_work_done},
    {"AttachResponses", &Counters::attach_responses},
    {"AttachResponseDrops", &Counters::attach_response_drops},
    {"DetachResponses", &Counters::detach_responses},
    {"Keepalives", &Counters::keepalives},
    {"LeaseRevoked", &Counters::lease_revoked},
    {"Announces", &Counters::announces},
    {"LeaseHsmUnhandled", &Counters::lease_hsm_unhandled},
    {"AttachRejects", &Counters::attach_rejects},
    {"KeepaliveRejects", &Counters::keepalive_rejects},
    {"ControlMalformed", &Counters::control_malformed},
    {"ControlUnsupported", &Counters::control_unsupported},
    {"ControlSendDrops", &Counters::control_send_drops},
    {"EpochBumps", &Counters::epoch_bumps},
    {"ProvisionFailures", &Counters::provision_failures},
    {"EpochsCollected", &Counters::epochs_collected},
    {"EpochGcFailures", &Counters::epoch_gc_failures},
    {"ShutdownRequestRejects", &Counters::shutdown_request_rejects},
    {"NodeIdExhausted", &Counters::node_id_exhausted},
    {"ConsumerStreamsAssigned", &Counters::consumer_streams_assigned},
    {"ConsumerStreamsDeclined", &Counters::consumer_streams_declined},
    {"ActiveLeases", &Counters::active_leases},
    {"ProvisionedStreams", &Counters::provisioned_streams},
});
static_assert(sizeof(Counters) == kCounterFields.size() * sizeof(std::uint64_t),
              "every counter has its number");

/// What the sender has to know of a message of the driver in order to count it.
enum class MessageKind : std::uint8_t {
  kAttachResponse,
  kAttachReject,  ///< an attach response with a code other than OK
  kDetachResponse,
  kLeaseRevoked,
  kAnnounce,
  kShutdown,
};

[[nodiscard]] constexpr MessageKind kind_of(const layout::ShmAttachResponse& response) noexcept {
  return response.code == layout::ResponseCode::kOk ? MessageKind::kAttachResponse
                                                    : MessageKind::kAttachReject;
}
[[nodiscard]] constexpr MessageKind kind_of(const layout::ShmDetachResponse&) noexcept {
  return MessageKind::kDetachResponse;
}
[[nodiscard]] constexpr MessageKind kind_of(const layout::ShmLeaseRevoked&) noexcept {
  return MessageKind::kLeaseRevoked;
}
[[nodiscard]] constexpr MessageKind kind_of(const layout::ShmPoolAnnounce&) noexcept {
  return MessageKind::kAnnounce;
}
[[nodiscard]] constexpr MessageKind kind_of(const layout::ShmDriverShutdown&) noexcept {
  return MessageKind::kShutdown;
}

/// D78, D162, D223.
constexpr void count_published(Counters& counters, MessageKind kind) noexcept {
  switch (kind) {
    case MessageKind::kAttachReject:
      ++counters.attach_rejects;
      [[fallthrough]];
    case MessageKind::kAttachResponse:
      ++counters.attach_responses;
      break;
    case MessageKind::kDetachResponse:
      ++counters.detach_responses;
      break;
    case MessageKind::kLeaseRevoked:
      ++counters.lease_revoked;
      break;
    case MessageKind::kAnnounce:
      ++counters.announces;
      break;
    case MessageKind::kShutdown:
      break;
  }
}

/// Given up after waiting, or for want of room (D22).
constexpr void count_given_up(Counters& counters, MessageKind kind) noexcept {
  const bool attach = kind == MessageKind::kAttachResponse || kind == MessageKind::kAttachReject;
  ++(attach ? counters.attach_response_drops : counters.control_send_drops);
}

/// Discarded because nobody is subscribed (D23).
constexpr void count_unheard(Counters& counters, MessageKind kind) noexcept {
  if (kind == MessageKind::kAttachResponse || kind == MessageKind::kAttachReject) {
    ++counters.attach_response_drops;
  }
}

}  // namespace tensorpool::inline v0::core::driver
