// hot-path: per frame 1 load of the commit word besides what slot_reader.hpp does; an idle look at
// the ring is 1 load. No allocation, no system call, no clock (W275).
//
// Receives the frames of one mapping: by descriptor, by following the ring, or both. Decides which
// number comes next and accounts for each; core/consumer/slot_reader reads it. Pure: the caller
// polls the bus, owns the mapping and hands frames on. Spec: §1.12, §1.14; design §4 (direct mode,
// recover_gaps, accounting).
//
// Thread contract: one thread at a time.
//
// A sink is called as `Use sink(const Frame<Atom>&)`.
//
// Accounting: with a..b the tracked numbers of a mapping, exactly (checked by `check_invariants`
// and in sim/)
//   b - a + 1 = frames_ok + (drops_late - implausible) + drops_gap + drops_rate_limited
//               + rate_skips + skipped_by_reader - changed_after_use
// A number is accounted for at the moment tracking advances over it; a resync or a `latest` keeps
// its candidate out of the tracked range until it is read or given up.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <optional>

#include "base/mark.hpp"
#include "core/consumer/abort_proof.hpp"
#include "core/consumer/frame.hpp"
#include "core/consumer/ring_search.hpp"
#include "core/consumer/sequence_tracker.hpp"
#include "core/consumer/slot_reader.hpp"
#include "core/registration/rate.hpp"
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
    memory_ = &memory;
    tracker_ = SequenceTracker();
    if (options_.recover_gaps && epoch > epoch_) {
      begin_early(epoch);
    }
    epoch_ = epoch;
    early_ = {};
    reader_.attach(memory, epoch);
    abort_proof_ = {};
    skim_ = Skim::kOff;
    gap_ = {};
    unmap_.reset();
    at_attach_ = counters_;
    ++counters_.remaps;
  }

  /// The mapping is given up. Frames in flight are dropped (W244); counters stay (W247).
  void detach() noexcept {
    if (memory_ != nullptr) {
      ++counters_.discontinuities;
    }
    memory_ = nullptr;
    unmap_.reset();
  }

  [[nodiscard]] bool attached() const noexcept { return memory_ != nullptr; }
  [[nodiscard]] std::uint64_t epoch() const noexcept { return attached() ? epoch_ : 0; }
  /// The highest tracked sequence, or 0 before the first (W398).
  [[nodiscard]] std::uint64_t last_seq() const noexcept { return tracker_.last(); }
  [[nodiscard]] bool tracking() const noexcept { return tracker_.started(); }

  /// Set when a descriptor demands that the mapping be given up; no frame is accepted from then on
  /// (W245).
  [[nodiscard]] std::optional<UnmapCause> unmap_wanted() const noexcept { return unmap_; }

  /// The consumer uses another descriptor subscription from now on (W263).
  void subscription_changed() noexcept { tracker_.subscription_changed(); }

  /// Rate-limited delivery (§1.16). `gate_interval` other than 0: frames come from the shared
  /// stream and are dropped here. `jumps_expected`: they come from a stream of the consumer's own,
  /// which the producer thins, so that what is missing was not lost (W341).
  void limit_rate(Nanos gate_interval, bool jumps_expected) noexcept {
    gate_.set_interval(gate_interval);
    jumps_expected_ = jumps_expected;
  }
  [[nodiscard]] bool is_gated() const noexcept { return gate_.is_active(); }
  [[nodiscard]] bool expects_jumps() const noexcept { return jumps_expected_; }
  /// For the gate, where frames bear no time (W339).
  void set_arrival_time(Nanos now) noexcept { arrival_ = now; }

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
      ++counters_.malformed_messages;  // W255
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
    if (skim_ == Skim::kOff || memory_ == nullptr || unmap_) {
      return 0;
    }
    skim_ = Skim::kOff;
    tracker_.advance(candidate_.seq);
    return read(candidate_.seq, &candidate_, Missed::kLate, sink) ? 1 : 0;
  }

  /// A gap is being read from the ring; call fill_gap() before anything else.
  [[nodiscard]] bool filling_gap() const noexcept { return gap_.open; }

  /// Goes on reading the numbers before the descriptor that showed a gap, oldest first, and then
  /// that descriptor's own frame; what the ring no longer holds is a gap (W260). At most `limit`
  /// frames.
  template <class Sink>
  int fill_gap(int limit, Sink&& sink) noexcept {
    if (!gap_.open || memory_ == nullptr || unmap_) {
      gap_.open = false;
      return 0;
    }
    int delivered = 0;
    while (tracker_.next() != candidate_.seq && delivered < limit) {
      const std::uint64_t seq = tracker_.next();
      tracker_.advance(seq);
      if (read(seq, nullptr, Missed::kGap, sink)) {
        ++delivered;
        ++gap_.recovered;
        ++counters_.recovered;
        TP_MARK("a gap is filled from the ring");
      }
    }
    if (delivered >= limit) {
      return delivered;
    }
    gap_.open = false;
    const std::uint64_t limited = counters_.drops_rate_limited - gap_.limited_before;
    const std::uint64_t lost = gap_.missing - gap_.recovered - limited;
    if (options_.max_outstanding_seq_gap != 0 && lost > options_.max_outstanding_seq_gap) {
      ++counters_.resyncs;  // W265, W266
      TP_MARK("a resync");
      return delivered + hold(candidate_, Skim::kResync);
    }
    tracker_.advance(candidate_.seq);
    return delivered + (read(candidate_.seq, &candidate_, Missed::kLate, sink) ? 1 : 0);
  }

  /// Keeps only the newest of the descriptors that follow, up to on_drained().
  void begin_latest() noexcept {
    latest_wanted_ = true;
    if (gap_.open && attached()) {
      gap_.open = false;
      TP_MARK("latest ends the filling of a gap");
      skip_until(candidate_.seq, true);
      hold(candidate_, Skim::kLatest);
    }
  }
  void end_latest() noexcept { latest_wanted_ = false; }
  /// A resync is under way: the caller drains its subscription before it calls on_drained() (W265).
  [[nodiscard]] bool draining() const noexcept { return skim_ != Skim::kOff; }

  /// Reads up to `limit` frames from the ring itself (direct mode; descriptor mode with
  /// recover_gaps when descriptors stay away). `latest`: after a lap, or at once, go on with the
  /// newest frame only. Does nothing while a gap is being filled or
  /// descriptors are being drained.
  template <class Sink>
  int follow_ring(int limit, bool latest, Sink&& sink) noexcept {
    int delivered = 0;
    // Bounds the work of one call whatever the words of the ring say.
    for (std::uint32_t looks = 0; delivered < limit && looks < memory_limit(); ++looks) {
      if (!attached() || unmap_ || draining() || filling_gap() || !begin_following() ||
          TP_BUGGIFY("follow_ring gives up early")) {
        break;
      }
      if (latest) {
        skip_to_newest();
      }
      const std::uint64_t next = tracker_.next();
      const std::uint64_t word = word_for(*memory_, next);
      const std::uint64_t found = ring::sequence_of(word);
      if (found == next && ring::is_committed(word)) [[likely]] {
        tracker_.advance(next);
        delivered += read(next, nullptr, Missed::kLate, sink) ? 1 : 0;
      } else if (found > next && belongs(*memory_, word, next)) {
        skip_lapped(found, latest);
      } else if (found != next || !goes_on_after(next)) {
        break;  // not written yet, or still being written
      }
    }
    return delivered;
  }

  /// For a descriptor consumer that has not heard of any frame yet: tracking begins at the present
  /// end of the ring, so that frames committed from now on are found there.
  void start_at_end() noexcept {
    if (!attached() || tracker_.started()) {
      return;
    }
    if (const auto newest = newest_committed(*memory_)) {
      tracker_.begin_at(*newest + 1);
    } else if (nothing_committed_yet(*memory_)) {
      tracker_.begin_at(0);
    }
  }

  /// True when the ring holds the next frame, or a later one: one load. False before tracking
  /// began.
  [[nodiscard]] bool frame_in_ring() const noexcept {
    if (!attached() || !tracker_.started()) {
      return false;
    }
    const std::uint64_t word = word_for(*memory_, tracker_.next());
    return ring::sequence_of(word) > tracker_.next() || word == ring::committed(tracker_.next());
  }

  /// The same, also where the next number was given up and a frame behind it is there: no
  /// descriptor comes for that number, and its slot says nothing until the ring has come round. A
  /// load more for each claim that is open.
  [[nodiscard]] bool frame_waits_in_ring() const noexcept {
    return tracker_.started() && ring_goes_on();
  }

  /// The number that comes next, as far as that is known.
  [[nodiscard]] std::optional<std::uint64_t> next_seq() const noexcept {
    return attached() && tracker_.started() ? std::optional(tracker_.next()) : std::nullopt;
  }

  /// True when follow_ring() would get on, now or in a few calls: it has yet to begin, the next
  /// frame is there, or it was given up and one behind it is there. One load, and one for each
  /// claim that is open.
  [[nodiscard]] bool ring_goes_on() const noexcept {
    if (!attached() || !tracker_.started()) {
      return attached();
    }
    const std::uint64_t next = tracker_.next();
    const std::uint64_t word = word_for(*memory_, next);
    if (word == ring::in_progress(next)) {
      return any_committed_after(*memory_, next);
    }
    return ring::sequence_of(word) >= next;
  }

  /// The check after use for a frame that was kept; counts its failure (W173). Call once per frame.
  void report_changed_after_use(std::uint64_t frames = 1) noexcept {
    count_changed_after_use(counters_, frames);
  }

  /// True while whole batches arrive: the slots of the coming frames have been written, so that
  /// looking at them early does not take them from the writer.
  void set_far_behind(bool far_behind) noexcept { reader_.set_far_behind(far_behind); }

  [[nodiscard]] ConsumerCounters& counters() noexcept { return counters_; }
  [[nodiscard]] const ConsumerCounters& counters() const noexcept { return counters_; }
  [[nodiscard]] const Options& options() const noexcept { return options_; }

  /// True when the accounting identity of the present mapping holds; the simulator asks after every
  /// event.
  [[nodiscard]] bool check_invariants() const noexcept {
    const ConsumerCounters& now = counters_;
    const ConsumerCounters& then = at_attach_;
    const std::uint64_t plus =
        (now.frames_ok - then.frames_ok) + (now.drops_late - then.drops_late) +
        (now.drops_gap - then.drops_gap) + (now.drops_rate_limited - then.drops_rate_limited) +
        (now.rate_skips - then.rate_skips) + (now.skipped_by_reader - then.skipped_by_reader);
    const std::uint64_t minus =
        (now.implausible - then.implausible) + (now.changed_after_use - then.changed_after_use);
    return !attached() || tracker_.accounted() == plus - minus;
  }

 private:
  [[nodiscard]] std::uint32_t memory_limit() const noexcept {
    return attached() ? memory_->nslots + 64U : 0U;
  }

  [[nodiscard]] bool accepts_epoch_of(const Descriptor& descriptor, bool in_fallback) noexcept {
    if (memory_ == nullptr || unmap_) {
      if (!in_fallback) {
        ++counters_.drops_unmapped;
        heard_early(descriptor);
      }
      return false;
    }
    if (descriptor.epoch != epoch_) {
      ++counters_.drops_epoch_mismatch;
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
    if (ring::sequence_of(word_for(*memory_, first)) == first) {
      TP_MARK("an epoch is read from frames before its mapping on");
      tracker_.begin_at(first);
    }
  }

  /// W257: a genuine descriptor is sent after its commit, so its slot is never behind it.
  [[nodiscard]] bool is_plausible(const Descriptor& descriptor) noexcept {
    const auto* const slot = memory_->slot(memory_->index_of(descriptor.seq));
    const std::uint64_t word = Atom::template load_acquire<base::Edge::kPlausibleLoad>(*slot);
    if (ring::sequence_of(word) >= descriptor.seq) [[likely]] {
      return true;
    }
    ++counters_.drops_late;
    ++counters_.implausible;
    TP_MARK("a descriptor ahead of its slot");
    ++(ring::is_committed(word) ? counters_.drops_seq_mismatch : counters_.drops_in_progress);
    return false;
  }

  template <class Sink>
  int track(const Descriptor& descriptor, Sink&& sink, int limit) noexcept {
    const std::uint64_t seq = descriptor.seq;
    if (skim_ != Skim::kOff) {
      return skim_past(descriptor);
    }
    const SequenceTracker::Verdict verdict = tracker_.judge(seq);
    tracker_.heard_descriptor(seq);
    switch (verdict) {
      case SequenceTracker::Verdict::kFirst:
      case SequenceTracker::Verdict::kNext:
        if (latest_wanted_) {
          return hold(descriptor, Skim::kLatest);
        }
        tracker_.advance(seq);
        return read(seq, &descriptor, Missed::kLate, sink) ? 1 : 0;
      case SequenceTracker::Verdict::kGap:
        return over_gap(descriptor, sink, limit);
      case SequenceTracker::Verdict::kDuplicate:
        TP_MARK("a duplicate");
        ++counters_.drops_duplicate;
        return 0;
      case SequenceTracker::Verdict::kBehind:
        ++counters_.descriptors_behind;
        TP_MARK("a descriptor of a frame that was read from the ring");
        return 0;
      case SequenceTracker::Verdict::kRegression:
        ++counters_.seq_regressions;
        TP_MARK("numbers go back");
        unmap_ = UnmapCause::kSequenceRegression;
        return 0;
    }
    return 0;
  }

  /// Numbers are missing before `descriptor`: read them from the ring, count the rest, resync when
  /// too many are lost.
  template <class Sink>
  int over_gap(const Descriptor& descriptor, Sink&& sink, int limit) noexcept {
    if (latest_wanted_) {
      skip_gap(descriptor.seq, options_.recover_gaps);
      return hold(descriptor, Skim::kLatest);
    }
    if (jumps_expected_) {
      skip_gap(descriptor.seq, false);
      tracker_.advance(descriptor.seq);
      return read(descriptor.seq, &descriptor, Missed::kLate, sink) ? 1 : 0;
    }
    candidate_ = descriptor;
    gap_ = {.open = true,
            .missing = descriptor.seq - tracker_.next(),
            .recovered = 0,
            .limited_before = counters_.drops_rate_limited};
    if (!options_.recover_gaps) {
      skip_until(descriptor.seq, false);
    } else if (gap_.missing > memory_->nslots - 1U) {
      skip_until(descriptor.seq - (memory_->nslots - 1U), false);
    }
    return fill_gap(limit, sink);
  }

  /// Accounts for all numbers before `end` without reading them.
  void skip_until(std::uint64_t end, bool by_reader) noexcept {
    const std::uint64_t count = end - tracker_.next();
    if (count == 0) {
      return;
    }
    (by_reader ? counters_.skipped_by_reader : counters_.drops_gap) += count;
    tracker_.advance(end - 1);
  }

  /// The same for numbers that no descriptor has announced: of a thinned stream they were not
  /// lost (W341).
  void skip_gap(std::uint64_t end, bool by_reader) noexcept {
    if (jumps_expected_ && end != tracker_.next()) [[unlikely]] {
      counters_.rate_skips += end - tracker_.next();
      tracker_.advance(end - 1);
      return;
    }
    skip_until(end, by_reader);
  }

  /// Makes `descriptor` the candidate; everything before it has been accounted for.
  int hold(Descriptor descriptor, Skim skim) noexcept {
    if (!tracker_.started()) {
      tracker_.begin_at(descriptor.seq);
    }
    skim_ = skim;
    candidate_ = descriptor;
    return 0;
  }

  /// A resync or a `latest` is under way: the newer descriptor replaces the candidate.
  int skim_past(const Descriptor& descriptor) noexcept {
    tracker_.heard_descriptor(descriptor.seq);
    if (descriptor.seq <= candidate_.seq) {
      ++counters_.drops_duplicate;
      return 0;
    }
    skip_until(candidate_.seq + 1, skim_ == Skim::kLatest);
    skip_gap(descriptor.seq, skim_ == Skim::kLatest && options_.recover_gaps);
    candidate_ = descriptor;
    return 0;
  }

  /// Direct mode starts with the newest committed frame, counting nothing before it, or with the
  /// first one of the epoch.
  [[nodiscard]] bool begin_following() noexcept {
    if (tracker_.started()) [[likely]] {
      return true;
    }
    if (const auto newest = newest_committed(*memory_)) {
      tracker_.begin_at(*newest);
    } else if (nothing_committed_yet(*memory_)) {
      tracker_.begin_at(0);
    }
    return tracker_.started();
  }

  void skip_to_newest() noexcept {
    const std::uint64_t word = word_for(*memory_, tracker_.next());
    const std::uint64_t found = ring::sequence_of(word);
    if (found < tracker_.next() || !belongs(*memory_, word, tracker_.next())) {
      return;
    }
    const std::uint64_t newest = newest_whole(newest_from(*memory_, found), tracker_.next());
    if (newest > tracker_.next()) {
      skip_until(newest, true);
    }
  }

  /// The writer has overwritten the next frame: go on half a ring behind its newest, or with the
  /// newest.
  void skip_lapped(std::uint64_t reached, bool latest) noexcept {
    const std::uint64_t newest = newest_from(*memory_, reached);
    const std::uint64_t back = latest ? 0 : memory_->nslots / 2;
    const std::uint64_t lowest = tracker_.next() + 1;
    // Never past an open claim: it may still be committed.
    const std::uint64_t resume =
        std::min(newest_whole(newest, lowest), newest > back ? newest - back : 0);
    TP_MARK("a reader of the ring is lapped");
    skip_until(std::max(resume, lowest), false);
  }

  /// From `newest` back over what is still being written, several with open claims, to a whole
  /// frame, but not below `lowest`; at most nslots steps.
  [[nodiscard]] std::uint64_t newest_whole(std::uint64_t newest,
                                           std::uint64_t lowest) const noexcept {
    while (newest > lowest && word_for(*memory_, newest) == ring::in_progress(newest)) {
      --newest;
    }
    return newest;
  }

  /// Slot `next` is IN_PROGRESS for `next`: true when it has to be looked at again, or when it was
  /// aborted, which is then accounted for.
  [[nodiscard]] bool goes_on_after(std::uint64_t next) noexcept {
    switch (abort_proof_.judge(*memory_, next)) {
      case AbortProof<Atom>::Verdict::kNone:
        return false;
      case AbortProof<Atom>::Verdict::kChanged:
        return true;
      case AbortProof<Atom>::Verdict::kAborted:
        skip_until(next + 1, false);
        return true;
    }
    return false;
  }

  /// Reads one number that tracking has advanced over.
  template <class Sink>
  bool read(std::uint64_t seq, const Descriptor* descriptor, Missed missed, Sink&& sink) noexcept {
    if (gate_.is_active()) [[unlikely]] {
      return read_gated(seq, descriptor, missed, sink);
    }
    return reader_.read(seq, descriptor, missed, counters_, sink);
  }

  /// W267, W338: the gate stands before the slot where the descriptor bears a time, else behind it.
  template <class Sink>
  bool read_gated(std::uint64_t seq, const Descriptor* descriptor, Missed missed,
                  Sink&& sink) noexcept {
    using registration::FrameTime;
    if (descriptor != nullptr && descriptor->timestamp_ns != layout::kTimestampNone) {
      if (!gate_.accepts(FrameTime::of_descriptor(descriptor->timestamp_ns))) {
        ++counters_.drops_rate_limited;
        return false;
      }
      return reader_.read(seq, descriptor, missed, counters_, sink);
    }
    bool refused = false;
    const bool whole =
        reader_.read(seq, descriptor, missed, counters_, [&](const Frame<Atom>& frame) {
          refused = !gate_.accepts(FrameTime::of_slot(frame.timestamp_ns, arrival_));
          return refused ? Use::kKept : sink(frame);
        });
    if (refused) {
      --counters_.frames_ok;  // was counted before the sink looked at it
      ++counters_.drops_rate_limited;
    }
    return whole && !refused;
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
  const Memory* memory_ = nullptr;
  std::uint64_t epoch_ = 0;
  SequenceTracker tracker_;
  SlotReader<Atom> reader_;
  AbortProof<Atom> abort_proof_;
  Skim skim_ = Skim::kOff;
  Gap gap_;
  bool latest_wanted_ = false;
  bool jumps_expected_ = false;
  registration::RateGate gate_;
  Nanos arrival_{};
  Descriptor candidate_;
  std::optional<UnmapCause> unmap_;
  Early early_;
  ConsumerCounters counters_;
  ConsumerCounters at_attach_;
};

}  // namespace tensorpool::inline v0::core::consumer
