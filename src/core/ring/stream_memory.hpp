// Where the regions of one mapped epoch lie in this process. Plain addresses, no ownership.
//
// Thread contract: immutable after construction; whoever maps the regions keeps them mapped while
// this is in use.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/assert.hpp"
#include "base/fixed_vector.hpp"
#include "layout/limits.hpp"
#include "layout/slot.hpp"

namespace tensorpool::inline v0::core::ring {

/// One payload pool.
struct PoolMemory {
  std::uint16_t pool_id = 0;
  std::uint32_t stride_bytes = 0;
  std::byte* slots = nullptr;  ///< first payload slot, behind the superblock
};

/// The header ring and the pools of one epoch. `Atom` gives the type of a shared word.
template <class Atom>
struct StreamMemory {
  using Word = typename Atom::Word;

  Word* words = nullptr;  ///< first word of slot 0, behind the superblock
  std::uint32_t nslots = 0;
  base::FixedVector<PoolMemory, layout::kPoolsMax> pools;

  [[nodiscard]] std::uint32_t index_of(std::uint64_t seq) const noexcept {
    return static_cast<std::uint32_t>(seq & (nslots - 1U));
  }
  /// The commit word of slot `index`; the header words follow it.
  [[nodiscard]] Word* slot(std::uint32_t index) const noexcept {
    TP_DCHECK(index < nslots);
    return words + std::size_t{index} * layout::kSlotWords;
  }
  [[nodiscard]] static std::byte* payload(const PoolMemory& pool, std::uint32_t index) noexcept {
    return pool.slots + std::uint64_t{index} * pool.stride_bytes;
  }
};

}  // namespace tensorpool::inline v0::core::ring
