// hot-path: besides what slot_reader.hpp does, no load. No allocation, no system call, no clock.
//
// The numbers of one mapping, from where a consumer began: each is read or skipped, in order, and
// accounted for at that moment. Which one is next to be read or skipped, and why, is the business
// of FrameReceiver and RingFollower; core/consumer/slot_reader reads it. Spec: §1.12, §1.14, §1.16;
// design §4 (accounting).
//
// Thread contract: one thread at a time.
//
// Accounting: with a..b the tracked numbers of a mapping, exactly (checked by `check_invariants`
// and in sim/)
//   b - a + 1 = frames_ok + (drops_late - implausible) + drops_gap + drops_rate_limited
//               + rate_skips + skipped_by_reader - changed_after_use
// A resync or a `latest` keeps its candidate out of the tracked range until it is read or given up.
#pragma once

#include <cstdint>

#include "core/consumer/frame.hpp"
#include "core/consumer/sequence_tracker.hpp"
#include "core/consumer/slot_reader.hpp"
#include "core/registration/rate.hpp"
#include "tensorpool/types/counters.hpp"

namespace tensorpool::inline v0::core::consumer {

template <class Atom>
class FrameIntake {
 public:
  using Memory = ring::StreamMemory<Atom>;

  /// Precondition: not attached; `memory` stays valid until detach().
  void attach(const Memory& memory, std::uint64_t epoch) noexcept {
    memory_ = &memory;
    tracker_ = SequenceTracker();
    reader_.attach(memory, epoch);
    at_attach_ = counters_;
    ++counters_.remaps;
  }

  /// Frames in flight are dropped (W244); counters stay (W247).
  void detach() noexcept {
    if (memory_ != nullptr) {
      ++counters_.discontinuities;
    }
    memory_ = nullptr;
  }

  [[nodiscard]] bool attached() const noexcept { return memory_ != nullptr; }
  /// Precondition: attached().
  [[nodiscard]] const Memory& memory() const noexcept { return *memory_; }

  /// Which numbers have been accounted for.
  [[nodiscard]] SequenceTracker& tracker() noexcept { return tracker_; }
  [[nodiscard]] const SequenceTracker& tracker() const noexcept { return tracker_; }
  /// The number that comes next. Precondition: tracker().started().
  [[nodiscard]] std::uint64_t next() const noexcept { return tracker_.next(); }

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
  /// True while whole batches arrive: the slots of the coming frames have been written, so that
  /// looking at them early does not take them from the writer.
  void set_far_behind(bool far_behind) noexcept { reader_.set_far_behind(far_behind); }

  /// Goes on to `seq`, where all before it has been accounted for, and reads it. True when its
  /// frame was whole and went to `sink`. `descriptor`: the one that spoke of it, or null.
  /// Precondition: attached().
  template <class Sink>
  bool take(std::uint64_t seq, const Descriptor* descriptor, Missed missed, Sink&& sink) noexcept {
    tracker_.advance(seq);
    if (gate_.is_active()) [[unlikely]] {
      return read_gated(seq, descriptor, missed, sink);
    }
    return reader_.read(seq, descriptor, missed, counters_, sink);
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

  [[nodiscard]] ConsumerCounters& counters() noexcept { return counters_; }
  [[nodiscard]] const ConsumerCounters& counters() const noexcept { return counters_; }

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

  const Memory* memory_ = nullptr;
  SequenceTracker tracker_;
  SlotReader<Atom> reader_;
  registration::RateGate gate_;
  Nanos arrival_{};
  bool jumps_expected_ = false;
  ConsumerCounters counters_;
  ConsumerCounters at_attach_;
};

}  // namespace tensorpool::inline v0::core::consumer
