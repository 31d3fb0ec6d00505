// hot-path: per descriptor 1 load of the commit word besides what slot_reader.hpp does. No
// allocation, no system call, no clock (W275).
//
// Receives the frames of one mapping: by descriptor, by following the ring, or both. Judges
// descriptors, fills the gaps that they show, ends a resync and a `latest` with the newest frame.
// Pure: the caller polls the bus, owns the mapping and hands frames on.
//
// | core/consumer/          |                                                        |
// | frame_receiver (here)   | descriptors: which number is next because they say so  |
// | ring_follower           | without descriptors: which number is next in the ring  |
// | frame_intake            | reads or skips the next number, and accounts for it    |
// | slot_reader             | reads the slot of one number                           |
//
// Spec: §1.12, §1.14; design §4 (direct mode, recover_gaps).
//
// Thread contract: one thread at a time.
//
// A sink is called as `Use sink(const Frame<Atom>&)`.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>

#include "base/mark.hpp"
#include "core/consumer/frame.hpp"
#include "core/consumer/frame_intake.hpp"
#include "core/consumer/ring_follower.hpp"
#include "core/consumer/ring_search.hpp"
#include "core/consumer/sequence_tracker.hpp"
#include "core/consumer/slot_reader.hpp"
#include "tensorpool/types/counters.hpp"

namespace tensorpool::inline v0::core::consumer {

/// Why the receiver asks for the mapping to be given up (§1.11.3).
enum class UnmapCause : std::uint8_t { kHigherEpochSeen, kSequenceRegression };

/// What `latest` and resync do with all descriptors but the newest.
enum class Skim : std::uint8_t { kOff, kResync, kLatest };

template <class Atom>
class FrameReceiver {
 public:
  using Memory = ring::StreamMemory<Atom>;

  struct Options {
    std::uint32_t stream_id = 0;
    bool recover_gaps = true;
    std::uint64_t max_outstanding_seq_gap = 256;  ///< 0 = never resync (W266)
  };

  explicit FrameReceiver(const Options& options) noexcept : options_(options) {}

  /// The stream to receive, where it was not known before. Precondition: not attached.
  void set_stream(std::uint32_t stream_id) noexcept { options_.stream_id = stream_id; }

  /// A mapping of `epoch` is complete and checked: tracking begins anew (§1.11.3), with
  /// recover_gaps at the first frame of an epoch that this consumer has followed its stream into,
  /// if the ring still holds it.
  /// Precondition: not attached; `memory` stays valid until detach().
  void attach(const Memory& memory, std::uint64_t epoch) noexcept {
    intake_.attach(memory, epoch);
    follower_.attach();
    if (options_.recover_gaps && epoch > epoch_) {
      begin_early(epoch);
    }
    epoch_ = epoch;
    early_ = {};
    skim_ = Skim::kOff;
    gap_ = {};
    unmap_.reset();
  }

  /// The mapping is given up. Frames in flight are dropped (W244); counters stay (W247).
  void detach() noexcept {
    intake_.detach();
    unmap_.reset();
  }

  [[nodiscard]] bool attached() const noexcept { return intake_.attached(); }
  [[nodiscard]] std::uint64_t epoch() const noexcept { return attached() ? epoch_ : 0; }
  /// The highest tracked sequence, or 0 before the first (W398).
  [[nodiscard]] std::uint64_t last_seq() const noexcept { return intake_.tracker().last(); }
  [[nodiscard]] bool tracking() const noexcept { return intake_.tracker().started(); }

  /// Set when a descriptor demands that the mapping be given up; no frame is accepted from then on
  /// (W245).
  [[nodiscard]] std::optional<UnmapCause> unmap_wanted() const noexcept { return unmap_; }

  /// The consumer uses another descriptor subscription from now on (W263).
  void subscription_changed() noexcept { intake_.tracker().subscription_changed(); }

  /// See FrameIntake.
  void limit_rate(Nanos gate_interval, bool jumps_expected) noexcept {
    intake_.limit_rate(gate_interval, jumps_expected);
  }
  [[nodiscard]] bool is_gated() const noexcept { return intake_.is_gated(); }
  [[nodiscard]] bool expects_jumps() const noexcept { return intake_.expects_jumps(); }
  void set_arrival_time(Nanos now) noexcept { intake_.set_arrival_time(now); }
  void set_far_behind(bool far_behind) noexcept { intake_.set_far_behind(far_behind); }

