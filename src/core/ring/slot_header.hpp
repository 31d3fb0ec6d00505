// The 31 header words of a slot: how a frame is put into them and how a private copy of them is
// judged. Spec: §1.3.2, §1.9 (W156, W166, W268).
//
// Neither side touches all 31 words per frame. Words 1..4 change with every frame; words 7..18
// describe the tensor and change when the caller changes shape; the rest is pad. Up to three
// dimensions end in word 15, so a frame costs two cache lines.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "base/endian.hpp"
#include "core/ring/slot_protocol.hpp"
#include "core/ring/stream_memory.hpp"
#include "core/tensor/strides.hpp"
#include "layout/slot.hpp"

namespace tensorpool::inline v0::core::ring {

/// All words of a slot in private memory, commit word included but unused.
using SlotWords = std::array<std::uint64_t, layout::kSlotWords>;

/// What changes with every frame.
struct FrameFields {
  std::uint32_t values_len_bytes = 0;
  std::uint32_t payload_slot = 0;
  std::uint16_t pool_id = 0;
  std::uint32_t payload_offset = 0;
  std::uint64_t timestamp_ns = 0;
  std::uint32_t meta_version = 0;
};

/// Why a copied header is refused: a row of the drop table (§1.14).
enum class HeaderVerdict : std::uint8_t { kOk, kHeaderInvalid, kPayloadInvalid };

[[nodiscard]] inline layout::Slot as_slot(const SlotWords& words) noexcept {
  layout::Slot slot;
  std::memcpy(&slot, words.data(), sizeof(slot));
  return slot;
}

/// The words of a tensor description, pads zero (W27, W30, W56); the frame words are left zero.
/// Precondition: strides of `layout` fit in 31 bits (checked by the producer, W65).
[[nodiscard]] SlotWords encode_tensor_words(const tensor::Layout& layout) noexcept;

/// Puts the per-frame fields into words 1..4 of `words`: the bytes of layout::Slot, without going
/// through memory.
inline void encode_frame_words(const FrameFields& fields, SlotWords& words) noexcept {
  words[1] = fields.values_len_bytes | std::uint64_t{fields.payload_slot} << 32U;
  words[2] =
      fields.pool_id | std::uint64_t{fields.payload_offset} << 16U | fields.timestamp_ns << 48U;
  words[3] = fields.timestamp_ns >> 16U | std::uint64_t{fields.meta_version} << 48U;
  words[4] = fields.meta_version >> 16U;
}

[[nodiscard]] inline FrameFields decode_frame_words(const SlotWords& words) noexcept {
  return {.values_len_bytes = static_cast<std::uint32_t>(words[1]),
          .payload_slot = static_cast<std::uint32_t>(words[1] >> 32U),
          .pool_id = static_cast<std::uint16_t>(words[2]),
          .payload_offset = static_cast<std::uint32_t>(words[2] >> 16U),
          .timestamp_ns = words[2] >> 48U | words[3] << 16U,
          .meta_version = static_cast<std::uint32_t>(words[3] >> 48U | words[4] << 16U)};
}
static_assert(offsetof(layout::Slot, values_len_bytes) == 8 &&
              offsetof(layout::Slot, payload_slot) == 12 && offsetof(layout::Slot, pool_id) == 16 &&
              offsetof(layout::Slot, payload_offset) == 18 &&
              offsetof(layout::Slot, timestamp_ns) == 22 &&
              offsetof(layout::Slot, meta_version) == 30);

/// Judges the tensor words of a private copy: embedded message header, registries, dims, strides,
/// progress stride (W28, W29, W52..W71). Errc::kInvalidParams in any other case, with the field.
[[nodiscard]] Result<tensor::Layout> decode_tensor_words(const SlotWords& words) noexcept;

/// What copy_header_words found besides the words.
struct CopiedHeader {
  /// kSlotTensor3EndWord, or kSlotTensorEndWord with more than three dimensions.
  std::size_t end = 0;
  /// 0 when the tensor words equal those of `known`.
  std::uint64_t difference = 0;
};

/// Copies what a reader interprets out of the slot whose commit word is `slot`, and compares its
/// tensor words with `known` on the way: a comparison of the copy would wait for the stores that
/// made it.
template <class Atom>
[[nodiscard]] CopiedHeader copy_header_words(const typename Atom::Word* slot,
                                             const SlotWords& known, SlotWords& out) noexcept {
  for (std::size_t k = layout::kSlotFrameFirstWord; k < layout::kSlotFrameEndWord; ++k) {
    out[k] = load_header_word<Atom>(slot[k]);
  }
  CopiedHeader copied{.end = layout::kSlotTensor3EndWord};
  const auto copy_tensor_words = [&](std::size_t first, std::size_t end) noexcept {
    for (std::size_t k = first; k < end; ++k) {
      const std::uint64_t word = load_header_word<Atom>(slot[k]);
      out[k] = word;
      copied.difference |= word ^ known[k];
    }
  };
  copy_tensor_words(layout::kSlotTensorFirstWord, layout::kSlotTensor3EndWord);
  constexpr std::size_t kNdimsWord = offsetof(layout::Slot, ndims) / 8;
  constexpr unsigned kNdimsShift = offsetof(layout::Slot, ndims) % 8 * 8;
  const auto ndims = static_cast<std::uint8_t>(out[kNdimsWord] >> kNdimsShift);
  if (ndims > 3) [[unlikely]] {
    copy_tensor_words(layout::kSlotTensor3EndWord, layout::kSlotTensorEndWord);
    copied.end = layout::kSlotTensorEndWord;
  }
  return copied;
}

/// Judges copied headers. Keeps the last tensor description that passed, so that a stream of equal
/// frames is validated once and compared afterwards.
class HeaderValidator {
 public:
  /// Judges `words[.. copied.end)` as the header of slot `index`; `copied` tells how they compare
  /// with `known_words()`. With kOk, `tensor()` is the description and the payload lies in `*pool`.
  template <class Atom>
  [[nodiscard]] HeaderVerdict judge(const SlotWords& words, const CopiedHeader& copied,
                                    std::uint32_t index, const StreamMemory<Atom>& memory,
                                    FrameFields& fields, const PoolMemory*& pool) noexcept {
    if ((copied.difference != 0 || copied.end != known_end_) && !learn_tensor(words, copied.end))
        [[unlikely]] {
      return HeaderVerdict::kHeaderInvalid;
    }
    fields = decode_frame_words(words);
    if (fields.payload_slot != index || fields.payload_offset != 0) {  // W33, W34
      return HeaderVerdict::kHeaderInvalid;
    }
    pool = find_pool(memory, fields.pool_id);
    if (pool == nullptr || fields.values_len_bytes > pool->stride_bytes) {  // W48, W47
      return HeaderVerdict::kPayloadInvalid;
    }
    return HeaderVerdict::kOk;
  }

