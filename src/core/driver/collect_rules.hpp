// Which epoch directories of a stream a driver may delete.
//
// For os/collect_epochs, which gathers the facts; that of standalone owners is core/region/cleanup.
// Pure. Spec: §2.14 (D225..D231). Thread contract: plain values, free functions.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "base/clock.hpp"
#include "core/driver/provisioning.hpp"
#include "tensorpool/types/time.hpp"

namespace tensorpool::inline v0::core::driver {

/// What protects an epoch by its number alone: rank, current, referenced. Nothing on disk is asked.
/// `existing` are all epochs that have a directory, ascending (D228); `keep` is `epoch_gc_keep`.
[[nodiscard]] std::optional<KeepReason> protected_by_number(std::uint64_t epoch,
                                                            std::span<const std::uint64_t> existing,
                                                            const CollectRequest& request,
                                                            std::uint32_t keep) noexcept;

/// What was found in an epoch directory.
struct EpochFacts {
  /// Of the header ring's superblock; 0 when that is missing, short or without magic (D226).
  std::uint64_t activity_ns = 0;
  std::uint64_t directory_changed_ns = 0;  ///< its modification time, CLOCK_REALTIME
  bool writer_alive = false;               ///< D225, D227
};

/// What protects an epoch by what it looks like: age, a live writer.
[[nodiscard]] std::optional<KeepReason> protected_by_facts(const EpochFacts& facts,
                                                           const CollectRequest& request,
                                                           Nanos min_age, base::Now now) noexcept;

}  // namespace tensorpool::inline v0::core::driver