  /// One descriptor (W254..W275). `in_fallback`: the consumer is in FALLBACK and ignores
  /// descriptors (§1.11.3). Returns the number of frames handed to `sink`, at most `limit`: filling
  /// a gap may hand out up to nslots - 1 more than the descriptor's own.
  ///
  /// Precondition: not filling_gap(). A caller with a limit asks fill_gap() first and gives one
  /// descriptor at a time.
  template <class Sink>
  int on_descriptor(const Descriptor& descriptor, bool in_fallback, Sink&& sink,
                    int limit = std::numeric_limits<int>::max()) noexcept {
    if (descriptor.stream_id != options_.stream_id) {
      return 0;  // W254
    }
    if (descriptor.seq >= layout::kSeqLimit) [[unlikely]] {
      ++counters().malformed_messages;  // W255
      return 0;
    }
    if (!accepts_epoch_of(descriptor, in_fallback) || !is_plausible(descriptor)) [[unlikely]] {
      return 0;
    }
    return track(descriptor, sink, limit);
  }

  /// All descriptors that were queued have been given: ends a resync or a `latest` by reading the
  /// newest of them.
  template <class Sink>
  int on_drained(Sink&& sink) noexcept {
    if (skim_ == Skim::kOff || !attached() || unmap_) {
      return 0;
    }
    skim_ = Skim::kOff;
    return take(candidate_, sink);
  }

  /// A gap is being read from the ring; call fill_gap() before anything else.
  [[nodiscard]] bool filling_gap() const noexcept { return gap_.open; }

  /// Goes on reading the numbers before the descriptor that showed a gap, oldest first, and then
  /// that descriptor's own frame; what the ring no longer holds is a gap (W260). At most `limit`
  /// frames.
  template <class Sink>
  int fill_gap(int limit, Sink&& sink) noexcept {
    if (!gap_.open || !attached() || unmap_) {
      gap_.open = false;
      return 0;
    }
    int delivered = 0;
    while (intake_.next() != candidate_.seq && delivered < limit) {
      if (intake_.take(intake_.next(), nullptr, Missed::kGap, sink)) {
        ++delivered;
        ++gap_.recovered;
        ++counters().recovered;
        TP_MARK("a gap is filled from the ring");
      }
    }
    if (delivered >= limit) {
      return delivered;
    }
    gap_.open = false;
    const std::uint64_t limited = counters().drops_rate_limited - gap_.limited_before;
    const std::uint64_t lost = gap_.missing - gap_.recovered - limited;
    if (options_.max_outstanding_seq_gap != 0 && lost > options_.max_outstanding_seq_gap) {
      ++counters().resyncs;  // W265, W266
      TP_MARK("a resync");
      return delivered + hold(candidate_, Skim::kResync);
    }
    return delivered + take(candidate_, sink);
  }

  /// Keeps only the newest of the descriptors that follow, up to on_drained().
  void begin_latest() noexcept {
    latest_wanted_ = true;
    if (gap_.open && attached()) {
      gap_.open = false;
      TP_MARK("latest ends the filling of a gap");
      intake_.skip_until(candidate_.seq, true);
      hold(candidate_, Skim::kLatest);
    }
  }
  void end_latest() noexcept { latest_wanted_ = false; }
  /// A resync is under way: the caller drains its subscription before it calls on_drained() (W265).
  [[nodiscard]] bool draining() const noexcept { return skim_ != Skim::kOff; }

  /// Reads up to `limit` frames from the ring itself. `latest`: after a lap, or at once, goes on
  /// with the newest frame only. Does nothing while a gap is being filled or descriptors are being
  /// drained.
  template <class Sink>
  int follow_ring(int limit, bool latest, Sink&& sink) noexcept {
    const auto may_go_on = [this] {
      return attached() && !unmap_ && !draining() && !filling_gap();
    };
    return follower_.follow(intake_, limit, latest, may_go_on, sink);
  }

  /// For a descriptor consumer that has not heard of any frame yet: tracking begins at the present
  /// end of the ring, so that frames committed from now on are found there.
  void start_at_end() noexcept {
    if (attached() && !tracking()) {
      Follower::begin_at_end(intake_);
    }
  }

