// What the model checker runs: small rings in which a writer wraps, aborts and streams while
// readers read, over the templates that ship. Each asserts that no accepted frame is mixed, and
// counts what it accepted, so that a model in which nothing happens is noticed.
//
// The numbers of header words (2 to 4; 31 in the product), payload words (2), slots and wraps are
// parameters of the model; the templates do not depend on them.
#pragma once

#include <array>
#include <bit>
#include <cstdint>

#include "core/consumer/ring_search.hpp"
#include "core/region/superblock.hpp"
#include "core/ring/slot_protocol.hpp"
#include "model/relacy_atom.hpp"

namespace tensorpool::model {

using core::ring::ReadStatus;
using core::ring::Stores;

/// One slot with its payload. Every word of frame `seq` is `content(seq, k)`.
template <class Atom, unsigned kHeaderWords, unsigned kPayloadWords = 2>
struct ModelSlot {
  typename Atom::Word commit;
  std::array<typename Atom::Word, kHeaderWords> header;
  std::array<typename Atom::Word, kPayloadWords> payload;

  static std::uint64_t content(std::uint64_t seq, unsigned k) { return (seq + 1) * 16 + k; }

  void clear() {
    commit.store(0, rl::mo_relaxed, RL_INFO);
    for (auto& word : header) {
      word.store(0, rl::mo_relaxed, RL_INFO);
    }
    for (auto& word : payload) {
      word.store(0, rl::mo_relaxed, RL_INFO);
    }
  }

  // The writer: as producer::FrameWriter does it.
  void claim(std::uint64_t seq, Stores stores) {
    core::ring::begin_write<Atom>(commit, seq, stores);
  }
  void fill(std::uint64_t seq) {
    for (unsigned k = 0; k < kPayloadWords; ++k) {
      Atom::template store_relaxed<Edge::kPayloadStore>(payload[k], content(seq, k));
    }
  }
  void finish(std::uint64_t seq, Stores stores) {
    core::ring::end_payload<Atom>(stores);
    for (unsigned k = 0; k < kHeaderWords; ++k) {
      core::ring::store_header_word<Atom>(header[k], content(seq, k));
    }
    core::ring::commit_write<Atom>(commit, seq);
  }
  void write(std::uint64_t seq, Stores stores) {
    claim(seq, stores);
    fill(seq);
    finish(seq, stores);
  }

  // A reader: header by the two loads, payload in place with the check after use.
  void read(std::uint64_t seq) {
    std::array<std::uint64_t, kHeaderWords> seen{};
    const ReadStatus status = core::ring::read_slot<Atom>(commit, seq, [&] {
      for (unsigned k = 0; k < kHeaderWords; ++k) {
        seen[k] = core::ring::load_header_word<Atom>(header[k]);
      }
    });
    if (status != ReadStatus::kOk) {
      return;
    }
    for (unsigned k = 0; k < kHeaderWords; ++k) {
      RL_ASSERT(seen[k] == content(seq, k));
    }
    std::array<std::uint64_t, kPayloadWords> bytes{};
    for (unsigned k = 0; k < kPayloadWords; ++k) {
      bytes[k] = Atom::template load_relaxed<Edge::kPayloadLoad>(payload[k]);
    }
    if (!core::ring::unchanged_after_use<Atom>(commit, seq)) {
      return;
    }
    for (unsigned k = 0; k < kPayloadWords; ++k) {
      RL_ASSERT(bytes[k] == content(seq, k));
    }
    ++accepted;
  }
};

/// One slot, written `kWraps` times; a reader tries to read the frame `kSeq` of them.
template <class Orders, unsigned kHeaderWords, unsigned kWraps, unsigned kSeq>
struct OverwrittenSlot : rl::test_suite<OverwrittenSlot<Orders, kHeaderWords, kWraps, kSeq>, 2> {
  ModelSlot<RelacyAtom<Orders>, kHeaderWords> slot;

