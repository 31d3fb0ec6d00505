// What a client believes of an attach response that says OK. Spec: §2.9 (D110..D121).
//
// Pure: the checks that need no file, in the order of the spec; the first that fails is the answer.
// Left to whoever maps the plan (os/open_region under its RegionPolicy): the allowed base
// directories of D119, the page size of D122 and D123, and the files themselves (D124, D128).
//
// Thread contract: free functions, any thread.
#pragma once

#include <cstdint>
#include <optional>

#include "core/region/plan.hpp"
#include "layout/messages_901.hpp"
#include "tensorpool/types/error.hpp"

namespace tensorpool::inline v0::core::attach {

/// A lease, and what is to be mapped under it. The plan names stream and epoch.
struct AttachGrant {
  std::uint64_t lease_id = 0;
  std::uint32_t node_id = 0;                           ///< 0: none (D103)
  std::optional<std::uint64_t> expiry_timestamp_ns{};  ///< nothing: no end of its own (D121)
  region::MappingPlan plan{};
};

/// Judges an OK that answers `request`. Allocates: the plan, in proportion to the message.
/// Precondition: the code is OK, and the correlation id that of the request (D107..D109).
[[nodiscard]] Result<AttachGrant> check_attach_response(const layout::ShmAttachResponse& response,
                                                        const layout::ShmAttachRequest& request,
                                                        const region::PlanLimits& limits = {});

}  // namespace tensorpool::inline v0::core::attach
