// hot-path: writer: 2 stores of the commit word, 2 fences (4 when payload may be streamed), no
// branch on memory.
//           reader: 2 loads of the commit word, 1 fence, 3 branches; after use 1 fence, 1 load, 1
//           branch.
//
// The seqlock of one slot, writer and reader side. Spec: §1.9 (W154..W177, W450).
//
// Invariants
//  1. One thread of one process writes a slot; any number read it.
//  2. The commit word is only ever stored whole. It goes up: IN_PROGRESS(seq), COMMITTED(seq),
//  IN_PROGRESS(seq + n).
//  3. A reader that accepts has copied only bytes of the frame it asked for: had it read one byte
//  that a later frame
//     stored, the fence pair (begin-fence, second-fence) makes IN_PROGRESS of that frame visible to
//     its second load.
//  4. The same holds for payload that is read in place, with the load after use in the place of the
//  second load.
//
// The templates here are the ones that ship and the ones that are model-checked (tests/model):
// `Atom` is a policy of base/atomics.hpp, and nothing depends on the number of words of a slot.
#pragma once

#include <cstdint>

#include "base/atomics.hpp"
#include "core/ring/commit_word.hpp"

namespace tensorpool::inline v0::core::ring {

using base::Edge;

/// Whether the payload of a frame may be written by non-temporal stores, ours or the caller's
/// (W450).
enum class Stores : std::uint8_t { kOrdered, kStreaming };

/// Writer step 1 (W154): nothing of the new frame becomes visible before IN_PROGRESS does.
template <class Atom>
void begin_write(typename Atom::Word& commit, std::uint64_t seq, Stores stores) noexcept {
  Atom::template store_relaxed<Edge::kBeginStore>(commit, in_progress(seq));
  Atom::template fence_release<Edge::kBeginFence>();  // sync(slot-begin): publish
  if (stores == Stores::kStreaming) {
    Atom::template store_fence<Edge::kBeginStoreFence>();
  }
}

/// The end of writer step 2: payload that was streamed is ordered before all stores that follow
/// (W450). Before the header words, so that they and COMMITTED leave in one go: a reader that polls
/// the commit word takes their line away but once.
template <class Atom>
void end_payload(Stores stores) noexcept {
  if (stores == Stores::kStreaming) {
    Atom::template store_fence<Edge::kCommitStoreFence>();
  }
}

/// Writer step 3 (W156), one word of it.
template <class Atom>
void store_header_word(typename Atom::Word& word, std::uint64_t value) noexcept {
  Atom::template store_relaxed<Edge::kHeaderStore>(word, value);
}

/// Writer step 4 (W157): everything of the frame is visible to whoever acquires this value.
/// Precondition: end_payload() was called.
template <class Atom>
void commit_write(typename Atom::Word& commit, std::uint64_t seq) noexcept {
  Atom::template store_release<Edge::kCommitStore>(commit,
                                                   committed(seq));  // sync(slot-commit): publish
}

/// Outcome of the reader protocol; each but kOk is a row of the drop table (§1.14).
enum class ReadStatus : std::uint8_t { kOk, kInProgress, kSeqMismatch, kChanged };

/// Reader steps 1 to 3 (W164..W167) around `copy_header`, which copies what is to be interpreted
/// into private memory with relaxed loads. Only with kOk may the copy be looked at (W168, W269).
template <class Atom, class CopyHeader>
[[nodiscard]] ReadStatus read_slot(const typename Atom::Word& commit, std::uint64_t seq,
                                   CopyHeader&& copy_header) noexcept {
  const std::uint64_t first =
      Atom::template load_acquire<Edge::kFirstLoad>(commit);  // sync(slot-commit): observe
  if (!Atom::template passes<Edge::kFirstCheck>(is_committed(first))) {
    return ReadStatus::kInProgress;
  }
  if (!Atom::template passes<Edge::kSequenceCheck>(sequence_of(first) == seq)) {
    return ReadStatus::kSeqMismatch;
  }
  copy_header();
  Atom::template fence_acquire<Edge::kSecondFence>();  // sync(slot-begin): observe
  const std::uint64_t second = Atom::template load_relaxed<Edge::kSecondLoad>(commit);
  return Atom::template passes<Edge::kSecondCheck>(second == first) ? ReadStatus::kOk
                                                                    : ReadStatus::kChanged;
}

/// One header word, for use inside `copy_header` (W166).
template <class Atom>
[[nodiscard]] std::uint64_t load_header_word(const typename Atom::Word& word) noexcept {
  return Atom::template load_relaxed<Edge::kHeaderLoad>(word);
}

/// The check after use (W170, W174): true when the slot still holds frame `seq`, so that every
/// payload byte loaded before this call was that frame's.
template <class Atom>
[[nodiscard]] bool unchanged_after_use(const typename Atom::Word& commit,
                                       std::uint64_t seq) noexcept {
  Atom::template fence_acquire<Edge::kAfterUseFence>();  // sync(slot-begin): observe
  const std::uint64_t word = Atom::template load_relaxed<Edge::kAfterUseLoad>(commit);
  return Atom::template passes<Edge::kAfterUseCheck>(word == committed(seq));
}

}  // namespace tensorpool::inline v0::core::ring