  void before() { slot.clear(); }
  void thread(unsigned index) {
    if (index != 0) {
      return slot.read(kSeq);
    }
    for (std::uint64_t seq = 0; seq < kWraps; ++seq) {
      slot.write(seq, Stores::kOrdered);
    }
  }
};

/// The same with two readers that draw the frames they try: for random scheduling.
template <class Orders, unsigned kHeaderWords, unsigned kWraps>
struct TwoReaders : rl::test_suite<TwoReaders<Orders, kHeaderWords, kWraps>, 3> {
  ModelSlot<RelacyAtom<Orders>, kHeaderWords> slot;

  void before() { slot.clear(); }
  void thread(unsigned index) {
    if (index == 0) {
      for (std::uint64_t seq = 0; seq < kWraps; ++seq) {
        slot.write(seq, Stores::kOrdered);
      }
      return;
    }
    for (int tries = 0; tries < 3; ++tries) {
      slot.read(rl::rand(kWraps));
    }
  }
};

/// The same with payload stores that are not temporal.
template <class Orders, unsigned kPayloadWords, unsigned kWraps>
struct StreamedSlot : rl::test_suite<StreamedSlot<Orders, kPayloadWords, kWraps>, 2> {
  using Atom = StreamingAtom<Orders>;
  ModelSlot<Atom, 1, kPayloadWords> slot;

  void before() {
    Atom::pending() = {};
    slot.clear();
  }
  void thread(unsigned index) {
    if (index != 0) {
      return slot.read(0);
    }
    for (std::uint64_t seq = 0; seq < kWraps; ++seq) {
      slot.write(seq, Stores::kStreaming);
    }
    Atom::quiesce();
  }
};

/// Two slots, two claims at a time. Payloads are filled newest first; frames are committed in order
/// (W181), the first of them is aborted now and then (W182), and a third frame takes its slot.
template <class Orders, unsigned kReaders>
struct TwoClaims : rl::test_suite<TwoClaims<Orders, kReaders>, 1 + kReaders> {
  std::array<ModelSlot<RelacyAtom<Orders>, 1>, 2> slots;
  bool aborts = false;

  void before() {
    slots[0].clear();
    slots[1].clear();
    aborts = rl::rand(2) != 0;
  }
  void thread(unsigned index) {
    if (index != 0) {
      slots[1].read(1);
      slots[0].read(index == 1 ? 0 : 2);
      return;
    }
    slots[0].claim(0, Stores::kOrdered);
    slots[1].claim(1, Stores::kOrdered);
    slots[1].fill(1);
    slots[0].fill(0);
    if (!aborts) {
      slots[0].finish(0, Stores::kOrdered);
    }
    slots[1].finish(1, Stores::kOrdered);
    slots[0].write(2, Stores::kOrdered);
  }
};

/// A descriptor is sent after the commit (W159), so a reader that has heard of a frame finds its
/// slot at that frame or beyond (W257).
template <class Orders>
struct HeardOf : rl::test_suite<HeardOf<Orders>, 2> {
  using Atom = RelacyAtom<Orders>;
  ModelSlot<Atom, 1> slot;
  rl::atomic<std::uint64_t> bus;

  void before() {
    slot.clear();
    bus.store(0, rl::mo_relaxed, RL_INFO);
  }
  void thread(unsigned index) {
    if (index == 0) {
      for (std::uint64_t seq = 1; seq < 3; ++seq) {
        slot.write(seq, Stores::kOrdered);
        bus.store(seq, rl::mo_release, RL_INFO);
      }
    } else if (const std::uint64_t seq = bus.load(rl::mo_acquire, RL_INFO); seq != 0) {
      const auto word = Atom::template load_acquire<Edge::kPlausibleLoad>(slot.commit);
      RL_ASSERT(core::ring::sequence_of(word) >= seq);
      slot.read(seq);
    }
  }
};

/// As consumer::FrameReceiver decides it. Precondition: `seq` was seen IN_PROGRESS.
template <class Atom>
[[nodiscard]] bool is_taken_for_aborted(const core::ring::StreamMemory<Atom>& memory,
                                        std::uint64_t seq, std::uint64_t later) {
  return core::consumer::committed_after(memory, seq, later).has_value() &&
         core::consumer::still_in_progress(memory, seq);
}

/// Direct mode takes a number for aborted when a later one is committed (design: direct mode). No
/// number is aborted in this second lap of a ring, so none may be taken for it.
template <class Orders>
struct NothingAborted : rl::test_suite<NothingAborted<Orders>, 2> {
  using Atom = RelacyAtom<Orders>;
  std::array<typename Atom::Word, 2 * layout::kSlotWords> words;
  core::ring::StreamMemory<Atom> memory;

