// When a consumer maps the regions of its stream and when it gives them up. Spec: §1.11.2, §1.11.3
// (W230..W253).
//
// Pure: decides and remembers, opens nothing. After every input the caller drains `next_action()`
// and carries each action out; kMap, kRecheck and kObserve are answered by `on_mapped`,
// `on_rechecked`, `on_observed` before the next.
//
// | state    | input                                  | actions                     | next      |
// | -------- | -------------------------------------- | --------------------------- | --------- |
// | UNMAPPED | announce accepted                      | kMap                        | see below |
// | UNMAPPED | announce refused, fallback known       | kReport, kFallback          | FALLBACK  |
// | UNMAPPED | announce refused, no fallback          | kReport                     | UNMAPPED  |
// | UNMAPPED | kMap answered: regions pass, are fresh | -                           | MAPPED    |
// | UNMAPPED | kMap answered: stale, or another pid   | kUnmap, for no reason       | UNMAPPED  |
// | UNMAPPED | kMap answered: a region is refused     | as for a refused announce   |           |
// | MAPPED E | announce of E                          | kRecheck                    | MAPPED E  |
// | MAPPED E | announce above E                       | kUnmap, then as UNMAPPED    |           |
// | MAPPED E | announce refused                       | kUnmap, then as UNMAPPED    |           |
// | MAPPED E | kRecheck answered: differs             | kUnmap, kMap                | see above |
// | MAPPED E | pid changed                            | kUnmap, epoch E is blocked  | UNMAPPED  |
// | MAPPED E | activity older than the timeout        | kUnmap                      | UNMAPPED  |
// | MAPPED E | the data path wants it                 | kUnmap                      | UNMAPPED  |
// | any      | announces bear another clock           | kReport, once               | as it was |
// | any      | the same config again                  | -                           | as it was |
// | any      | config with useShm FALSE               | kUnmap if mapped, kFallback | FALLBACK  |
// | FALLBACK | config with useShm TRUE                | -                           | UNMAPPED  |
// | FALLBACK | refused: announce of an untried epoch  | as UNMAPPED                 |           |
// | FALLBACK | configured: announce                   | -                           | FALLBACK  |
//
// Under a driver (`standalone` false) the consumer's lease decides whether anything may be mapped:
// announces alone map nothing. Spec: 2-driver.md §2.20 (consumer). UNMAPPED with a lease is
// Remapping there; the lease itself is kept by core/attach/attach_machine.
//
// | state     | input                                          | actions              | next      |
// | --------- | ---------------------------------------------- | -------------------- | --------- |
// | no lease  | announce                                       | -                    | no lease  |
// | no lease  | on_attached                                    | kMap                 | see below |
// | no lease  | kMap answered: regions pass                    | -                    | MAPPED    |
// | no lease  | kMap answered: a region is refused             | kReport (kFallback)  | no lease  |
// | MAPPED E  | end of the producer's lease                    | kUnmap, <= E blocked | Remapping |
// | Remapping | announce accepted, not blocked                 | as UNMAPPED          |           |
// | Remapping | nothing mapped for three announce periods      | kDetach              | no lease  |
// | any       | announce or region refused, no fallback        | kReport, kDetach     | no lease  |
// | FALLBACK  | on_attached, by config or start                | -                    | FALLBACK  |
// | any       | on_lease_lost                                  | kUnmap if mapped     | no lease  |
//
// Thread contract: one thread at a time.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/fixed_vector.hpp"
#include "core/consumer/announce_gate.hpp"
#include "core/consumer/foreign_clock.hpp"
#include "core/consumer/producer_lease.hpp"
#include "core/region/plan.hpp"
#include "tensorpool/types/fallback.hpp"
#include "tensorpool/types/mapping.hpp"

namespace tensorpool::inline v0::core::consumer {

/// One thing to do. In order; kMap, kRecheck and kObserve are answered before the next is asked
/// for.
struct MappingAction {
  enum class Kind : std::uint8_t {
    kMap,       ///< map `plan()`; answer with on_mapped
    kRecheck,   ///< compare the mapped regions and their file sizes with `plan()`; answer with
                ///< on_rechecked
    kObserve,   ///< read pid and activity; answer with on_observed
    kUnmap,     ///< give the mapping up, for `reason`; kNone: the attempt to map came to nothing
    kReport,    ///< tell the application of `error`
    kFallback,  ///< tell the application of `fallback()` (W248)
    kDetach,    ///< give the lease back and ask for another (D316); under a driver only
  };
  Kind kind = Kind::kMap;
  UnmapReason reason = UnmapReason::kNone;
  Error error{};
};

class MappingMachine {
 public:
  struct Options {
    std::uint32_t stream_id = 0;
    Timing timing = {};
    bool use_shm = true;
    /// True when the producer owns the files: activity is the sign of life (W235, W251). A lease
    /// takes its place in driver mode (W236).
    bool standalone = true;
    bool remap_same_epoch_on_pid_change = false;  ///< W239
    region::PlanLimits limits = {};
  };

