// The client side of the driver protocol: gets a lease, keeps it, gives it back, gets another when
// it is lost. Spec: §2.20 (attach client), §2.7, §2.8, §2.10.
//
// One machine per lease. Pure: after every input the owner drains `next_action()` and carries each
// action out in order; a message is answered by `on_sent`, MapRegions by `on_mapped`, before the
// next action is asked for.
//
// | state      | input                                  | actions                    | next       |
// | ---------- | -------------------------------------- | -------------------------- | ---------- |
// | Unattached | want_attach                            | attach request             | Attaching  |
// | Attaching  | retry interval over                    | the same request again     | Attaching  |
// | Attaching  | OK that passes, regions mapped         | map, report                | Attached   |
// | Attaching  | OK that fails a check, or to be mapped | report, best-effort detach | Backoff    |
// | Attaching  | OK that has expired                    | report (lost)              | Backoff    |
// | Attaching  | malformed response                     | report                     | Backoff    |
// | Attaching  | REJECTED, INTERNAL_ERROR               | report; perhaps another id | Backoff    |
// | Attaching  | UNSUPPORTED, INVALID_PARAMS            | report; wanted no more     | Unattached |
// | Attaching  | attach timeout                         | report; id abandoned       | Backoff    |
// | Attaching  | shutdown                               | report; id abandoned       | Backoff    |
// | Attaching  | close                                  | id abandoned               | Unattached |
// | Attached   | keepalive due                          | keepalive                  | Attached   |
// | Attached   | own revocation, shutdown, deadline,    | unmap, report              | Backoff    |
// |            | keepalive failed, silence, newer       |                            |            |
// |            | epoch, connection replaced             |                            |            |
// | Attached   | give_up                                | unmap, detach, report      | Backoff    |
// | Attached   | close                                  | unmap, detach request      | Detaching  |
// | Detaching  | keepalive due                          | keepalive                  | Detaching  |
// | Detaching  | response, own revocation, shutdown,    | report                     | Unattached |
// |            | timeout, deadline, send failed,        |                            |            |
// |            | connection replaced                    |                            |            |
// | Backoff    | delay over                             | attach request             | Attaching  |
// | Backoff    | close                                  | -                          | Unattached |
// | any        | late OK of an abandoned id             | best-effort detach         | unchanged  |
//
// Where the table says Backoff, a client that does not want to attach (any more) is Unattached. The
// first request of an attempt waits until the publication is connected (D305), and until the retry
// interval after the last request has passed (D310).
//
// With a mapping machine (consumer): MapRegions goes to MappingMachine::on_attached, UnmapRegions
// to on_lease_lost; its kDetach comes back as give_up. With a producer: core/attach/producer_role.
//
// Thread contract: one thread at a time.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/fixed_vector.hpp"
#include "base/random.hpp"
#include "core/attach/attach_actions.hpp"
#include "core/attach/attach_checks.hpp"
#include "core/attach/backoff.hpp"
#include "core/attach/correlation_ids.hpp"
#include "core/attach/lease_clock.hpp"
#include "core/attach/recent_requests.hpp"
#include "layout/messages_900.hpp"
#include "tensorpool/types/counters.hpp"

namespace tensorpool::inline v0::core::attach {

class AttachMachine {
 public:
  struct Options {
    layout::Role role = layout::Role::kConsumer;
    std::uint32_t stream_id = 0;  ///< 0: the driver allocates a dynamic one
    std::uint32_t client_id = 0;  ///< 0: drawn at random, and drawn again when it is taken
    std::uint32_t expected_layout_version = layout::kLayoutVersion;  ///< 0: no expectation
    layout::PublishMode publish_mode = layout::PublishMode::kRequireExisting;
    layout::HugepagesPolicy hugepages = layout::HugepagesPolicy::kUnspecified;
    std::uint32_t node_id = 0;  ///< the application's own wish; 0: that of the last lease (D105)
    bool reattach = true;       ///< after the loss of a lease
    Nanos attach_timeout = std::chrono::milliseconds(5000);
    Nanos retry_interval = std::chrono::milliseconds(1000);
    Nanos keepalive_interval = std::chrono::milliseconds(1000);
    Nanos detach_timeout = std::chrono::milliseconds(5000);
    Nanos silence_timeout = std::chrono::milliseconds(5000);  ///< 0: never (D275)
    region::PlanLimits limits = {};
  };

  /// Refuses spans that are not positive, and a reserved stream id.
  [[nodiscard]] static Status check(const Options& options) noexcept;

  /// Precondition: check(). `ids` is the one of the process, and outlives the machine. `random` is
  /// seeded from the operating system's random source (D81), for each machine anew.
  AttachMachine(const Options& options, CorrelationIds& ids, base::Random random);

  /// The application wants a lease; without effect while one is being got or held.
  void want_attach(Nanos now);
  /// The application is done. A lease is given back; `state()` tells when.
  void close(Nanos now);
  /// The holder of the lease cannot go on with it: regions refused, or no announce (D316). Given
  /// back without waiting, and another is asked for. Without effect unless Attached.
  void give_up(Nanos now);

