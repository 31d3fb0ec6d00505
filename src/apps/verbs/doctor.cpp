// tp doctor: looks over a host, and says what to type. tp doctor wake: measures how consumers best
// wait here.
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <filesystem>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <vector>

#include "apps/console.hpp"
#include "apps/doctor/announcers.hpp"
#include "apps/doctor/diagnose.hpp"
#include "apps/doctor/wake.hpp"
#include "apps/inspect.hpp"
#include "apps/options.hpp"
#include "apps/output.hpp"
#include "apps/stop.hpp"
#include "apps/table.hpp"
#include "apps/text.hpp"
#include "apps/verbs.hpp"
#include "core/region/directories.hpp"
#include "os/process.hpp"

namespace tensorpool::inline v0::apps {
namespace {

using doctor::Finding;
using doctor::Severity;

/// Everybody announces once a second.
constexpr Nanos kListen = std::chrono::milliseconds(2500);

struct DoctorOptions {
  std::string aeron_dir;
  std::string shm_dir = "/dev/shm";
  bool json = false;
};

/// Epoch directories below `path` with a valid header ring of a process that is gone.
[[nodiscard]] std::vector<doctor::StaleEpoch> find_stale_epochs(const std::string& path) {
  std::map<std::string, doctor::StaleEpoch> stale;
  const auto regions = find_regions(path);
  for (const std::string& region : regions.value_or(std::vector<std::string>{})) {
    const Result<RegionReport> report = inspect_region(region);
    if (report && report->verdict && !report->owner_alive) {
      const std::string folder = std::filesystem::path(region).parent_path().native();
      doctor::StaleEpoch& epoch = stale[folder];
      epoch.path = folder;
      epoch.bytes += report->file_bytes;
    }
  }
  std::vector<doctor::StaleEpoch> found;
  for (auto& [folder, epoch] : stale) {
    found.push_back(std::move(epoch));
  }
  return found;
}

[[nodiscard]] doctor::HostFacts look_over(const DoctorOptions& options) {
  doctor::HostFacts facts = doctor::probe_host(
      {.shm_dir = options.shm_dir,
       .aeron_dir = options.aeron_dir,
       .user = core::region::sanitized_user(os::effective_user_name(), ::geteuid())});
  if (facts.streams.is_directory) {
    facts.stale_epochs = find_stale_epochs(facts.streams.path);
  }
  if (facts.media_driver.state == bus::DriverState::kAlive) {
    facts.clashes = doctor::listen_for_clashes(facts.aeron_dir, kListen);
  }
  return facts;
}

[[nodiscard]] Style style_of(Severity severity) noexcept {
  switch (severity) {
    case Severity::kFine:
      return Style::kGreen;
    case Severity::kHint:
      return Style::kCyan;
    case Severity::kWarning:
      return Style::kYellow;
    case Severity::kError:
      break;
  }
  return Style::kRed;
}

/// Findings go to standard output, so it has to be the terminal, too.
[[nodiscard]] std::string styled(const Console& console, Style style, const std::string& text) {
  return ::isatty(STDOUT_FILENO) == 1 ? console.styled(style, text) : text;
}

[[nodiscard]] std::string to_text(const Finding& finding, const Console& console) {
  std::string text = styled(console, style_of(finding.severity),
                            fmt::format("{:<9}", to_string(finding.severity))) +
                     fmt::format("{:<23}{}", finding.topic, finding.text);
  if (!finding.fix.empty()) {
    text += fmt::format("\n{:32}{}", "", styled(console, Style::kBold, finding.fix));
  }
  return text;
}

[[nodiscard]] nlohmann::ordered_json to_json(const Finding& finding) {
  return {{"v", 1},
          {"topic", finding.topic},
          {"severity", to_string(finding.severity)},
          {"text", finding.text},
          {"fix", finding.fix}};
}

ExitCode run_doctor(const DoctorOptions& options) {
  const Console console("doctor");
  const std::vector<Finding> findings = doctor::diagnose(look_over(options));
  Severity worst = Severity::kFine;
  for (const Finding& finding : findings) {
    worst = std::max(worst, finding.severity);
    if (!(options.json ? put_json(to_json(finding)) : put_line(to_text(finding, console)))) {
      break;
    }
  }
  return worst == Severity::kError ? ExitCode::kFailed : ExitCode::kFine;
}

struct WakeOptions {
  double seconds = doctor::WakePlan().seconds;
  double rate_hz = doctor::WakePlan().rate_hz;
  bool json = false;
};

[[nodiscard]] const char* mode_of(const doctor::WakeFigures& figures) noexcept {
  return figures.is_baseline                        ? ""
         : figures.mode == FollowMode::kDescriptors ? "descriptors"
                                                    : "direct";
}

[[nodiscard]] nlohmann::ordered_json to_json(const doctor::WakeFigures& figures) {
  return {{"v", 1},
          {"wait", figures.way},
          {"mode", mode_of(figures)},
          {"frames", figures.frames},
          {"latency_p50_ns", figures.p50.count()},
          {"latency_p99_ns", figures.p99.count()},
          {"cpu", figures.cpu}};
}

ExitCode run_wake(const WakeOptions& options) {
  Console console("doctor wake");
  const std::atomic<bool>& stop = catch_stop_signals();
  console.note(fmt::format("measuring each way of waiting for {} s at {} Hz", options.seconds,
                           options.rate_hz));
  const Result<std::vector<doctor::WakeFigures>> measured =
      doctor::measure_waking({.seconds = options.seconds, .rate_hz = options.rate_hz}, stop);
  if (!measured) {
    if (measured.error().code != Errc::kClosed) {  // stopped: nothing to say
      console.error(measured.error());
    }
    return ExitCode::kFailed;
  }
  if (options.json) {
    for (const doctor::WakeFigures& figures : *measured) {
      static_cast<void>(put_json(to_json(figures)));
    }
    return ExitCode::kFine;
  }
  Table table({{.title = "wait"},
               {.title = "by"},
               {.title = "p50", .align = Table::Align::kRight},
               {.title = "p99", .align = Table::Align::kRight},
               {.title = "cpu", .align = Table::Align::kRight}});
  for (const doctor::WakeFigures& figures : *measured) {
    table.add({figures.way, mode_of(figures), duration_text(figures.p50),
               duration_text(figures.p99), fmt::format("{:.1f} %", figures.cpu * 100)});
  }
  bool goes_on = put_line(table.text());
  for (const std::string& line :
       doctor::recommend_waiting(*measured, std::thread::hardware_concurrency())) {
    goes_on = goes_on && put_line(line);
  }
  return ExitCode::kFine;
}

void add_wake(CLI::App& doctor_verb, Action& action) {
  CLI::App& word = *doctor_verb.add_subcommand(
      "wake", "Measure how soon a waiting consumer has a frame, and what waiting costs");
  const auto options = std::make_shared<WakeOptions>();
  word.add_option("--seconds", options->seconds, "Length of each of the measurements [1]")
      ->check(CLI::Range(0.05, 60.0, "SECONDS"));
  word.add_option("--rate", options->rate_hz, "Frames in a second [1000]")
      ->check(CLI::Range(1.0, 100'000.0, "HZ"));
  word.add_flag("--json", options->json, "Print a line of JSON for each way of waiting");
  word.callback([options, &action] { action = [options] { return run_wake(*options); }; });
}

}  // namespace

void add_doctor(CLI::App& tp, Action& action) {
  CLI::App& verb =
      *tp.add_subcommand("doctor", "Look this host over: what is wrong, and what to type");
  const auto options = std::make_shared<DoctorOptions>();
  add_aeron_dir(verb, options->aeron_dir);
  add_shm_dir(verb, options->shm_dir);
  verb.add_flag("--json", options->json, "Print a line of JSON for each finding");
  verb.footer(R"(Examples:
  tp doctor
  tp doctor --json | jq -r 'select(.severity != "fine") | .fix'
  tp doctor wake                 spin, yield, backoff, park or hybrid: figures of this host

Reads only; needs no privileges, no driver and no stream. Exits with 1 when streams cannot work.)");
  add_wake(verb, action);
  verb.callback([options, &action, &verb] {
    if (!verb.got_subcommand("wake")) {  // whose own callback came first
      action = [options] { return run_doctor(*options); };
    }
  });
}

}  // namespace tensorpool::inline v0::apps
