// Drives a foreign consumer: a producer by hand does to it what consumer_cases.hpp lists, and waits
// each time until QosConsumer tells what came of it.
//
// Thread contract: one thread.
#pragma once

#include "apps/conform/consumer_cases.hpp"
#include "apps/conform/trial.hpp"
#include "apps/conform/workbench.hpp"

namespace tensorpool::inline v0::apps::conform {

/// Errors: those of starting it, and of making regions.
[[nodiscard]] Result<ConsumerRecord> drive_consumer(Workbench& bench, const Trial& trial);

}  // namespace tensorpool::inline v0::apps::conform