  /// True when the ring holds the next frame, or a later one: one load. False before tracking
  /// began.
  [[nodiscard]] bool frame_in_ring() const noexcept {
    return attached() && tracking() && Follower::next_is_there(intake_);
  }

  /// The same, also where the next number was given up and a frame behind it is there: no
  /// descriptor comes for that number, and its slot says nothing until the ring has come round. A
  /// load more for each claim that is open.
  [[nodiscard]] bool frame_waits_in_ring() const noexcept {
    return attached() && tracking() && Follower::goes_on(intake_);
  }

  /// The number that comes next, as far as that is known.
  [[nodiscard]] std::optional<std::uint64_t> next_seq() const noexcept {
    return attached() && tracking() ? std::optional(intake_.next()) : std::nullopt;
  }

  /// True when follow_ring() would get on, now or in a few calls: it has yet to begin, the next
  /// frame is there, or it was given up and one behind it is there. One load, and one for each
  /// claim that is open.
  [[nodiscard]] bool ring_goes_on() const noexcept {
    return attached() && (!tracking() || Follower::goes_on(intake_));
  }

  /// The check after use for a frame that was kept; counts its failure (W173). Call once per frame.
  void report_changed_after_use(std::uint64_t frames = 1) noexcept {
    count_changed_after_use(counters(), frames);
  }

  [[nodiscard]] ConsumerCounters& counters() noexcept { return intake_.counters(); }
  [[nodiscard]] const ConsumerCounters& counters() const noexcept { return intake_.counters(); }
  [[nodiscard]] const Options& options() const noexcept { return options_; }

  /// True when the accounting identity of the present mapping holds; the simulator asks after every
  /// event.
  [[nodiscard]] bool check_invariants() const noexcept { return intake_.check_invariants(); }

 private:
  using Follower = RingFollower<Atom>;

  [[nodiscard]] bool accepts_epoch_of(const Descriptor& descriptor, bool in_fallback) noexcept {
    if (!attached() || unmap_) {
      if (!in_fallback) {
        ++counters().drops_unmapped;
        heard_early(descriptor);
      }
      return false;
    }
    if (descriptor.epoch != epoch_) {
      ++counters().drops_epoch_mismatch;
      if (descriptor.epoch > epoch_) {
        unmap_ = UnmapCause::kHigherEpochSeen;
        TP_MARK("a descriptor of a higher epoch");
      }
      return false;
    }
    return true;
  }

  /// A descriptor came before its epoch was mapped.
  void heard_early(const Descriptor& descriptor) noexcept {
    if (descriptor.epoch > early_.epoch) {
      early_ = {.epoch = descriptor.epoch, .seq = descriptor.seq};
    }
  }

  /// An epoch above all that were mapped before: what of it was published while it was being mapped
  /// is still in the ring, as a rule. W258 leaves the first number open; whoever was there before
  /// begins with the frame that would have come next: number 0, or in its first epoch the one that
  /// the first descriptor spoke of. A newcomer, who has heard nothing, begins where the stream is.
  void begin_early(std::uint64_t epoch) noexcept {
    const bool follows = epoch_ != 0;
    if (!follows && early_.epoch != epoch) {
      return;
    }
    const std::uint64_t first = follows ? 0 : early_.seq;
    if (ring::sequence_of(word_for(intake_.memory(), first)) == first) {
      TP_MARK("an epoch is read from frames before its mapping on");
      intake_.tracker().begin_at(first);
    }
  }

  /// W257: a genuine descriptor is sent after its commit, so its slot is never behind it.
  [[nodiscard]] bool is_plausible(const Descriptor& descriptor) noexcept {
    const auto* const slot = intake_.memory().slot(intake_.memory().index_of(descriptor.seq));
    const std::uint64_t word = Atom::template load_acquire<base::Edge::kPlausibleLoad>(*slot);
    if (ring::sequence_of(word) >= descriptor.seq) [[likely]] {
      return true;
    }
    ++counters().drops_late;
    ++counters().implausible;
    TP_MARK("a descriptor ahead of its slot");
    ++(ring::is_committed(word) ? counters().drops_seq_mismatch : counters().drops_in_progress);
    return false;
  }

