// tp doctor: looks over a host, and says what to type.
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <filesystem>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "apps/console.hpp"
#include "apps/doctor/announcers.hpp"
#include "apps/doctor/diagnose.hpp"
#include "apps/inspect.hpp"
#include "apps/options.hpp"
#include "apps/output.hpp"
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

Reads only; needs no privileges, no driver and no stream. Exits with 1 when streams cannot work.)");
  verb.callback([options, &action] { action = [options] { return run_doctor(*options); }; });
}

}  // namespace tensorpool::inline v0::apps
