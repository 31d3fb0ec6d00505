// The driver: who may use which stream, in which role, under which lease, and when a stream gets a
// new epoch.
//
// Pure: reads no clock, touches no file, sends nothing. Decoded messages, results of jobs and the
// time go in; `next_action()` says what to do, in order. Files are made by a job that may outlast
// many duty cycles (D345); meanwhile keepalives, expiry and announces go on.
//
// Driver (§2.16):
// | state    | input                            | actions                             | next     |
// | -------- | -------------------------------- | ----------------------------------- | -------- |
// | Running  | shutdown request accepted, stop  | waiting attaches REJECTED, announce | Draining |
// | Draining | attach                           | REJECTED `driver draining`          | Draining |
// | Draining | keepalive, detach, expiry, timer | as in Running                       | Draining |
// | Draining | shutdown request                 | counted, ignored                    | Draining |
// | Draining | time over, no lease left, stop   | ShutdownNotice, RemoveOwnEpochs     | Stopped  |
// | any      | fatal error                      | ShutdownNotice with reason ERROR    | Stopped  |
// | Stopped  | any message                      | -                                   | Stopped  |
//
// Lease (§2.10):
// | state    | input                            | actions                             | next     |
// | -------- | -------------------------------- | ----------------------------------- | -------- |
// | none     | attach, regions there            | AttachAnswer OK, Announce           | ATTACHED |
// | active   | keepalive, all fields match      | -                                   | ACTIVE   |
// | active   | attach repeated                  | AttachAnswer OK                     | the same |
// | active   | detach                           | LeaseNotice; consumer: DetachAnswer | DETACHED |
// | active   | now > expiry, inputs drained     | LeaseNotice                         | EXPIRED  |
// | active   | revoke, or its files are gone    | LeaseNotice                         | REVOKED  |
// | ended    | keepalive, detach                | as for an unknown lease             | the same |
//
// Epoch of a stream (§2.11). While a job provisions the next one, E stays for what waits only for
// that; after the end of a producer lease there is none:
// | state   | input                         | actions                             | next    |
// | ------- | ----------------------------- | ----------------------------------- | ------- |
// | none    | attach                        | Provision                           | job     |
// | epoch E | producer attach               | Provision                           | job, E  |
// | epoch E | producer attach, held back    | as above, after the hold            | E       |
// | epoch E | consumer attach               | VerifyEpoch                         | E       |
// | epoch E | verified                      | AttachAnswer, Announce              | E       |
// | epoch E | files are gone                | as the end of a producer lease      | job     |
// | epoch E | producer lease ends           | LeaseNotice, RetireEpoch, Provision | job     |
// | epoch E | announce period over          | RefreshActivity, Announce           | E       |
// | job     | attach                        | it waits, for at most 5 s           | job     |
// | job     | provisioned F, somebody waits | answers, Announce, Collect          | F       |
// | job     | provisioned F, nobody waits   | -                                   | spare F |
// | job, E  | failed                        | answers INTERNAL_ERROR              | E       |
// | job     | failed                        | answers INTERNAL_ERROR              | lost    |
// | spare F | attach that needs an epoch    | RefreshActivity, answers, Announce  | F       |
// | lost    | attach, announce period over  | Provision (D187, D189)              | job     |
//
// The bump after a producer lease is for nobody in particular: it is announced without a producer,
// and a producer that waits gets another one (D183). Every other job is for whatever waits when it
// ends. RefreshActivity is asked for only while the stream has no producer (D34, D35).
//
// A spare keeps streams alive whose provisioning takes longer than anybody waits: the next attach
// gets what the last one paid for. It is not announced, and no lease refers to it.
//
// Thread contract: one thread at a time; `now` never decreases.
// Spec: §2.3 to §2.6, §2.8, §2.10, §2.11, §2.13 to §2.17.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/driver/actions.hpp"
#include "core/driver/attach_checks.hpp"
#include "core/driver/counters.hpp"
#include "core/driver/lease_table.hpp"
#include "core/driver/node_ids.hpp"
#include "core/driver/passes.hpp"
#include "core/driver/pending_attaches.hpp"
#include "core/driver/settings.hpp"
#include "core/driver/snapshot.hpp"
#include "core/driver/stream_table.hpp"
#include "core/driver/unknown_leases.hpp"

namespace tensorpool::inline v0::core::driver {

class DriverMachine {
 public:
  struct Options {
    Settings settings;
    PageFacts pages;
    std::uint64_t first_lease_id = 1;  ///< random, from 1 to LeaseTable::kFirstIdMax (D130)
  };
  /// At most so many streams are announced in one poll.
  static constexpr std::size_t kStreamsPerPoll = 256;

