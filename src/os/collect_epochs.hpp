// Deletes obsolete epoch directories for a driver, or says what it would delete and why the rest
// stays. Spec: 2-driver §2.14 (D225..D234), D215, D268. The rules themselves:
// core/driver/collect_rules.
//
// Thread contract: any thread, while nothing else works on the stream.
#pragma once

#include <optional>

#include "base/clock.hpp"
#include "core/driver/provisioning.hpp"
#include "core/driver/settings.hpp"
#include "os/epoch_store.hpp"

namespace tensorpool::inline v0::os {

/// Looks at every epoch directory of the stream; an absent stream directory is an empty outcome.
/// Of a stream that was not open it takes the lock for as long as it looks. An error when the
/// stream's directory cannot be used, or another driver holds it; nothing was deleted then.
[[nodiscard]] Result<core::driver::CollectOutcome> collect_epochs(
    ManagedStream& stream, const core::driver::PolicySettings& policies,
    const core::driver::CollectRequest& request, base::Now now);

/// Removes every epoch that this process has provisioned in the stream and that is still there,
/// whatever the rules of collection say, and leaves everything else (D268). Nothing where it has
/// provisioned none.
[[nodiscard]] std::optional<core::driver::CollectOutcome> remove_provisioned(ManagedStream& stream);

}  // namespace tensorpool::inline v0::os
