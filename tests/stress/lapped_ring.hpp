// A writer at full speed and a reader that it laps, over the templates that ship; between processes
// or between threads.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "core/consumer/frame_receiver.hpp"
#include "core/producer/frame_writer.hpp"
#include "stress/frame_content.hpp"

namespace tensorpool::stress {

inline constexpr std::uint32_t kStreamId = 10000;

/// How a reader comes by its frames.
enum class Route : std::uint8_t {
  kChosen,  ///< as by a descriptor, always of the frame that is overwritten next
  kRing,    ///< direct mode, every second time with `latest`
};

/// What the writer does, and how the reader follows.
struct Traffic {
  const char* name = "";
  std::uint32_t nslots = 2;
  std::array<std::uint32_t, 2> strides{64, 64};  ///< of pools 1 and 2
  std::size_t bytes_min = 64;
  std::size_t bytes_max = 64;
  core::CopyKind copies = core::CopyKind::kCached;
  bool claims = false;  ///< two at a time, filled newest first, the older aborted now and then
  Route route = Route::kChosen;
};

template <class Atom>
class LappingWriter {
 public:
  LappingWriter(const core::ring::StreamMemory<Atom>& memory, std::uint64_t epoch,
                const Traffic& traffic)
      : traffic_(traffic),
        book_(/*seed=*/epoch, traffic.bytes_min, traffic.bytes_max),
        writer_(memory, {.stream_id = kStreamId, .epoch = epoch, .copy_kind = traffic.copies}) {}

  /// One frame, or two claims.
  void write() {
    const std::uint64_t seq = writer_.next_seq();
    const Page& page = book_.page_of(seq);
    if (!traffic_.claims) {
      good_ &= writer_.publish(page.info, page.bytes, page.seal(seq)) == PublishStatus::kPublished;
      return;
    }
    core::producer::OpenClaim older;
    core::producer::OpenClaim newer;
    const Page& next = book_.page_of(seq + 1);
    good_ &= writer_.claim(page.bytes.size(), older) == PublishStatus::kPublished;
    good_ &= writer_.claim(next.bytes.size(), newer) == PublishStatus::kPublished;
    fill(newer, next);
    fill(older, page);
    good_ &= seq % 16 == 0 ? writer_.abort(older) : commit(older, page);
    good_ &= commit(newer, next);
  }
  /// Every call was answered as it should be.
  [[nodiscard]] bool good() const noexcept { return good_; }
  [[nodiscard]] std::uint64_t frames() const noexcept { return writer_.next_seq(); }

 private:
  void fill(const core::producer::OpenClaim& claim, const Page& page) {
    core::copy_in(claim.payload.data(), page.bytes.data(), page.bytes.size(), traffic_.copies);
  }
  [[nodiscard]] bool commit(const core::producer::OpenClaim& claim, const Page& page) {
    return writer_.commit(claim, page.info, page.bytes.size(), page.seal(claim.seq)) ==
           CommitStatus::kCommitted;
  }

  Traffic traffic_;
  Book book_;
  core::producer::FrameWriter<Atom> writer_;
  bool good_ = true;
};

/// What became of the reads.
struct Tally {
  std::uint64_t tried = 0;       ///< looks at the ring that may have led to a frame
  std::uint64_t accepted = 0;    ///< passed every check, the one after use included
  std::uint64_t overlapped = 0;  ///< the slot's word changed between first load and end of use
  std::uint64_t mixed = 0;       ///< accepted, or taken for a header, and not of one frame
  std::uint64_t unbalanced = 0;  ///< the accounting identity did not hold
};

/// How a reader uses the payload.
enum class Reading : std::uint8_t { kInPlace, kCopies, kBoth };

template <class Atom>
class LappedReader {
 public:
  LappedReader(const core::ring::StreamMemory<Atom>& memory, std::uint64_t epoch,
               const Traffic& traffic, Reading reading)
      : memory_(&memory),
        route_(traffic.route),
        reading_(reading),
        copy_(largest_stride(memory)),
        receiver_({.stream_id = kStreamId, .recover_gaps = false, .max_outstanding_seq_gap = 0}) {
    receiver_.attach(memory, epoch);
  }

