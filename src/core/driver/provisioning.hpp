// What the driver's machine asks of whoever owns the file system, and what it is answered.
//
// The machine decides, os/ carries out (os/provision_epoch, os/collect_epochs), agents/ connects
// them. Spec: §2.11, §2.12, §2.14. Thread contract: plain values.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/region/plan.hpp"
#include "tensorpool/types/error.hpp"

namespace tensorpool::inline v0::core::driver {

/// Make a new epoch of a stream: all of it or nothing.
struct ProvisionRequest {
  region::StreamGeometry geometry = {};         ///< names the stream
  std::uint64_t known_epoch = 0;                ///< L of D178 as far as the machine knows; 0: none
  std::optional<std::uint32_t> numa_node = {};  ///< where the pages lie; none: wherever
};

/// The end of a provisioning, good or bad.
struct ProvisionOutcome {
  std::uint32_t stream_id = 0;
  /// L of D178 from now on: every number that was found or used, that of a failed epoch included.
  std::uint64_t known_epoch = 0;
  /// The regions, complete, with the URIs that attach responses and announces carry. Of an error
  /// `provision_detail` makes the `<detail>` of D66.
  Result<region::MappingPlan> regions = fail(Errc::kClosed);
};

/// The `<detail>` of `failed to provision SHM: <detail>`: the spec's own text where there is one
/// (D179, D204, D207, D214), else all that is known. Allocates: the returned string.
[[nodiscard]] std::string provision_detail(const Error& error);

/// Delete what is obsolete in the directory of one stream. Spec: D225.
struct CollectRequest {
  std::uint32_t stream_id = 0;
  std::uint64_t current_epoch = 0;  ///< 0: the highest that exists counts as current (D230)
  std::vector<std::uint64_t> referenced = {};  ///< by active leases
  bool waive_age = false;                      ///< D231
  bool earlier_processes = false;              ///< D215: rank, current and age protect nothing
  bool dry_run = false;                        ///< say what would be done, do nothing
};

/// Why an epoch directory stays. In the order of D225's table.
enum class KeepReason : std::uint8_t {
  kDisabled,     ///< `epoch_gc_enabled` is false (D234)
  kUnmanaged,    ///< not a directory of this driver's streams, or not inside the allowed bases
  kRank,         ///< among the newest `epoch_gc_keep`
  kCurrent,      ///< the current epoch, or above it
  kReferenced,   ///< by an active lease
  kAge,          ///< too young
  kWriterAlive,  ///< its process still runs
  kForeignFile,  ///< holds something that is no region file (D232)
  kFailed,       ///< the system refused
};
/// `rank`, `writer_alive` and so on, for people and for JSON.
[[nodiscard]] std::string_view to_string(KeepReason reason) noexcept;

struct CollectOutcome {
  struct Kept {
    std::uint64_t epoch = 0;
    KeepReason reason = KeepReason::kRank;
    std::string detail = {};  ///< of kUnmanaged, kForeignFile and kFailed: the name, what is wrong
  };
  std::uint32_t stream_id = 0;
  std::uint64_t known_epoch = 0;            ///< the highest that was there; counts as known (D215)
  std::vector<std::uint64_t> removed = {};  ///< of a dry run: what would be
  std::vector<Kept> kept = {};
};

}  // namespace tensorpool::inline v0::core::driver