  template <class Sink>
  int track(const Descriptor& descriptor, Sink&& sink, int limit) noexcept {
    const std::uint64_t seq = descriptor.seq;
    if (skim_ != Skim::kOff) {
      return skim_past(descriptor);
    }
    const SequenceTracker::Verdict verdict = intake_.tracker().judge(seq);
    intake_.tracker().heard_descriptor(seq);
    switch (verdict) {
      case SequenceTracker::Verdict::kFirst:
      case SequenceTracker::Verdict::kNext:
        if (latest_wanted_) {
          return hold(descriptor, Skim::kLatest);
        }
        return take(descriptor, sink);
      case SequenceTracker::Verdict::kGap:
        return over_gap(descriptor, sink, limit);
      case SequenceTracker::Verdict::kDuplicate:
        TP_MARK("a duplicate");
        ++counters().drops_duplicate;
        return 0;
      case SequenceTracker::Verdict::kBehind:
        ++counters().descriptors_behind;
        TP_MARK("a descriptor of a frame that was read from the ring");
        return 0;
      case SequenceTracker::Verdict::kRegression:
        ++counters().seq_regressions;
        TP_MARK("numbers go back");
        unmap_ = UnmapCause::kSequenceRegression;
        return 0;
    }
    return 0;
  }

  /// Reads the frame that a descriptor has announced, where all before it has been accounted for.
  template <class Sink>
  int take(const Descriptor& descriptor, Sink&& sink) noexcept {
    return intake_.take(descriptor.seq, &descriptor, Missed::kLate, sink) ? 1 : 0;
  }

  /// Numbers are missing before `descriptor`: read them from the ring, count the rest, resync when
  /// too many are lost.
  template <class Sink>
  int over_gap(const Descriptor& descriptor, Sink&& sink, int limit) noexcept {
    if (latest_wanted_) {
      intake_.skip_gap(descriptor.seq, options_.recover_gaps);
      return hold(descriptor, Skim::kLatest);
    }
    if (intake_.expects_jumps()) {
      intake_.skip_gap(descriptor.seq, false);
      return take(descriptor, sink);
    }
    candidate_ = descriptor;
    gap_ = {.open = true,
            .missing = descriptor.seq - intake_.next(),
            .recovered = 0,
            .limited_before = counters().drops_rate_limited};
    if (!options_.recover_gaps) {
      intake_.skip_until(descriptor.seq, false);
    } else if (gap_.missing > intake_.memory().nslots - 1U) {
      intake_.skip_until(descriptor.seq - (intake_.memory().nslots - 1U), false);
    }
    return fill_gap(limit, sink);
  }

  /// Makes `descriptor` the candidate; everything before it has been accounted for.
  int hold(Descriptor descriptor, Skim skim) noexcept {
    if (!tracking()) {
      intake_.tracker().begin_at(descriptor.seq);
    }
    skim_ = skim;
    candidate_ = descriptor;
    return 0;
  }

  /// A resync or a `latest` is under way: the newer descriptor replaces the candidate.
  int skim_past(const Descriptor& descriptor) noexcept {
    intake_.tracker().heard_descriptor(descriptor.seq);
    if (descriptor.seq <= candidate_.seq) {
      ++counters().drops_duplicate;
      return 0;
    }
    intake_.skip_until(candidate_.seq + 1, skim_ == Skim::kLatest);
    intake_.skip_gap(descriptor.seq, skim_ == Skim::kLatest && options_.recover_gaps);
    candidate_ = descriptor;
    return 0;
  }

  /// The gap that the candidate descriptor has shown and that is being read from the ring.
  struct Gap {
    bool open = false;
    std::uint64_t missing = 0;
    std::uint64_t recovered = 0;
    std::uint64_t limited_before = 0;  ///< drops_rate_limited when it was seen
  };

  /// Of the newest epoch that was heard of while nothing was mapped: the first descriptor.
  struct Early {
    std::uint64_t epoch = 0;
    std::uint64_t seq = 0;
  };

  Options options_;
  FrameIntake<Atom> intake_;
  Follower follower_;
  std::uint64_t epoch_ = 0;  // of the last mapping
  Skim skim_ = Skim::kOff;
  Gap gap_;
  bool latest_wanted_ = false;
  Descriptor candidate_;
  std::optional<UnmapCause> unmap_;
  Early early_;
};

}  // namespace tensorpool::inline v0::core::consumer
