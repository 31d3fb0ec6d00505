// The regions of a stream in plain memory, a producer that fills its frames with bytes that tell
// which frame they are of, and the check of those bytes: for tests of the ring without files.
#pragma once

#include <sys/mman.h>

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>
#include <span>
#include <vector>

#include "core/consumer/frame.hpp"
#include "core/ring/stream_memory.hpp"
#include "layout/descriptor.hpp"
#include "layout/slot.hpp"
#include "tensorpool/types/tensor_info.hpp"

namespace tensorpool::test {

using SlotBytes = std::array<std::byte, layout::kHeaderSlotBytes>;

struct PoolShape {
  std::uint16_t id = 0;
  std::uint32_t stride_bytes = 0;
};

/// Header ring and pools of one epoch, zero at first. Untouched parts of a large geometry cost
/// nothing.
template <class Atom>
class HeapStream {
 public:
  using Word = typename Atom::Word;
  static_assert(sizeof(Word) == 8);

  HeapStream(std::uint32_t nslots, std::span<const PoolShape> pools)
      : words_(zeroed<Word>(std::size_t{nslots} * layout::kSlotWords)) {
    memory_.words = words_.get();
    memory_.nslots = nslots;
    for (const PoolShape& pool : pools) {
      payloads_.push_back(zeroed<std::byte>(std::size_t{nslots} * pool.stride_bytes));
      memory_.pools.push_back(
          {.pool_id = pool.id, .stride_bytes = pool.stride_bytes, .slots = payloads_.back().get()});
    }
  }
  HeapStream(std::uint32_t nslots, std::initializer_list<PoolShape> pools)
      : HeapStream(nslots, std::span<const PoolShape>(pools.begin(), pools.size())) {}

  [[nodiscard]] const core::ring::StreamMemory<Atom>& memory() const { return memory_; }

  [[nodiscard]] std::uint64_t word(std::uint32_t index) const { return *memory_.slot(index); }
  void set_word(std::uint32_t index, std::uint64_t value) { *memory_.slot(index) = value; }

  [[nodiscard]] SlotBytes slot_bytes(std::uint32_t index) const {
    SlotBytes bytes;
    std::memcpy(bytes.data(), memory_.slot(index), bytes.size());
    return bytes;
  }
  void set_slot_bytes(std::uint32_t index, std::span<const std::byte> bytes) {
    std::memcpy(memory_.slot(index), bytes.data(), layout::kHeaderSlotBytes);
  }
  /// Overwrites one field of a slot, leaving its commit word alone.
  template <class T>
  void poke(std::uint32_t index, std::size_t offset, T value) {
    std::memcpy(reinterpret_cast<std::byte*>(memory_.slot(index)) + offset, &value, sizeof(value));
  }
  [[nodiscard]] std::span<std::byte> payload(std::size_t pool, std::uint32_t index) const {
    const core::ring::PoolMemory& found = memory_.pools[pool];
    return {core::ring::StreamMemory<Atom>::payload(found, index), found.stride_bytes};
  }

 private:
  /// The heap, where AddressSanitizer watches the ends; a mapping where the heap would be slow.
  static constexpr std::size_t kHeapBytesMax = std::size_t{1} << 24U;
  struct Release {
    std::size_t bytes = 0;
    void operator()(void* memory) const {
      if (bytes <= kHeapBytesMax) {
        std::free(memory);
      } else {
        munmap(memory, bytes);
      }
    }
  };
  /// On cache lines, as slots in files are.
  static void* aligned_zeroes(std::size_t bytes) {
    constexpr std::size_t kLine = 64;
    void* const memory = std::aligned_alloc(kLine, (bytes + kLine - 1) / kLine * kLine);
    return memory == nullptr ? nullptr : std::memset(memory, 0, bytes);
  }
  template <class T>
  using Zeroed = std::unique_ptr<T[], Release>;
  template <class T>
  static Zeroed<T> zeroed(std::size_t count) {
    static_assert(std::is_trivially_copyable_v<T>);
    const std::size_t bytes = count * sizeof(T);
    void* const memory = bytes <= kHeapBytesMax
                             ? aligned_zeroes(bytes)
                             : mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == nullptr || memory == MAP_FAILED) {
      throw std::bad_alloc();
    }
    return Zeroed<T>(static_cast<T*>(memory), Release{bytes});
  }

  Zeroed<Word> words_;
  std::vector<Zeroed<std::byte>> payloads_;
  core::ring::StreamMemory<Atom> memory_;
};

/// A one-dimensional tensor of `bytes` bytes.
[[nodiscard]] inline TensorInfo bytes_tensor(std::size_t bytes) {
  return TensorInfo::packed(Dtype::kUint8, {static_cast<std::int32_t>(bytes)});
}

/// Bytes that no other frame has: each one depends on epoch, sequence and position.
inline void fill_pattern(std::span<std::byte> payload, std::uint64_t epoch, std::uint64_t seq) {
  for (std::size_t k = 0; k < payload.size(); ++k) {
    payload[k] = static_cast<std::byte>((seq * 31 + epoch * 101 + k * 7 + 1) & 0xFFU);
  }
}
[[nodiscard]] inline std::vector<std::byte> pattern(std::size_t bytes, std::uint64_t epoch,
                                                    std::uint64_t seq) {
  std::vector<std::byte> payload(bytes);
  fill_pattern(payload, epoch, seq);
  return payload;
}

/// What a consumer decodes from the descriptor that a writer has prepared.
[[nodiscard]] inline core::consumer::Descriptor received(
    const layout::FrameDescriptorMessage& message) {
  return {.stream_id = message.stream_id,
          .epoch = message.epoch,
          .seq = message.seq,
          .timestamp_ns = message.timestamp_ns,
          .trace_id = message.trace_id};
}

}  // namespace tensorpool::test
