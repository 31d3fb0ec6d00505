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
// | any      | config with useShm FALSE               | kUnmap if mapped, kFallback | FALLBACK  |
// | FALLBACK | config with useShm TRUE                | -                           | UNMAPPED  |
// | FALLBACK | refused: announce of an untried epoch  | as UNMAPPED                 |           |
// | FALLBACK | configured: announce                   | -                           | FALLBACK  |
//
// Thread contract: one thread at a time.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/fixed_vector.hpp"
#include "core/consumer/announce_gate.hpp"
#include "core/region/plan.hpp"
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
    kFallback,  ///< tell the application of `fallback_uri()`, which may be empty (W248)
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
  /// Asks for kObserve when one is due (W251).
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
  [[nodiscard]] Nanos next_deadline() const noexcept { return observe_at_; }
  [[nodiscard]] bool check_invariants() const noexcept;

 private:
  enum class Awaiting : std::uint8_t { kNothing, kMapped, kRechecked, kObserved };
  enum class FallbackCause : std::uint8_t { kConfig, kRejection };

  void begin_mapping();
  void other_process();
  void reject(const Error& error);
  void unmap(UnmapReason reason);
  void enter_fallback(FallbackCause cause);
  void report(const Error& error);
  void push(Action action);
  [[nodiscard]] bool still_alive(const Observation& seen, Nanos now);

  Options options_;
  AnnounceGate gate_;
  MappingState state_;
  FallbackCause fallback_cause_ = FallbackCause::kConfig;
  Awaiting awaiting_ = Awaiting::kNothing;
  region::MappingPlan plan_;
  std::string fallback_uri_ = {};
  std::uint64_t tried_epoch_ = 0;  ///< of the last refusal, while in FALLBACK
  std::uint64_t pid_epoch_ = 0;    ///< the epoch that `pid_` was seen in
  std::uint64_t pid_ = 0;
  std::uint64_t blocked_epoch_ = 0;  ///< W238
  Nanos observe_at_{};
  std::optional<Error> reported_;  ///< W442
  base::FixedVector<Action, 8> actions_;
  std::size_t drained_ = 0;
};

}  // namespace tensorpool::inline v0::core::consumer
