// tp stat: what a driver has counted and measured, told by itself, or read from the media driver's
// file without its help.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <atomic>
#include <chrono>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

#include "admin/ask.hpp"
#include "apps/console.hpp"
#include "apps/driver_link.hpp"
#include "apps/driver_stat.hpp"
#include "apps/options.hpp"
#include "apps/output.hpp"
#include "apps/stop.hpp"
#include "apps/verbs.hpp"
#include "bus/counters_file.hpp"
#include "bus/driver_probe.hpp"
#include "core/driver/counters.hpp"
#include "os/clock.hpp"

namespace tensorpool::inline v0::apps {
namespace {

constexpr Nanos kLookPeriod = std::chrono::milliseconds(50);

struct StatOptions {
  DriverAddress driver;
  bool aeron = false;
  bool watch = false;
  double interval_seconds = 1;
  bool json = false;
};

/// Every driver that counts on this media driver.
[[nodiscard]] std::vector<DriverStat> read_aeron(const StatOptions& options, Console& console) {
  using namespace core::driver;
  const std::string aeron_dir = bus::choose_aeron_dir(options.driver.aeron_dir);
  const auto readings =
      bus::read_counters(aeron_dir, kCounterTypeIdBase + 1,
                         kCounterTypeIdBase + static_cast<std::int32_t>(kCounterFields.size()));
  if (!readings) {
    console.error(readings.error());
    return {};
  }
  std::vector<DriverStat> stats = driver_stats(*readings);
  if (stats.empty()) {
    console.error("no driver counts on the media driver in " + aeron_dir);
  }
  return stats;
}

/// Empty: there is nothing to be read, which the console has been told.
[[nodiscard]] std::vector<DriverStat> read(const StatOptions& options, Console& console) {
  if (options.aeron) {
    return read_aeron(options, console);
  }
  auto answer = ask_driver(options.driver, {.operation = admin::Operation::kCounters}, console);
  return answer ? std::vector{std::move(*answer)} : std::vector<DriverStat>();
}

[[nodiscard]] bool put(const StatOptions& options, const DriverStat& stat, const DriverStat* before,
                       Nanos span) {
  if (options.json) {
    DriverStat line = {{"v", 1}};
    line.update(stat);
    return put_json(line);
  }
  return put_line(before == nullptr ? stat_text(stat) : "\n" + change_text(*before, stat, span));
}

/// Of the same driver; null where it was not there.
[[nodiscard]] const DriverStat* find(const std::vector<DriverStat>& stats, const DriverStat& as) {
  const auto found = std::find_if(stats.begin(), stats.end(), [&](const DriverStat& each) {
    return each.value("instance", "") == as.value("instance", "");
  });
  return found == stats.end() ? nullptr : &*found;
}

/// False when the time has not passed, because of Ctrl-C.
[[nodiscard]] bool wait_until(Nanos end, const std::atomic<bool>& stop) {
  const os::SystemClock clock;
  while (!stop.load(std::memory_order_relaxed)) {
    const Nanos now = clock.mono();
    if (now >= end) {
      return true;
    }
    std::this_thread::sleep_for(std::min(kLookPeriod, end - now));
  }
  return false;
}

ExitCode run_stat(const StatOptions& options) {
  Console console("stat");
  const std::atomic<bool>& stop = catch_stop_signals();
  const os::SystemClock clock;
  std::vector<DriverStat> before;
  Nanos before_at{};
  do {
    const Nanos now = clock.mono();
    std::vector<DriverStat> stats = read(options, console);
    if (stats.empty()) {
      return ExitCode::kFailed;
    }
    for (const DriverStat& stat : stats) {
      if (!put(options, stat, find(before, stat), now - before_at)) {
        return ExitCode::kFine;
      }
    }
    before = std::move(stats);
    before_at = now;
  } while (options.watch && wait_until(before_at + from_seconds(options.interval_seconds), stop));
  return ExitCode::kFine;
}

}  // namespace

void add_stat(CLI::App& tp, Action& action) {
  CLI::App& verb = *tp.add_subcommand("stat", "What a driver has counted and measured");
  const auto options = std::make_shared<StatOptions>();
  verb.add_flag("--aeron", options->aeron,
                "Read the media driver's counters; no driver has to answer");
  verb.add_flag("--watch", options->watch, "Again and again: what has changed, and how fast");
  verb.add_option("--interval", options->interval_seconds, "Between two looks")
      ->check(CLI::Range(0.05, 86400.0, "SECONDS"))
      ->type_name("SECONDS")
      ->capture_default_str();
  add_driver_address(verb, options->driver);
  verb.add_flag("--json", options->json, "Print a line of JSON for each driver and look");
  verb.footer(R"(Examples:
  tp stat
  tp stat --watch
  tp stat --json | jq .counters.ActiveLeases
  tp stat --aeron

Histograms are those of the last telemetry.interval_ms, in nanoseconds, where telemetry.enabled says
so. The counters stand among those of the media driver, with type ids 54001 to 54024: --aeron shows
those of every driver there, also of one that hangs, or whose socket one may not open.)");
  verb.callback([options, &action] { action = [options] { return run_stat(*options); }; });
}

}  // namespace tensorpool::inline v0::apps