  /// The description that passed last. Precondition: a call of `judge` returned kOk.
  [[nodiscard]] const tensor::Layout& tensor() const noexcept { return tensor_; }

  /// The words of that description; what they are before is of no account.
  [[nodiscard]] const SlotWords& known_words() const noexcept { return known_; }

  /// The pool of the last frame, for an early look at its payload. May be out of range.
  [[nodiscard]] std::size_t known_pool() const noexcept { return known_pool_; }

  void reset() noexcept { *this = HeaderValidator(); }

 private:
  [[gnu::cold]] bool learn_tensor(const SlotWords& words, std::size_t end) noexcept;

  template <class Atom>
  [[nodiscard]] const PoolMemory* find_pool(const StreamMemory<Atom>& memory,
                                            std::uint16_t pool_id) noexcept {
    if (known_pool_ < memory.pools.size() && memory.pools[known_pool_].pool_id == pool_id)
        [[likely]] {
      return &memory.pools[known_pool_];
    }
    for (std::size_t k = 0; k < memory.pools.size(); ++k) {
      if (memory.pools[k].pool_id == pool_id) {
        known_pool_ = k;
        return &memory.pools[k];
      }
    }
    return nullptr;
  }

  SlotWords known_{};
  std::size_t known_end_ = 0;
  std::size_t known_pool_ = 0;
  tensor::Layout tensor_;
};

}  // namespace tensorpool::inline v0::core::ring
