// hot-path: per frame 1 load of the commit word besides what slot_reader.hpp does; an idle look is
// 1 load. No allocation, no system call, no clock (W275).
//
// Goes through the ring itself, number by number, without descriptors: direct mode, and descriptor
// mode with recover_gaps when descriptors stay away. Tells a frame that is yet to be written from
// one that was given up, and finds its place again after a lap. Pure. Design §4 (direct mode,
// recover_gaps).
//
// Thread contract: one thread at a time.
#pragma once

#include <algorithm>
#include <cstdint>

#include "base/mark.hpp"
#include "core/consumer/abort_proof.hpp"
#include "core/consumer/frame_intake.hpp"
#include "core/consumer/ring_search.hpp"

namespace tensorpool::inline v0::core::consumer {

template <class Atom>
class RingFollower {
 public:
  using Intake = FrameIntake<Atom>;

  /// Another mapping.
  void attach() noexcept { abort_proof_ = {}; }

  /// Takes up to `limit` frames as long as `may_go_on()`, which is asked before each number.
  /// `latest`: after a lap, or at once, goes on with the newest frame only. Returns how many went
  /// to `sink`.
  template <class MayGoOn, class Sink>
  int follow(Intake& intake, int limit, bool latest, MayGoOn&& may_go_on, Sink&& sink) noexcept {
    int delivered = 0;
    // Bounds the work of one call whatever the words of the ring say.
    for (std::uint32_t looks = 0; delivered < limit && looks < most_looks(intake); ++looks) {
      if (!may_go_on() || !begin(intake) || TP_BUGGIFY("follow_ring gives up early")) {
        break;
      }
      if (latest) {
        skip_to_newest(intake);
      }
      const std::uint64_t next = intake.next();
      const std::uint64_t word = word_for(intake.memory(), next);
      const std::uint64_t found = ring::sequence_of(word);
      if (found == next && ring::is_committed(word)) [[likely]] {
        delivered += intake.take(next, nullptr, Missed::kLate, sink) ? 1 : 0;
      } else if (found > next && belongs(intake.memory(), word, next)) {
        skip_lapped(intake, found, latest);
      } else if (found != next || !goes_on_after(intake, next)) {
        break;  // not written yet, or still being written
      }
    }
    return delivered;
  }

  /// Nothing was tracked yet: begins behind the newest committed frame. Precondition: attached.
  static void begin_at_end(Intake& intake) noexcept { begin_from_newest(intake, 1); }

  /// True when the ring holds the next frame, or a later one: one load. Precondition: tracking.
  [[nodiscard]] static bool next_is_there(const Intake& intake) noexcept {
    const std::uint64_t word = word_for(intake.memory(), intake.next());
    return ring::sequence_of(word) > intake.next() || word == ring::committed(intake.next());
  }

  /// True when follow() would get on, now or in a few calls: the next frame is there, or it was
  /// given up and one behind it is there. One load, and one for each claim that is open.
  /// Precondition: tracking.
  [[nodiscard]] static bool goes_on(const Intake& intake) noexcept {
    const std::uint64_t next = intake.next();
    const std::uint64_t word = word_for(intake.memory(), next);
    if (word == ring::in_progress(next)) {
      return any_committed_after(intake.memory(), next);
    }
    return ring::sequence_of(word) >= next;
  }

 private:
  [[nodiscard]] static std::uint32_t most_looks(const Intake& intake) noexcept {
    return intake.attached() ? intake.memory().nslots + 64U : 0U;
  }

  /// With the newest committed frame, counting nothing before it, or with the first one of the
  /// epoch.
  [[nodiscard]] static bool begin(Intake& intake) noexcept {
    if (!intake.tracker().started()) [[unlikely]] {
      begin_from_newest(intake, 0);
    }
    return intake.tracker().started();
  }

  /// `beyond` the newest committed frame; in a ring that has none yet, with the first.
  [[gnu::cold]] static void begin_from_newest(Intake& intake, std::uint64_t beyond) noexcept {
    if (const auto newest = newest_committed(intake.memory())) {
      intake.tracker().begin_at(*newest + beyond);
    } else if (nothing_committed_yet(intake.memory())) {
      intake.tracker().begin_at(0);
    }
  }

  static void skip_to_newest(Intake& intake) noexcept {
    const std::uint64_t next = intake.next();
    const std::uint64_t word = word_for(intake.memory(), next);
    const std::uint64_t found = ring::sequence_of(word);
    if (found < next || !belongs(intake.memory(), word, next)) {
      return;
    }
    const std::uint64_t newest =
        newest_whole(intake.memory(), newest_from(intake.memory(), found), next);
    if (newest > next) {
      intake.skip_until(newest, true);
    }
  }

  /// The writer has overwritten the next frame: go on half a ring behind its newest, or with the
  /// newest.
  static void skip_lapped(Intake& intake, std::uint64_t reached, bool latest) noexcept {
    const std::uint64_t newest = newest_from(intake.memory(), reached);
    const std::uint64_t back = latest ? 0 : intake.memory().nslots / 2;
    const std::uint64_t lowest = intake.next() + 1;
    // Never past an open claim: it may still be committed.
    const std::uint64_t resume =
        std::min(newest_whole(intake.memory(), newest, lowest), newest > back ? newest - back : 0);
    TP_MARK("a reader of the ring is lapped");
    intake.skip_until(std::max(resume, lowest), false);
  }

  /// From `newest` back over what is still being written, several with open claims, to a whole
  /// frame, but not below `lowest`; at most nslots steps.
  [[nodiscard]] static std::uint64_t newest_whole(const typename Intake::Memory& memory,
                                                  std::uint64_t newest,
                                                  std::uint64_t lowest) noexcept {
    while (newest > lowest && word_for(memory, newest) == ring::in_progress(newest)) {
      --newest;
    }
    return newest;
  }

  /// Slot `next` is IN_PROGRESS for `next`: true when it has to be looked at again, or when it was
  /// aborted, which is then accounted for.
  [[nodiscard]] bool goes_on_after(Intake& intake, std::uint64_t next) noexcept {
    switch (abort_proof_.judge(intake.memory(), next)) {
      case AbortProof<Atom>::Verdict::kNone:
        return false;
      case AbortProof<Atom>::Verdict::kChanged:
        return true;
      case AbortProof<Atom>::Verdict::kAborted:
        intake.skip_until(next + 1, false);
        return true;
    }
    return false;
  }

  AbortProof<Atom> abort_proof_;
};

}  // namespace tensorpool::inline v0::core::consumer