  /// Running. The first actions are those of startup garbage collection (D230).
  explicit DriverMachine(Options options);

  // -- Messages of the control endpoint ----------------------------------------------------------

  void on_attach(const layout::ShmAttachRequest& request, Nanos now);
  /// An attach request of a later schema version (D12).
  void on_unsupported_version(std::int64_t correlation_id, Nanos now);
  void on_detach(const layout::ShmDetachRequest& request, Nanos now);
  /// Returns the time since the lease's last sign of life; nothing when the keepalive was rejected.
  /// Never allocates.
  std::optional<Nanos> on_keepalive(const layout::ShmLeaseKeepalive& keepalive, Nanos now);
  void on_shutdown_request(const layout::ShmDriverShutdownRequest& request, Nanos now);

  /// An Announce was published. Returns the time since the one before, of the same stream; nothing
  /// for the first one. May be told while actions are being carried out. Never allocates.
  std::optional<Nanos> on_announced(std::uint32_t stream_id, Nanos now) noexcept;

  // -- Results of actions ------------------------------------------------------------------------

  /// Answer to Provision. Also in Stopped, until `jobs()` is 0.
  void on_provisioned(ProvisionOutcome outcome, Nanos now);
  /// Answer to VerifyEpoch; a failure may be reported at any time.
  void on_verified(std::uint32_t stream_id, std::uint64_t epoch, const Status& files, Nanos now);
  /// Answer to Collect, and to each part of CollectAtStart. Not for dry runs.
  void on_collected(const CollectOutcome& outcome);

  // -- Time --------------------------------------------------------------------------------------

  /// A ShmLeaseRevoked could not be sent, or nobody was there to hear it (D23). It is not repeated,
  /// unless its client goes on to keep a lease alive that never was.
  void on_notice_unheard(std::uint64_t lease_id) noexcept { unknown_leases_.forget(lease_id); }

  /// The expiry check. Once in every duty cycle, at least every 100 ms, after the control
  /// subscription was polled until it gave no fragment or 4096 were handled (D136, D138).
  void on_inputs_drained(Nanos now);
  /// Announces, late attaches, the end of Draining. Once in every duty cycle.
  void poll(Nanos now);
  /// When one of the two has something to do; Nanos::max() for never.
  [[nodiscard]] Nanos next_deadline() const noexcept;

  // -- The host and the administrator ------------------------------------------------------------

  /// Ends a lease with REVOKED and `text` (D155). Fails with `not_found`.
  [[nodiscard]] Status revoke(std::uint64_t lease_id, std::string_view text, Nanos now);
  /// Gives a dynamic stream a shape of its own, which its next epoch has; creates it if there is
  /// none under `stream_id` (0: any free id). Returns its id. Fails with `invalid_argument` or
  /// `stride_invalid` for a shape or an id that cannot be, `already_exists` for a static stream,
  /// `limit_reached` when no id is left, `closed` when the driver goes down.
  [[nodiscard]] Result<std::uint32_t> ensure(std::uint32_t stream_id, const Profile& shape);
  /// Lets a client attach to a stream that is not open to everybody; whoever calls knows that it
  /// may. `limit_reached` when too many have been let in that did not come.
  [[nodiscard]] Status let_attach(const Passes::Pass& pass, Nanos now);
  /// Goes to Draining; the second time to Stopped.
  void stop(Nanos now);
  /// The driver cannot go on.
  void on_fatal_error(std::string_view text, Nanos now);
  /// What garbage collection may do in all streams now: out of space (D204, D231), or dry.
  [[nodiscard]] std::vector<CollectRequest> collect_requests(bool waive_age, Nanos now);

  // -- Outputs -----------------------------------------------------------------------------------

  /// The next thing to do; nothing when all has been done. To be drained after every input.
  [[nodiscard]] std::optional<Action> next_action();

  [[nodiscard]] DriverState state() const noexcept { return state_; }
  /// Provisionings that have not been answered.
  [[nodiscard]] std::size_t jobs() const noexcept { return jobs_; }
  /// The caller counts what only it knows: duty cycles, what was sent, what could not be decoded.
  [[nodiscard]] Counters& counters() noexcept { return counters_; }
  [[nodiscard]] const Counters& counters() const noexcept { return counters_; }
  [[nodiscard]] Snapshot snapshot() const;
  /// Whether the client holds a consumer lease of that stream (D249).
  [[nodiscard]] bool consumes(std::uint32_t stream_id, std::uint32_t client_id) const noexcept {
    const Lease* const lease = leases_.of_client(client_id);
    return lease != nullptr && lease->grant.role == layout::Role::kConsumer &&
           lease->grant.stream_id == stream_id;
  }
  [[nodiscard]] bool check_invariants() const;

