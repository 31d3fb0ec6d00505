// What the first 64 bytes of a region have to say, and how they are stored and loaded.
//
// For owners, who store a superblock once and refresh its activity; and for everybody who maps a
// region and compares it with what was announced. Spec: §1.3.1 (W10..W23), §1.11.2, W441.
//
// Thread contract: one owner stores; any number of threads and processes load. The edges are those
// of base::Edge: kMagicStore to kMagicLoad makes the whole block visible, kActivityStore to
// kActivityLoad the refreshes. A region is input: a loaded block is a private copy, checked there.
#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <span>

#include "base/atomics.hpp"
#include "base/kill_point.hpp"
#include "layout/limits.hpp"
#include "layout/superblock.hpp"
#include "tensorpool/types/error.hpp"

namespace tensorpool::inline v0::core::region {

/// One region as an announce, an attach response or its owner describes it.
struct ExpectedRegion {
  std::uint32_t stream_id = 0;
  std::uint64_t epoch = 0;
  layout::RegionType type = layout::RegionType::kHeaderRing;
  std::uint16_t pool_id = 0;  ///< 0 for the header ring
  std::uint32_t nslots = 0;
  std::uint32_t stride_bytes = 0;  ///< 0 for the header ring

  /// Bytes of the region (W4, W5).
  [[nodiscard]] constexpr std::uint64_t bytes() const noexcept {
    return type == layout::RegionType::kHeaderRing
               ? layout::header_ring_bytes(nslots)
               : layout::payload_pool_bytes(nslots, stride_bytes);
  }
  friend bool operator==(const ExpectedRegion&, const ExpectedRegion&) = default;
};

/// Adds stream, epoch and region to an error, so that a message says which file it speaks of.
[[nodiscard]] Error locate(Error error, const ExpectedRegion& region) noexcept;

/// Refuses an impossible slot count (`announce_invalid`) or stride (`stride_invalid`, W39, W40).
[[nodiscard]] Status check_shape(const ExpectedRegion& region) noexcept;

/// The limit of `max_region_bytes` (W136) when nothing is configured.
inline constexpr std::uint64_t kMaxRegionBytesDefault = 1ULL << 40U;

/// Refuses a region beyond `max_region_bytes` with `region_too_large` (W136).
[[nodiscard]] Status check_region_bytes(const ExpectedRegion& region,
                                        std::uint64_t max_region_bytes) noexcept;

/// Compares a private copy with what is expected; the error names the first field that differs.
[[nodiscard]] Status check_superblock(const layout::Superblock& found,
                                      const ExpectedRegion& expected) noexcept;

/// Who creates a region, and when (now_mono, ns).
struct Creation {
  std::uint64_t pid = 0;
  std::uint64_t now_ns = 0;
};

/// The block that the owner of `region` stores (W10, W12, W20, W22).
[[nodiscard]] layout::Superblock make_superblock(const ExpectedRegion& region,
                                                 Creation creation) noexcept;

template <class Atom>
using SuperblockWords = std::span<typename Atom::Word, layout::kSuperblockWords>;
template <class Atom>
using ConstSuperblockWords = std::span<const typename Atom::Word, layout::kSuperblockWords>;

/// sync(activity): publish. W15.
template <class Atom>
void store_activity(SuperblockWords<Atom> words, std::uint64_t now_ns) noexcept {
  Atom::template store_release<base::Edge::kActivityStore>(words[layout::kSuperblockActivityWord],
                                                           now_ns);
}

/// sync(activity): observe. W15.
template <class Atom>
[[nodiscard]] std::uint64_t load_activity(ConstSuperblockWords<Atom> words) noexcept {
  return Atom::template load_acquire<base::Edge::kActivityLoad>(
      words[layout::kSuperblockActivityWord]);
}

/// Stores everything else first and `magic` last. sync(magic): publish. W16.
template <class Atom>
void store_superblock(SuperblockWords<Atom> words, const layout::Superblock& block) noexcept {
  const auto values =
      std::bit_cast<std::array<std::uint64_t, layout::kSuperblockWords>>(block);  // W18
  for (std::size_t i = layout::kSuperblockMagicWord + 1; i < layout::kSuperblockActivityWord; ++i) {
    Atom::template store_relaxed<base::Edge::kMagicStore>(words[i], values[i]);
  }
  store_activity<Atom>(words, values[layout::kSuperblockActivityWord]);
  TP_KILLPOINT("driver.provision.no_magic");
  Atom::template store_release<base::Edge::kMagicStore>(words[layout::kSuperblockMagicWord],
                                                        values[layout::kSuperblockMagicWord]);
}

/// A private copy, `magic` loaded first. sync(magic): observe. W17.
template <class Atom>
[[nodiscard]] layout::Superblock load_superblock(ConstSuperblockWords<Atom> words) noexcept {
  std::array<std::uint64_t, layout::kSuperblockWords> values{};
  values[layout::kSuperblockMagicWord] =
      Atom::template load_acquire<base::Edge::kMagicLoad>(words[layout::kSuperblockMagicWord]);
  for (std::size_t i = layout::kSuperblockMagicWord + 1; i < layout::kSuperblockActivityWord; ++i) {
    values[i] = Atom::template load_relaxed<base::Edge::kMagicLoad>(words[i]);
  }
  values[layout::kSuperblockActivityWord] = load_activity<Atom>(words);
  return std::bit_cast<layout::Superblock>(values);  // W18
}

}  // namespace tensorpool::inline v0::core::region
