#include "apps/driver_stat.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <map>
#include <string_view>

#include "apps/options.hpp"
#include "apps/table.hpp"
#include "apps/text.hpp"
#include "core/driver/counters.hpp"

namespace tensorpool::inline v0::apps {
namespace {

using Json = nlohmann::ordered_json;
using Align = Table::Align;

/// As driver.instance_id has to be.
[[nodiscard]] bool is_instance_id(std::string_view text) noexcept {
  return !text.empty() &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= ' ' && c <= '~'; });
}

[[nodiscard]] std::uint64_t value_of(const DriverStat& stat, const std::string& counter) {
  const auto counters = stat.find("counters");
  return counters == stat.end() ? 0 : counters->value(counter, std::uint64_t{0});
}

[[nodiscard]] std::string histograms_text(const Json& histograms) {
  Table table({{"NANOSECONDS"},
               {"COUNT", Align::kRight},
               {"P50", Align::kRight},
               {"P90", Align::kRight},
               {"P99", Align::kRight},
               {"P99.9", Align::kRight},
               {"MAX", Align::kRight}});
  for (const auto& [name, summary] : histograms.items()) {
    std::vector<std::string> cells = {name};
    for (const char* const key : {"count", "p50", "p90", "p99", "p99_9", "max"}) {
      cells.push_back(grouped(summary.value(key, std::uint64_t{0})));
    }
    table.add(std::move(cells));
  }
  return table.text();
}

}  // namespace

std::vector<DriverStat> driver_stats(const std::vector<bus::CounterReading>& readings) {
  std::map<std::string, DriverStat> by_instance;
  for (const bus::CounterReading& reading : readings) {
    const auto number =
        static_cast<std::size_t>(reading.type_id - core::driver::kCounterTypeIdBase);
    if (number >= 1 && number <= core::driver::kCounterFields.size() &&
        is_instance_id(reading.key)) {
      DriverStat& stat = by_instance[reading.key];
      stat["instance"] = reading.key;
      stat["counters"][std::string(core::driver::kCounterFields[number - 1].name)] =
          static_cast<std::uint64_t>(reading.value);
    }
  }
  std::vector<DriverStat> stats;
  for (auto& [instance, stat] : by_instance) {
    stats.push_back(std::move(stat));
  }
  return stats;
}

std::string stat_text(const DriverStat& stat) {
  Table table({{stat.value("instance", "COUNTER")}, {"VALUE", Align::kRight}});
  for (const auto& [name, value] : stat["counters"].items()) {
    table.add({name, grouped(value.get<std::uint64_t>())});
  }
  std::string text = table.text();
  if (const auto supervisor = stat.find("supervisor"); supervisor != stat.end()) {
    Table of_supervisor({{"SUPERVISOR"}, {"VALUE", Align::kRight}});
    for (const auto& [name, value] : supervisor->items()) {
      of_supervisor.add({name, grouped(value.get<std::uint64_t>())});
    }
    text += "\n\n" + of_supervisor.text();
  }
  const auto histograms = stat.find("histograms");
  return histograms == stat.end() ? text : text + "\n\n" + histograms_text(*histograms);
}

std::string change_text(const DriverStat& before, const DriverStat& stat, Nanos span) {
  Table table({{stat.value("instance", "COUNTER")},
               {"VALUE", Align::kRight},
               {"PER SECOND", Align::kRight}});
  for (const auto& [name, value] : stat["counters"].items()) {
    const auto now = value.get<std::uint64_t>();
    const auto change = static_cast<std::int64_t>(now - value_of(before, name));
    if (change != 0) {
      table.add({name, grouped(now),
                 fmt::format("{:.1f}", per_second(static_cast<double>(change), span))});
    }
  }
  return table.text();
}

}  // namespace tensorpool::inline v0::apps