  void before() {
    memory.words = words.data();
    memory.nslots = 2;
    for (const std::uint32_t index : {0U, 1U}) {
      memory.slot(index)->store(core::ring::committed(index), rl::mo_relaxed, RL_INFO);
    }
  }
  void thread(unsigned index) {
    if (index == 0) {
      for (const std::uint64_t seq : {2U, 3U}) {
        core::ring::begin_write<Atom>(*memory.slot(memory.index_of(seq)), seq, Stores::kOrdered);
      }
      for (const std::uint64_t seq : {2U, 3U}) {
        core::ring::commit_write<Atom>(*memory.slot(memory.index_of(seq)), seq);
      }
    } else if (core::consumer::word_for(memory, 2) == core::ring::in_progress(2)) {
      RL_ASSERT(!is_taken_for_aborted(memory, 2, 3));
      ++accepted;
    }
  }
};

/// And one that is aborted is found out, once its successor is committed.
template <class Orders>
struct OneAborted : rl::test_suite<OneAborted<Orders>, 2> {
  using Atom = RelacyAtom<Orders>;
  std::array<typename Atom::Word, 2 * layout::kSlotWords> words;
  core::ring::StreamMemory<Atom> memory;

  void before() {
    memory.words = words.data();
    memory.nslots = 2;
    for (const std::uint32_t index : {0U, 1U}) {
      memory.slot(index)->store(0, rl::mo_relaxed, RL_INFO);
    }
  }
  void thread(unsigned index) {
    if (index == 0) {
      core::ring::begin_write<Atom>(*memory.slot(0), 0, Stores::kOrdered);
      core::ring::begin_write<Atom>(*memory.slot(1), 1, Stores::kOrdered);
      core::ring::commit_write<Atom>(*memory.slot(1), 1);
    } else if (core::consumer::word_for(memory, 1) == core::ring::committed(1)) {
      RL_ASSERT(is_taken_for_aborted(memory, 0, 1));
      ++accepted;
    }
  }
};

/// A region is complete once its magic number is there (W16, W17).
template <class Orders>
struct NewRegion : rl::test_suite<NewRegion<Orders>, 2> {
  using Atom = RelacyAtom<Orders>;
  std::array<typename Atom::Word, layout::kSuperblockWords> words;

  static layout::Superblock block() {
    layout::Superblock block{};
    block.magic = layout::kSuperblockMagic;
    block.layout_version = 1;
    block.epoch = 0x0102'0304'0506'0708ULL;
    block.stream_id = 7;
    block.nslots = 4;
    block.slot_bytes = 256;
    block.pid = 11;
    block.start_timestamp_ns = 12;
    block.activity_timestamp_ns = 13;
    return block;
  }

  void before() {
    for (auto& word : words) {
      word.store(0, rl::mo_relaxed, RL_INFO);
    }
  }
  void thread(unsigned index) {
    if (index == 0) {
      core::region::store_superblock<Atom>(words, block());
      return;
    }
    const layout::Superblock found = core::region::load_superblock<Atom>(words);
    if (found.magic == layout::kSuperblockMagic) {
      using Words = std::array<std::uint64_t, layout::kSuperblockWords>;
      RL_ASSERT(std::bit_cast<Words>(found) == std::bit_cast<Words>(block()));
      ++accepted;
    }
  }
};

}  // namespace tensorpool::model
