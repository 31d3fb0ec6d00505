// What a driver has counted and measured, as it was read, for tp stat. Pure.
//
// Thread contract: free functions.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "bus/counters_file.hpp"
#include "tensorpool/types/time.hpp"

namespace tensorpool::inline v0::apps {

/// `instance`, `counters`, and where the driver has answered itself and measures, `histograms`.
using DriverStat = nlohmann::ordered_json;

/// The counters of every driver on a media driver, by instance id, from those with type ids
/// kCounterTypeIdBase + 1 and up. Names that cannot be names are left out: everybody can add
/// counters.
[[nodiscard]] std::vector<DriverStat> driver_stats(
    const std::vector<bus::CounterReading>& readings);

/// Tables of counters and histograms for people.
[[nodiscard]] std::string stat_text(const DriverStat& stat);

/// The counters that have changed since `before`, which was read `span` earlier, with their rates.
[[nodiscard]] std::string change_text(const DriverStat& before, const DriverStat& stat, Nanos span);

}  // namespace tensorpool::inline v0::apps
