// How much memory the control groups of this process still allow.
//
// Pages of tmpfs are charged to the group of who allocates them, and a group that is full is
// answered with SIGKILL and not with an error; so a driver asks first. Spec: D204, D205.
//
// Thread contract: free function, any thread. Allocates.
#pragma once

#include <cstdint>
#include <string>

namespace tensorpool::inline v0::os {

/// Bytes until the tightest of the memory cgroups of this process, version 1 or 2, is full: cached
/// files do not count, since they give way, and free swap counts as room. The highest number when
/// there is no limit, or none that can be read. `root` is what stands before /proc and /sys.
[[nodiscard]] std::uint64_t memory_headroom(const std::string& root = {});

}  // namespace tensorpool::inline v0::os
