// Which old epoch directories may be removed.
//
// For standalone owners, supervisors and the driver. Pure: the evidence is gathered by
// os/clean_epochs. Spec: §1.21 (W416..W421). Thread contract: plain values, free functions.
#pragma once

#include <cstdint>

#include "base/clock.hpp"
#include "tensorpool/types/time.hpp"

namespace tensorpool::inline v0::core::region {

/// True when `instant` (ns) is older than `window`, or ahead of `now` by more than it. The instant
/// may be any number: it was read from a file.
[[nodiscard]] bool outside_window(std::uint64_t instant, Nanos now, Nanos window) noexcept;

/// What is known about an epoch directory.
struct EpochEvidence {
  std::uint64_t epoch = 0;
  bool header_valid = false;      ///< the header ring could be read and describes this epoch
  std::uint64_t activity_ns = 0;  ///< of the header ring, now_mono
  bool owner_alive = true;        ///< the superblock's pid; true when it cannot be probed (W419)
  std::uint64_t newest_change_ns = 0;  ///< newest modification time in the directory, now_real
};

enum class EpochVerdict : std::uint8_t {
  kRemove,
  kCurrent,     ///< W417
  kFresh,       ///< active or changed within the freshness window: W418, W420
  kOwnerAlive,  ///< W419
};

[[nodiscard]] EpochVerdict judge_epoch(const EpochEvidence& evidence, std::uint64_t current_epoch,
                                       base::Now now, Nanos freshness_window) noexcept;

}  // namespace tensorpool::inline v0::core::region
