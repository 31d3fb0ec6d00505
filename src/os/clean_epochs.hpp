// Removes epoch directories whose owner is gone.
//
// For a standalone owner at its start and after an epoch change, and for supervisors; never for
// consumers or producer clients (W415). Files are unlinked, never truncated, so existing mappings
// live on (W422). Spec: §1.21 (W416..W423). Thread contract: any thread.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "core/region/cleanup.hpp"
#include "core/region/directories.hpp"
#include "os/syscalls.hpp"
#include "tensorpool/types/error.hpp"

namespace tensorpool::inline v0::os {

struct CleanOptions {
  std::string base_dir = "/dev/shm";
  core::region::StreamPlace place = {};
  std::uint64_t current_epoch = 0;  ///< never removed (W417)
  base::Now now = {};
  Nanos freshness_window = std::chrono::seconds{3};
};

/// What was done, for the log.
struct CleanReport {
  enum class Reason : std::uint8_t {
    kFresh,         ///< active or changed within the freshness window
    kOwnerAlive,    ///< its owner still runs
    kForeignEntry,  ///< holds something that is no region file (W421)
    kRefused,       ///< no real directory of this user, or a call failed
  };
  struct Left {
    std::string path;  ///< below the stream's directory
    Reason reason;
  };
  std::vector<std::uint64_t> removed;
  std::vector<Left> left;
};

/// Looks at every epoch directory of one stream. An absent stream directory is an empty report.
[[nodiscard]] Result<CleanReport> clean_epochs(Syscalls& calls, const CleanOptions& options);

}  // namespace tensorpool::inline v0::os