  /// Reads one frame, or finds none.
  void step() {
    const ConsumerCounters before = receiver_.counters();
    const bool in_place =
        reading_ == Reading::kInPlace || (reading_ == Reading::kBoth && tally_.tried % 4 < 2);
    bool whole = false;
    const auto use = [&](const core::consumer::Frame<Atom>& frame) {
      return in_place ? use_in_place(frame, whole) : use_copy(frame, whole);
    };
    if (route_ == Route::kRing) {
      receiver_.follow_ring(1, tally_.tried % 2 == 0, use);
    } else if (const auto seq = overwritten_next()) {
      receiver_.on_descriptor({.stream_id = kStreamId, .epoch = receiver_.epoch(), .seq = *seq},
                              false, use);
    } else {
      return;
    }
    count(before, receiver_.counters(), whole);
  }
  [[nodiscard]] const Tally& tally() const noexcept { return tally_; }

 private:
  [[nodiscard]] static std::size_t largest_stride(const core::ring::StreamMemory<Atom>& memory) {
    std::size_t most = 0;
    for (const core::ring::PoolMemory& pool : memory.pools) {
      most = std::max<std::size_t>(most, pool.stride_bytes);
    }
    return most;
  }
  /// Looks at one slot. Its frame, when that was not read before and is the next one that the
  /// writer overwrites: a reader as fast as the writer would else never be lapped.
  [[nodiscard]] std::optional<std::uint64_t> overwritten_next() {
    const std::uint64_t word = core::consumer::word_for(*memory_, cursor_++);
    const std::uint64_t seq = core::ring::sequence_of(word);
    const std::uint64_t newest = seq + memory_->nslots - 1;
    if (!core::ring::is_committed(word) || seq < next_ ||
        core::ring::sequence_of(core::consumer::word_for(*memory_, newest)) < newest) {
      return std::nullopt;
    }
    next_ = seq + 1;
    return seq;
  }
  [[nodiscard]] static bool is_whole(const core::consumer::Frame<Atom>& frame,
                                     std::span<const std::byte> payload) {
    return frame.timestamp_ns == seal_of(frame.seq, hash_of(payload), hash_of(frame.tensor->info));
  }
  /// The receiver makes the check after use (W172).
  core::consumer::Use use_in_place(const core::consumer::Frame<Atom>& frame, bool& whole) {
    whole = is_whole(frame, frame.payload);
    return core::consumer::Use::kDone;
  }
  /// As the copying interface does it (W174): copy, check, and only then look.
  core::consumer::Use use_copy(const core::consumer::Frame<Atom>& frame, bool& whole) {
    const auto copied = std::span(copy_).first(frame.payload.size());
    core::copy_out(copied.data(), frame.payload.data(), copied.size());
    if (core::ring::unchanged_after_use<Atom>(*frame.commit, frame.seq)) {
      whole = is_whole(frame, copied);
    } else {
      receiver_.report_changed_after_use();
    }
    return core::consumer::Use::kKept;
  }
  void count(const ConsumerCounters& before, const ConsumerCounters& after, bool whole) {
    ++tally_.tried;
    tally_.unbalanced += receiver_.check_invariants() ? 0U : 1U;
    tally_.overlapped += after.drops_changed - before.drops_changed;
    if (after.frames_ok != before.frames_ok &&
        after.changed_after_use == before.changed_after_use) {
      ++tally_.accepted;
      tally_.mixed += whole ? 0U : 1U;
    }
    // The writer writes no invalid header: what passed the double check as one was mixed.
    tally_.mixed += after.drops_header_invalid - before.drops_header_invalid;
    tally_.mixed += after.drops_payload_invalid - before.drops_payload_invalid;
  }

  const core::ring::StreamMemory<Atom>* memory_;
  Route route_;
  Reading reading_;
  std::vector<std::byte> copy_;
  core::consumer::FrameReceiver<Atom> receiver_;
  std::uint64_t cursor_ = 0;
  std::uint64_t next_ = 0;
  Tally tally_;
};

}  // namespace tensorpool::stress
