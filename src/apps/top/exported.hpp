// Producers and consumers out of the counters that they show (docs/adr/0034). Pure; the counters
// are input, for everybody with access to a media driver can add some.
//
// Thread contract: free functions.
#pragma once

#include <vector>

#include "apps/top/sample.hpp"
#include "bus/counters_file.hpp"

namespace tensorpool::inline v0::apps::top {

/// The range of type ids that concern us.
inline constexpr std::int32_t kFirstTypeId = core::telemetry::kProducerTypeIdBase + 1;
inline constexpr std::int32_t kLastTypeId =
    core::telemetry::kConsumerTypeIdBase + core::telemetry::kNumberMax;

/// Adds those of `readings`, by identity. What cannot be a counter of ours is left out.
void add_exported(const std::vector<bus::CounterReading>& readings, Sample& sample);

}  // namespace tensorpool::inline v0::apps::top
