// Drives a foreign client of a driver: a driver by hand does to it what client_cases.hpp lists. Its
// regions are real, its patience is not.
//
// Thread contract: one thread.
#pragma once

#include "apps/conform/client_cases.hpp"
#include "apps/conform/trial.hpp"
#include "apps/conform/workbench.hpp"

namespace tensorpool::inline v0::apps::conform {

/// Errors: those of starting it, and of making regions.
[[nodiscard]] Result<ClientRecord> drive_client(Workbench& bench, const Trial& trial);

}  // namespace tensorpool::inline v0::apps::conform