  /// What the superblock of the mapped header ring says now.
  struct Observation {
    std::uint64_t pid = 0;
    std::uint64_t activity_timestamp_ns = 0;
  };

  using Action = MappingAction;

  MappingMachine(const Options& options, Nanos now);

  /// An announce, whoever it is for. `image_joined_at`: now_mono when the Aeron image that
  /// delivered it became available (W219). Allocates: the plan, in proportion to the message.
  void on_announce(const layout::ShmPoolAnnounce& announce, Nanos image_joined_at,
                   const base::Now& now);
  /// Answer to kMap; with an error nothing is mapped.
  void on_mapped(const Result<Observation>& result, Nanos now);
  /// Answer to kRecheck; the error is the first difference.
  void on_rechecked(const Result<Observation>& result, Nanos now);
  /// Answer to kObserve.
  void on_observed(const Observation& seen, Nanos now);
  /// useShm of a ConsumerConfig that is addressed to this consumer, and its fallback URI or "".
  void on_config(bool use_shm, std::string_view fallback_uri);
  /// The data path demands it: a descriptor of a higher epoch, or a sequence regression.
  void on_unmap_wanted(UnmapReason reason);
  /// A lease was granted, with these regions; received at `now`. Nothing is mapped at this time.
  /// Unless in FALLBACK for other reasons than a refusal it asks for kMap; when that fails, there
  /// is no lease.
  void on_attached(const region::MappingPlan& granted, Nanos now);
  /// The lease has ended, by whatever route (D145, D277).
  void on_lease_lost(UnmapReason reason);
  /// A notice of the driver, whomever it is for.
  void on_revoked(const layout::ShmLeaseRevoked& notice);
  /// Asks for kObserve when one is due (W251), for kDetach when nobody announces (D316).
  void poll(Nanos now);

  /// The next thing to do, in order; nothing when all has been done.
  [[nodiscard]] std::optional<Action> next_action();

  [[nodiscard]] MappingState state() const noexcept { return state_; }
  /// The mapped epoch, or 0 (W243).
  [[nodiscard]] std::uint64_t epoch() const noexcept {
    return state_ == MappingState::kMapped ? plan_.epoch() : 0;
  }
  [[nodiscard]] const region::MappingPlan& plan() const noexcept { return plan_; }
  [[nodiscard]] const std::string& fallback_uri() const noexcept { return fallback_uri_; }
  /// What the application needs to know, while in FALLBACK.
  [[nodiscard]] std::optional<Fallback> fallback() const;
  [[nodiscard]] Nanos next_deadline() const noexcept;
  [[nodiscard]] bool check_invariants() const noexcept;

 private:
  enum class Awaiting : std::uint8_t { kNothing, kMapped, kRechecked, kObserved };
  /// useShm and URI of a ConsumerConfig.
  struct Config {
    bool use_shm = true;
    std::string fallback_uri = {};
  };

  [[nodiscard]] bool passes_gate(const AnnounceGate::Stamp& stamp, const base::Now& now);
  void begin_mapping();
  void other_process();
  void take_lease(std::uint64_t epoch, Nanos now);
  void reject(const Error& error);
  void give_lease_back();
  void unmap(UnmapReason reason);
  void enter_fallback(FallbackCause cause);
  void report(const Error& error);
  void push(Action action);
  [[nodiscard]] bool is_remapping() const noexcept {
    return has_lease_ && state_ == MappingState::kUnmapped;
  }
  [[nodiscard]] bool still_alive(const Observation& seen, Nanos now);

  Options options_;
  AnnounceGate gate_;
  ForeignClock clock_;
  MappingState state_;
  FallbackCause fallback_cause_ = FallbackCause::kAsked;
  Awaiting awaiting_ = Awaiting::kNothing;
  region::MappingPlan plan_;
  std::string fallback_uri_ = {};
  std::optional<Config> config_ = {};  ///< the last one (W332)
  Error refusal_{};                    ///< that led to FALLBACK
  std::uint64_t tried_epoch_ = 0;      ///< of the last refusal, while in FALLBACK
  std::uint64_t pid_epoch_ = 0;        ///< the epoch that `pid_` was seen in
  std::uint64_t pid_ = 0;
  std::uint64_t blocked_epoch_ = 0;  ///< W238
  Nanos observe_at_{};
  bool has_lease_ = false;
  std::optional<Nanos> granted_at_;  ///< while the regions of an attach response are being mapped
  std::optional<Nanos> remap_ends_;  ///< of Remapping, from the first poll in it
  ProducerLease producer_;
  std::optional<Error> reported_;  ///< W442
  base::FixedVector<Action, 8> actions_;
  std::size_t drained_ = 0;
};

}  // namespace tensorpool::inline v0::core::consumer
