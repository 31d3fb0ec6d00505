// The one function through which every region of somebody else is mapped.
//
// For consumers (read-only) and producer clients of a driver (read-write). Carries out the eleven
// steps of spec §1.7 in their order; the first that fails refuses the region and leaves no
// descriptor and no mapping behind. Spec: §1.7 (W120..W136), §1.11.2 (W231).
// Thread contract: any thread; `calls` and the policy are shared.
#pragma once

#include <string_view>

#include "core/region/plan.hpp"
#include "core/region/superblock.hpp"
#include "os/mapped_region.hpp"
#include "os/region_policy.hpp"

namespace tensorpool::inline v0::os {

/// Maps one region, or says in terms of §1.25 why not.
[[nodiscard]] Result<MappedRegion> open_region(Syscalls& calls, const RegionPolicy& policy,
                                               const core::region::PlannedRegion& region,
                                               Access access);

/// Maps the header ring and all pools, or nothing (W134).
[[nodiscard]] Result<MappedStream> open_stream(Syscalls& calls, const RegionPolicy& policy,
                                               const core::region::MappingPlan& plan,
                                               Access access);

}  // namespace tensorpool::inline v0::os