  /// Whether the control subscription exists and its publication is connected (D305).
  void on_connection(bool connected) noexcept { connected_ = connected; }
  /// The publication on which keepalives went was closed with its media driver, and another one
  /// takes its place: nobody knows which of them the driver has heard (D143).
  void on_connection_replaced(Nanos now);
  /// A response, whomever it answers. Allocates: the plan.
  void on_response(const layout::ShmAttachResponse& response, Nanos now);
  /// A ShmAttachResponse that could not be decoded, or has a later version (D4, D16). `code`: its
  /// raw code where that could be read and the version is known: a refusal is believed without the
  /// rest (D109).
  void on_malformed_response(std::int64_t correlation_id, std::optional<std::int32_t> code,
                             const Error& error, Nanos now);
  void on_detach_response(const layout::ShmDetachResponse& response);
  /// A notice, whomever it is for; one with an unknown role or reason is dropped (D167).
  void on_revoked(const layout::ShmLeaseRevoked& notice, Nanos now);
  void on_shutdown(const layout::ShmDriverShutdown& notice, Nanos now);
  /// Any announce, for its stream and producer (D192, D275).
  void on_announce(const layout::ShmPoolAnnounce& announce, Nanos now);
  /// Any other message of schema 901 that was malformed or of a later version (D4, D16).
  void on_malformed_event() noexcept { ++counters_.driver_event_rejects; }
  /// Answer to a message that was to be sent.
  void on_sent(SendResult result, Nanos now);
  /// Answer to MapRegions; with an error nothing is mapped.
  void on_mapped(const Status& mapped, Nanos now);
  /// Timers; once per duty cycle.
  void poll(Nanos now);

  /// The next thing to do, in order; nothing when all has been done.
  [[nodiscard]] std::optional<AttachAction> next_action();

  [[nodiscard]] AttachState state() const noexcept { return state_; }
  /// What is held, or is being mapped; valid from MapRegions until the lease has ended.
  [[nodiscard]] const AttachGrant& grant() const noexcept { return grant_; }
  [[nodiscard]] layout::Role role() const noexcept { return options_.role; }
  /// 0 before the first attempt of a client that draws its own (D84, D85).
  [[nodiscard]] std::uint32_t client_id() const noexcept { return client_id_; }
  /// The assigned one after the first attach, else that of the options (D247).
  [[nodiscard]] std::uint32_t stream_id() const noexcept { return stream_id_; }
  /// For trace ids (D104): 0 unless a lease with a node id is held.
  [[nodiscard]] std::uint32_t node_id() const noexcept {
    return state_ == AttachState::kAttached ? grant_.node_id : 0;
  }
  /// From when on the regions must not be used, should nobody have said so (D142).
  [[nodiscard]] Nanos lease_deadline() const noexcept { return clock_.deadline(); }
  /// What the driver said about the last report, at most 1024 bytes (D18).
  [[nodiscard]] std::string_view text() const noexcept { return text_; }
  /// Whether a response with this id is for this machine, so that a process with many leases can
  /// tell which of them to give it to. A response that nobody expects is given to any one.
  [[nodiscard]] bool expects(std::int64_t correlation_id) const noexcept;
  [[nodiscard]] const AttachCounters& counters() const noexcept { return counters_; }
  [[nodiscard]] Nanos next_deadline() const noexcept;
  [[nodiscard]] bool check_invariants() const noexcept;

 private:
  using Report = AttachReport;
  /// What the last action asked for. A release is a detach that nobody waits for.
  enum class Awaiting : std::uint8_t { kNothing, kRequest, kKeepalive, kDetach, kRelease, kMapped };

  void begin_input() const noexcept;
  void begin_attempt(Nanos now);
  void end_attempt(const Report& report, std::string_view text, Nanos now);
  void draw_client_id() noexcept;
  void granted(const layout::ShmAttachResponse& response, Nanos now);
  void refused(layout::ResponseCode code, std::string_view text, Nanos now);
  void protocol_error(const Error& error, Nanos now);
  void lose(LeaseLoss loss, std::string_view text, Nanos now);
  void end_lease() noexcept;
  void back_off(Nanos now);
  void detached();
  void release(std::uint64_t lease_id, std::uint32_t stream_id, std::uint32_t client_id);
  void poll_attempt(Nanos now);
  void poll_lease(Nanos now);
  void poll_detach(Nanos now);
  void keepalive_when_due(Nanos now);
  void keepalive_sent(SendResult result, Nanos now);
  [[nodiscard]] bool awaits(std::int64_t correlation_id) const noexcept;
  [[nodiscard]] bool holds_lease() const noexcept;
  void report(Report report, std::string_view text = {});
  void push(const AttachAction& action);

  Options options_;
  CorrelationIds& ids_;
  base::Random random_;
  AttachState state_ = AttachState::kUnattached;
  bool wanted_ = false;
  bool connected_ = false;
  std::uint32_t client_id_;
  std::uint32_t stream_id_;
  std::uint32_t last_node_id_ = 0;  ///< of the last lease, while it may be asked for again (D105)

  layout::ShmAttachRequest request_{};  ///< of the present attempt
  bool request_sent_ = false;
  Nanos request_at_{};  ///< the next request not before
  Nanos attempt_ends_{};
  Backoff backoff_;
  Nanos backoff_ends_{};
  RecentRequests<layout::ShmAttachRequest> abandoned_;  ///< attempts that ended without a lease

  AttachGrant grant_;
  LeaseClock clock_;
  Nanos heard_at_{};  ///< the last announce

  layout::ShmDetachRequest detach_{};  ///< of Detaching
  bool detach_due_ = false;
  Nanos detach_ends_{};
  RecentRequests<layout::ShmDetachRequest> released_;  ///< best-effort detaches

  AttachCounters counters_;
  std::string text_;
  base::FixedVector<AttachAction, 8> actions_;
  std::size_t drained_ = 0;
  Awaiting awaiting_ = Awaiting::kNothing;
};

}  // namespace tensorpool::inline v0::core::attach