 private:
  using Detach = std::optional<BumpJob::Detach>;

  void begin_input();

  // Attach.
  [[nodiscard]] AttachFacts facts_of(const layout::ShmAttachRequest& request, Nanos now);
  void replay(const Lease& lease, const layout::ShmAttachRequest& request, Nanos now);
  void accept(const layout::ShmAttachRequest& request, Nanos now);
  void grant(Stream& stream, const PendingAttach& attach, Nanos now);
  void answer_ok(const Stream& stream, const Lease& lease, const PendingAttach& attach);
  void refuse(const layout::ShmAttachRequest& request, Nanos received_at, const Refusal& refusal);
  void give_up(std::uint64_t ticket, const Refusal& refusal, Nanos now);
  void give_up_late(Nanos now);

  // Leases.
  [[nodiscard]] const Lease* matching(std::uint64_t lease_id, std::uint32_t stream_id,
                                      std::uint32_t client_id, layout::Role role) const noexcept;
  struct LeaseEnd {
    layout::LeaseRevokeReason reason;
    std::string_view text;
    BumpCause cause = BumpCause::kLeaseEnd;
    Detach detach = {};
  };
  void end_lease(const Lease& lease, const LeaseEnd& end, Nanos now);
  void answer_detach(const BumpJob::Detach& detach, const Refusal* refusal = nullptr);

  // Epochs: driver_epochs.cpp.
  void advance(Stream& stream, Nanos now);
  void start_job(Stream& stream, BumpCause cause, const Detach& detach = {});
  void renew(Stream& stream, BumpCause cause, const Detach& detach, Nanos now);
  void provisioned(Stream& stream, const BumpJob& job, std::unique_ptr<ProvisionedEpoch> epoch,
                   Nanos now);
  void provisioning_failed(Stream& stream, const BumpJob& job, const Error& error, Nanos now);
  void adopt(Stream& stream, std::unique_ptr<ProvisionedEpoch> epoch, Nanos now);
  void adopt_spare(Stream& stream, Nanos now);
  void end_epoch(Stream& stream);
  void retire(const Stream& stream, std::unique_ptr<ProvisionedEpoch> epoch);
  void serve(Stream& stream, bool producer_too, Nanos now);
  void announce(const Stream& stream, Nanos now);
  void collect(Stream& stream, Nanos now);
  [[nodiscard]] CollectRequest collect_request(Stream& stream, Nanos now);
  void tick(Stream& stream, Nanos now);
  [[nodiscard]] Result<Stream*> find_or_create(std::uint32_t stream_id);
  void update_use(Stream& stream);
  void forget_if_unused(Stream& stream, Nanos now);
  [[nodiscard]] bool check_stream(const Stream& stream) const;

  // Life cycle.
  void begin_draining(layout::ShutdownReason reason, std::string text, Nanos now);
  void finish_if_due(Nanos now);
  enum class Cleanup : std::uint8_t { kAsConfigured, kNo };
  void finish(Nanos now, Cleanup cleanup = Cleanup::kAsConfigured);
  void clean_up_if_due();

  void push(Action action) { actions_.push_back(std::move(action)); }
  [[nodiscard]] std::string_view keep(std::string text);

  Settings settings_;
  PageFacts pages_;
  Counters counters_;
  LeaseTable leases_;
  NodeIds node_ids_;
  StreamTable streams_;
  PendingAttaches pending_;
  Passes passes_;
  UnknownLeases unknown_leases_;
  std::size_t jobs_ = 0;

  using Timer = std::pair<Nanos, std::uint32_t>;  ///< when, and of which stream
  std::set<Timer> ticks_;                         ///< one for each stream that had an epoch
  std::set<Timer> holds_;                         ///< producers that are held back

  DriverState state_ = DriverState::kRunning;
  layout::ShutdownReason shutdown_reason_ = layout::ShutdownReason::kNormal;
  std::string shutdown_text_;
  Nanos shutdown_at_ = Nanos::max();
  bool cleanup_due_ = false;  ///< once the last job has been answered (D268)

  // What actions of the last input point to.
  std::vector<Action> actions_;
  std::size_t drained_ = 0;
  std::deque<std::string> texts_;
  std::vector<std::unique_ptr<ProvisionedEpoch>> retired_;
};

}  // namespace tensorpool::inline v0::core::driver
