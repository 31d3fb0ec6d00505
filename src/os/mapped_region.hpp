// Regions that are mapped and whose superblock was found right; and the regions of one stream.
//
// Made by open_region and create_region only. Spec: §1.7, §1.11.2.
// Thread contract: the objects are plain values with one owner; the bytes are shared memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "core/region/plan.hpp"
#include "core/region/superblock.hpp"
#include "os/mapping.hpp"
#include "os/unique_fd.hpp"
#include "tensorpool/types/time.hpp"

namespace tensorpool::inline v0::os {

/// One mapped region. The descriptor stays open, so that a shrunk file is found (W241).
class MappedRegion {
 public:
  /// Takes over a mapping and its file, and compares the superblock (W132).
  [[nodiscard]] static Result<MappedRegion> create(UniqueFd fd, Mapping mapping,
                                                   const core::region::ExpectedRegion& expected);

  [[nodiscard]] const core::region::ExpectedRegion& expected() const noexcept { return expected_; }
  /// The region, superblock included; the rest of a longer file is not part of it (W130).
  [[nodiscard]] std::span<const std::byte> bytes() const noexcept {
    return {mapping_.data(), expected_.bytes()};
  }
  /// Precondition: opened with Access::kReadWrite.
  [[nodiscard]] std::span<std::byte> writable_bytes() const noexcept;
  [[nodiscard]] Access access() const noexcept { return mapping_.access(); }
  /// Of the owner, as it was when the region was mapped (W237).
  [[nodiscard]] std::uint64_t pid() const noexcept { return pid_; }

  /// A private copy of the superblock as it is now.
  [[nodiscard]] layout::Superblock superblock() const noexcept;
  /// `activityTimestampNs` as it is now (W15).
  [[nodiscard]] std::uint64_t activity_ns() const noexcept;
  /// Precondition: opened with Access::kReadWrite.
  void store_activity(Nanos now_mono) const noexcept;

  /// Whether `named`, which somebody found at a path, is the file of this region.
  [[nodiscard]] Result<bool> is_file(Syscalls& calls, const struct stat& named) const;
  /// `region_too_small` when the file has become shorter than the region (W241).
  [[nodiscard]] Status check_not_shrunk(Syscalls& calls) const;
  /// Everything that may have changed since it was mapped: file size (W241), superblock against
  /// `announced` (W234), pid (W237: `superblock_mismatch` of Field::kPid).
  [[nodiscard]] Status recheck(Syscalls& calls,
                               const core::region::ExpectedRegion& announced) const;

 private:
  MappedRegion(UniqueFd fd, Mapping mapping, const core::region::ExpectedRegion& expected) noexcept
      : fd_(std::move(fd)), mapping_(std::move(mapping)), expected_(expected) {}

  UniqueFd fd_;
  Mapping mapping_;
  core::region::ExpectedRegion expected_;
  std::uint64_t pid_ = 0;
};

/// All regions of one epoch of a stream.
struct MappedStream {
  MappedRegion header_ring;
  std::vector<MappedRegion> pools;  ///< in the order of the announce (W45)

  [[nodiscard]] std::uint64_t epoch() const noexcept { return header_ring.expected().epoch; }
  [[nodiscard]] std::uint32_t stream_id() const noexcept {
    return header_ring.expected().stream_id;
  }
  [[nodiscard]] const MappedRegion* find_pool(std::uint16_t pool_id) const noexcept;

  /// Stores `now_mono` as activity of every region (W212).
  /// Precondition: opened with Access::kReadWrite.
  void store_activity(Nanos now_mono) const noexcept;

  /// Repeats the comparison of every region with a later announce of the same epoch, and compares
  /// the set of pool ids (W234, W237, W241).
  [[nodiscard]] Status recheck(Syscalls& calls, const core::region::MappingPlan& announced) const;
};

}  // namespace tensorpool::inline v0::os
