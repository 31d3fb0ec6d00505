// Keeps a consumer's books a second time, from outside: what it was really handed, and what its
// counters say. Spec: §1.14 (W278..W280), design: accounting.
//
// Invariants that it checks
//  1. Between any two frames that are handed out in one mapping, the counters account for exactly
//     the numbers between them; so do they from the last frame to the end of the mapping.
//  2. Frames come in rising order, each once, and only numbers that were committed.
//  3. Each descriptor has one outcome, and only an accepted one moves the tracking (W264).
//  4. No counter ever goes down (W279).
//  5. No number is given up while it may still be committed.
//  6. A number that is not above all others is a duplicate, one that was read from the ring, or a
//     regression, which ends the mapping (W261..W263).
//  7. Every mapping that ends is a discontinuity, and nothing else is.
//  8. An epoch that a consumer with recover_gaps was led into by an earlier one begins with number
//     0, handed out or accounted for, where the ring held that when it was mapped.
#pragma once

#include <cstdint>
#include <cstring>
#include <optional>
#include <set>
#include <string>

#include "core/consumer/frame_receiver.hpp"
#include "parts/sim_atom.hpp"
#include "parts/verdict.hpp"

namespace tensorpool::inline v0::sim {

using SimReceiver = core::consumer::FrameReceiver<SimAtom>;

class Ledger {
 public:
  Ledger(Verdict& verdict, std::uint32_t consumer) noexcept
      : verdict_(&verdict), consumer_(consumer) {}

  /// `holds_first`: number 0 has not been overwritten yet.
  void mapping_begins(const SimReceiver& receiver, bool holds_first);
  /// A frame is being handed out. `aborted` are the numbers of this epoch that nobody committed.
  void frame(std::uint64_t seq, const ConsumerCounters& counters,
             const std::set<std::uint64_t>& aborted);
  /// The producer has just committed `seq` of the mapped epoch.
  void committed(const SimReceiver& receiver, std::uint64_t seq);
  /// Call before the receiver is told to detach.
  void mapping_ends(const SimReceiver& receiver);

  /// The descriptor subscription is another one from now on (W263).
  void subscription_changed(const SimReceiver& receiver) noexcept {
    tolerates_lower_ = receiver.tracking();
  }
  /// Around one call of on_descriptor.
  void before_descriptor(const SimReceiver& receiver);
  /// `heard`: not in FALLBACK, where descriptors are ignored.
  void after_descriptor(const SimReceiver& receiver, const core::consumer::Descriptor& descriptor,
                        bool heard);

  /// After every event.
  void check(const SimReceiver& receiver);

  [[nodiscard]] std::uint64_t frames() const noexcept { return frames_; }

 private:
  [[nodiscard]] static std::uint64_t accounted(const ConsumerCounters& counters) noexcept {
    return counters.frames_ok + (counters.drops_late - counters.implausible) + counters.drops_gap +
           counters.drops_rate_limited + counters.rate_skips + counters.skipped_by_reader -
           counters.changed_after_use;
  }
  void check_lower(const SimReceiver& receiver, std::uint64_t seq);
  void fail(const std::string& what);

  struct Position {
    std::uint64_t seq = 0;
    std::uint64_t accounted = 0;
  };

  Verdict* verdict_;
  std::uint32_t consumer_;
  std::uint64_t highest_epoch_ = 0;                 ///< that was mapped
  std::optional<std::uint64_t> accounted_at_zero_;  ///< until the first frame of such an epoch
  std::optional<Position> last_;  ///< the frame that was handed out last in this mapping
  std::uint64_t frames_ = 0;
  std::uint64_t mappings_ended_ = 0;
  ConsumerCounters seen_;    ///< at the last check
  ConsumerCounters before_;  ///< before the present descriptor
  std::uint64_t last_seq_before_ = 0;
  std::uint64_t frames_before_ = 0;
  bool tracking_before_ = false;
  bool draining_before_ = false;
  std::optional<std::uint64_t> highest_heard_;  ///< of descriptors, in this mapping
  bool tolerates_lower_ = false;
};

}  // namespace tensorpool::inline v0::sim
