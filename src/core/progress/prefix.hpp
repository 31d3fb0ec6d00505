// hot-path: 1 load of the commit word, 13 header words, 1 load; after use 1 fence, 1 load, 1
// branch.
//
// Reading the beginning of a frame: what lies in its slot, and whether it still does. Spec: §1.17.2
// (W363..W367, W369).
//
// A slot that is IN_PROGRESS for a frame bears the header of an older one, unless both ends have
// agreed on `early_header` (W369): the producer then stores the whole header before it reports a
// byte more than 0, and changes neither length nor shape until the commit. What makes header and
// bytes visible is the message that tells of them: the producer fences its stores before it sends,
// and receiving acquires. That nobody has begun to write another frame over them is what the commit
// word says, as in slot_protocol.hpp (invariant 4): a reader that has read one byte of a later
// frame sees its IN_PROGRESS behind the acquire fence.
//
// Thread contract: any number of readers.
#pragma once

#include <cstdint>
#include <span>

#include "core/ring/slot_header.hpp"

namespace tensorpool::inline v0::core::progress {

/// What the slot of a frame says about it.
enum class SlotStanding : std::uint8_t {
  kEarlier,        ///< the slot still belongs to an earlier frame
  kInProgress,     ///< to this one, which is not committed
  kCommitted,      ///< to this one, whole
  kHeaderInvalid,  ///< to this one, with a header that is refused (§1.12)
  kLater,          ///< a later one has begun
};

/// What can be read of a frame.
struct Prefix {
  SlotStanding standing = SlotStanding::kEarlier;
  /// True when header and payload may be looked at; the rest then is of this frame.
  bool readable = false;
  const tensor::Layout* tensor = nullptr;  ///< until the next look
  const std::byte* payload = nullptr;
  std::uint32_t values_len_bytes = 0;
};

[[nodiscard]] constexpr SlotStanding standing_of(std::uint64_t word, std::uint64_t seq) noexcept {
  const std::uint64_t present = ring::sequence_of(word);
  if (present != seq) {
    return present < seq ? SlotStanding::kEarlier : SlotStanding::kLater;
  }
  return ring::is_committed(word) ? SlotStanding::kCommitted : SlotStanding::kInProgress;
}

/// The check after use: true when every payload byte loaded before this call was of frame `seq`.
/// With `early_header` the frame need not be committed (W369).
template <class Atom>
[[nodiscard]] bool prefix_unchanged(const typename Atom::Word& commit, std::uint64_t seq,
                                    bool early_header) noexcept {
  using ring::Edge;
  Atom::template fence_acquire<Edge::kAfterUseFence>();  // sync(slot-begin): observe
  const std::uint64_t word = Atom::template load_relaxed<Edge::kAfterUseLoad>(commit);
  return word == ring::committed(seq) || (early_header && word == ring::in_progress(seq));
}

/// Bytes of the first `filled` that may be handed out: all of them of a tensor without holes, whole
/// rows or columns of one that has them, none otherwise (W367).
[[nodiscard]] constexpr std::uint64_t readable_bytes(const tensor::Layout& tensor,
                                                     std::uint64_t filled) noexcept {
  if (tensor.info.progress_unit != ProgressUnit::kNone) {
    const std::uint64_t stride = tensor.info.progress_stride_bytes;
    return stride == 0 ? 0 : filled - filled % stride;
  }
  return tensor.contiguous ? filled : 0;
}

template <class Atom>
class PrefixReader {
 public:
  using Memory = ring::StreamMemory<Atom>;

  explicit PrefixReader(bool early_header = false) noexcept : early_header_(early_header) {}

  /// Another mapping. `memory` stays valid meanwhile.
  void attach(const Memory& memory) noexcept {
    memory_ = &memory;
    validator_.reset();
  }
  void detach() noexcept { memory_ = nullptr; }

  /// Looks at the slot of `seq` now, of which `filled_bytes` are said to be there: while none is,
  /// an early header need not be there either. Precondition: attached.
  [[nodiscard]] Prefix look(std::uint64_t seq, std::uint64_t filled_bytes) noexcept {
    using ring::Edge;
    const std::uint32_t index = memory_->index_of(seq);
    const auto* const slot = memory_->slot(index);
    Prefix prefix;
    prefix.standing = standing_of(Atom::template load_acquire<Edge::kFirstLoad>(*slot), seq);
    const bool early =
        prefix.standing == SlotStanding::kInProgress && early_header_ && filled_bytes != 0;
    if (prefix.standing != SlotStanding::kCommitted && !early) {
      return prefix;
    }
    const ring::CopiedHeader copied =
        ring::copy_header_words<Atom>(slot, validator_.known_words(), words_);
    Atom::template fence_acquire<Edge::kSecondFence>();  // sync(slot-begin): observe
    const SlotStanding after =
        standing_of(Atom::template load_relaxed<Edge::kSecondLoad>(*slot), seq);
    if (after != SlotStanding::kCommitted && !(early && after == SlotStanding::kInProgress)) {
      prefix.standing = after;
      return prefix;
    }
    ring::FrameFields fields;
    const ring::PoolMemory* pool = nullptr;
    if (validator_.judge(words_, copied, index, *memory_, fields, pool) !=
        ring::HeaderVerdict::kOk) {
      prefix.standing = SlotStanding::kHeaderInvalid;
      return prefix;
    }
    prefix.readable = true;
    prefix.tensor = &validator_.tensor();
    prefix.payload = Memory::payload(*pool, index);
    prefix.values_len_bytes = fields.values_len_bytes;
    return prefix;
  }

 private:
  bool early_header_;
  const Memory* memory_ = nullptr;
  ring::HeaderValidator validator_;
  ring::SlotWords words_{};
};

}  // namespace tensorpool::inline v0::core::progress
