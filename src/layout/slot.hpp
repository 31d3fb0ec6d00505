// One 256-byte slot of the header ring: SlotHeader with the embedded TensorHeader. Spec: §1.3.2
// (W24..W36).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "base/endian.hpp"
#include "layout/limits.hpp"
#include "tensorpool/types/tensor_info.hpp"

namespace tensorpool::inline v0::layout {

inline constexpr std::uint32_t kEmbeddedHeaderBytes = 192;      // W27
inline constexpr std::uint16_t kTensorHeaderBlockLength = 184;  // W27
inline constexpr std::uint16_t kTensorHeaderTemplateId = 52;
inline constexpr std::uint16_t kWireSchemaId = 900;
inline constexpr std::uint16_t kWireSchemaVersion = 1;

/// As it lies in the ring. `seq_commit` is an atomic word of its own and never part of a block copy
/// (W158); the rest is stored and read as the 31 relaxed words that follow it. `dims` and `strides`
/// are unaligned (W26).
struct Slot {
  base::Le<std::uint64_t> seq_commit;
  base::Le<std::uint32_t> values_len_bytes;
  base::Le<std::uint32_t> payload_slot;
  base::Le<std::uint16_t> pool_id;
  base::Le<std::uint32_t> payload_offset;
  base::Le<std::uint64_t> timestamp_ns;
  base::Le<std::uint32_t> meta_version;
  std::array<std::byte, 26> pad;
  base::Le<std::uint32_t> header_bytes_length;
  base::Le<std::uint16_t> block_length;
  base::Le<std::uint16_t> template_id;
  base::Le<std::uint16_t> schema_id;
  base::Le<std::uint16_t> version;
  base::Le<std::int16_t> dtype;
  base::Le<std::int16_t> major_order;
  base::Le<std::uint8_t> ndims;
  base::Le<std::uint8_t> pad_align;
  base::Le<std::uint8_t> progress_unit;
  base::Le<std::uint32_t> progress_stride_bytes;
  std::array<base::Le<std::int32_t>, kMaxDims> dims;
  std::array<base::Le<std::int32_t>, kMaxDims> strides;
  std::array<std::byte, 109> tail_pad;
};

static_assert(std::is_trivially_copyable_v<Slot> && std::is_standard_layout_v<Slot>);
static_assert(sizeof(Slot) == kHeaderSlotBytes && alignof(Slot) == 1);
static_assert(offsetof(Slot, seq_commit) == 0);
static_assert(offsetof(Slot, values_len_bytes) == 8);
static_assert(offsetof(Slot, payload_slot) == 12);
static_assert(offsetof(Slot, pool_id) == 16);
static_assert(offsetof(Slot, payload_offset) == 18);
static_assert(offsetof(Slot, timestamp_ns) == 22);
static_assert(offsetof(Slot, meta_version) == 30);
static_assert(offsetof(Slot, pad) == 34);
static_assert(offsetof(Slot, header_bytes_length) == 60);
static_assert(offsetof(Slot, block_length) == 64);
static_assert(offsetof(Slot, template_id) == 66);
static_assert(offsetof(Slot, schema_id) == 68);
static_assert(offsetof(Slot, version) == 70);
static_assert(offsetof(Slot, dtype) == 72);
static_assert(offsetof(Slot, major_order) == 74);
static_assert(offsetof(Slot, ndims) == 76);
static_assert(offsetof(Slot, pad_align) == 77);
static_assert(offsetof(Slot, progress_unit) == 78);
static_assert(offsetof(Slot, progress_stride_bytes) == 79);
static_assert(offsetof(Slot, dims) == 83);
static_assert(offsetof(Slot, strides) == 115);
static_assert(offsetof(Slot, tail_pad) == 147);

inline constexpr std::size_t kSlotWords = kHeaderSlotBytes / 8;  ///< commit word included

/// The words of a slot, by what they hold. Words 5, 6 and 19..31 are wholly pad and never read
/// (W31).
inline constexpr std::size_t kSlotFrameFirstWord =
    1;  ///< bytes 8..: length, payload slot, pool, offset,
inline constexpr std::size_t kSlotFrameEndWord =
    5;  ///<   timestamp, metadata version; ends before byte 40
inline constexpr std::size_t kSlotTensorFirstWord =
    7;  ///< bytes 56..: embedded length, message header, tensor
inline constexpr std::size_t kSlotTensor3EndWord =
    16;  ///< words that hold everything of up to three dimensions
inline constexpr std::size_t kSlotTensorEndWord = 19;  ///< the same for eight dimensions
static_assert(offsetof(Slot, pad) <= kSlotFrameEndWord * 8);
static_assert(offsetof(Slot, header_bytes_length) >= kSlotTensorFirstWord * 8);
static_assert(offsetof(Slot, strides) + 3 * 4 <= kSlotTensor3EndWord * 8);
static_assert(offsetof(Slot, tail_pad) <= kSlotTensorEndWord * 8);

/// The null values that a reader takes as not provided (W195, W197).
inline constexpr std::uint64_t kTimestampNone = 0xFFFF'FFFF'FFFF'FFFFULL;
inline constexpr std::uint32_t kMetaVersionNull = 0xFFFF'FFFFU;

}  // namespace tensorpool::inline v0::layout
