// Finding one's place in a header ring without descriptors. Pure; used in direct mode and when
// descriptors stay away.
//
// Words of a ring are input: a word whose sequence does not belong to its slot is never followed,
// and every search is bounded by the number of slots.
#pragma once

#include <cstdint>
#include <optional>

#include "base/atomics.hpp"
#include "core/ring/commit_word.hpp"
#include "core/ring/stream_memory.hpp"

namespace tensorpool::inline v0::core::consumer {

/// The commit word of the slot that `seq` uses.
template <class Atom>
[[nodiscard]] std::uint64_t word_for(const ring::StreamMemory<Atom>& memory,
                                     std::uint64_t seq) noexcept {
  return Atom::template load_acquire<base::Edge::kFollowLoad>(*memory.slot(memory.index_of(seq)));
}

/// True when the word's sequence is one that the slot of `seq` can hold.
template <class Atom>
[[nodiscard]] bool belongs(const ring::StreamMemory<Atom>& memory, std::uint64_t word,
                           std::uint64_t seq) noexcept {
  return memory.index_of(ring::sequence_of(word)) == memory.index_of(seq);
}

/// The highest committed sequence found in one pass over the ring, or nothing when no slot is
/// committed.
template <class Atom>
[[nodiscard]] std::optional<std::uint64_t> newest_committed(
    const ring::StreamMemory<Atom>& memory) noexcept {
  std::optional<std::uint64_t> newest;
  for (std::uint32_t index = 0; index < memory.nslots; ++index) {
    const std::uint64_t word = word_for(memory, index);
    if (ring::is_committed(word) && belongs(memory, word, index) &&
        (!newest || ring::sequence_of(word) > *newest)) {
      newest = ring::sequence_of(word);
    }
  }
  return newest;
}

/// True while the epoch is in its first lap and no frame of it can have been committed: frame 0 is
/// yet to come (W178). Ask only after `newest_committed` found nothing.
template <class Atom>
[[nodiscard]] bool nothing_committed_yet(const ring::StreamMemory<Atom>& memory) noexcept {
  for (std::uint32_t index = 0; index < memory.nslots; ++index) {
    if (ring::sequence_of(word_for(memory, index)) > index) {
      return false;
    }
  }
  return true;
}

/// The sequence in the slot of `later` when it shows that a frame after `seq` has been committed.
/// Frames are committed in order (W181, W182): where `seq` is still_in_progress() after that, it
/// was aborted. Precondition: seq < later < seq + nslots.
template <class Atom>
[[nodiscard]] std::optional<std::uint64_t> committed_after(const ring::StreamMemory<Atom>& memory,
                                                           std::uint64_t seq,
                                                           std::uint64_t later) noexcept {
  const std::uint64_t word = word_for(memory, later);
  const std::uint64_t found = ring::sequence_of(word);
  if (!Atom::template passes<base::Edge::kAbortCommitCheck>(ring::is_committed(word)) ||
      !Atom::template passes<base::Edge::kAbortSeqCheck>(found > seq) ||
      !belongs(memory, word, later)) {
    return std::nullopt;
  }
  return found;
}

/// True when a frame after `seq` is committed: looks at the numbers behind it as far as they have
/// been claimed, which is in order.
template <class Atom>
[[nodiscard]] bool any_committed_after(const ring::StreamMemory<Atom>& memory,
                                       std::uint64_t seq) noexcept {
  for (std::uint64_t later = seq + 1; later < seq + memory.nslots; ++later) {
    const std::uint64_t word = word_for(memory, later);
    if (ring::sequence_of(word) < later || !belongs(memory, word, later)) {
      return false;
    }
    if (word != ring::in_progress(later)) {
      return true;
    }
  }
  return false;
}

/// False when `seq` was committed since it was seen IN_PROGRESS: to be asked after
/// committed_after(), whose acquire makes that visible.
template <class Atom>
[[nodiscard]] bool still_in_progress(const ring::StreamMemory<Atom>& memory,
                                     std::uint64_t seq) noexcept {
  return Atom::template passes<base::Edge::kAbortAgainCheck>(word_for(memory, seq) ==
                                                             ring::in_progress(seq));
}

/// The highest sequence the writer has reached, given one that it has: gallops, then halves. At
/// most 2 * log2(nslots) loads.
template <class Atom>
[[nodiscard]] std::uint64_t newest_from(const ring::StreamMemory<Atom>& memory,
                                        std::uint64_t reached) noexcept {
  const auto has_reached = [&memory](std::uint64_t seq) {
    const std::uint64_t word = word_for(memory, seq);
    return belongs(memory, word, seq) && ring::sequence_of(word) >= seq;
  };
  std::uint64_t low = reached;
  std::uint64_t step = 1;
  while (step < memory.nslots && has_reached(low + step)) {
    low += step;
    step *= 2;
  }
  std::uint64_t high = low + step;  // not reached, or a lap ahead
  while (low + 1 < high) {
    const std::uint64_t middle = low + (high - low) / 2;
    if (has_reached(middle)) {
      low = middle;
    } else {
      high = middle;
    }
  }
  return low;
}

}  // namespace tensorpool::inline v0::core::consumer
