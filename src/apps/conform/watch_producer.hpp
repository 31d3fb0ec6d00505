// Observes a foreign producer: what it sends, what it does to its regions, what it answers to
// hellos that are sent by hand, and what it does after messages that make no sense.
//
// Thread contract: one thread.
#pragma once

#include "apps/conform/producer_cases.hpp"
#include "apps/conform/trial.hpp"
#include "apps/conform/workbench.hpp"

namespace tensorpool::inline v0::apps::conform {

/// Errors: those of starting it.
[[nodiscard]] Result<ProducerRecord> watch_producer(Workbench& bench, const Trial& trial);

}  // namespace tensorpool::inline v0::apps::conform
