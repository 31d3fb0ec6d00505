// tp conform: whether another program speaks the protocol, as far as it shows from outside.
//
// The program is started in surroundings of its own: a media driver and a directory for regions
// that are gone afterwards. What is observed and how it is judged is in apps/conform.
#include <fmt/format.h>
#include <stdlib.h>  // NOLINT(modernize-deprecated-headers): mkdtemp

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <system_error>
#include <vector>

#include "apps/conform/client_cases.hpp"
#include "apps/conform/consumer_cases.hpp"
#include "apps/conform/drive_client.hpp"
#include "apps/conform/drive_consumer.hpp"
#include "apps/conform/producer_cases.hpp"
#include "apps/conform/watch_producer.hpp"
#include "apps/console.hpp"
#include "apps/options.hpp"
#include "apps/output.hpp"
#include "apps/stop.hpp"
#include "apps/table.hpp"
#include "apps/verbs.hpp"

namespace tensorpool::inline v0::apps {
namespace {

using conform::CaseResult;
using conform::Outcome;
using Json = nlohmann::ordered_json;

struct ConformOptions {
  std::string against;
  std::string role = "producer";
  std::vector<std::string> cases;
  conform::Places places;
  double patience_s = 10;
  double watch_s = 4;
  double period_s = 1;
  bool list = false;
  bool show = false;
  bool json = false;
};

/// A directory that goes with everything in it.
class Scratch {
 public:
  [[nodiscard]] static Result<std::unique_ptr<Scratch>> create() {
    std::string path = "/dev/shm/tensorpool-conform-XXXXXX";
    if (::mkdtemp(path.data()) == nullptr) {
      return fail(make_os_error(Errc::kOsFailure, path, errno));
    }
    auto made = std::make_unique<Scratch>();
    made->path_ = std::move(path);
    return made;
  }
  Scratch() = default;
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  ~Scratch() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  [[nodiscard]] const std::string& path() const noexcept { return path_; }

 private:
  std::string path_;
};

/// Every case of a role, judged by a record of nothing.
[[nodiscard]] std::vector<CaseResult> cases_of(const std::string& role) {
  if (role == "consumer") {
    return conform::judge_all(conform::consumer_cases(), conform::ConsumerRecord{});
  }
  if (role == "client") {
    return conform::judge_all(conform::client_cases(), conform::ClientRecord{});
  }
  return conform::judge_all(conform::producer_cases(), conform::ProducerRecord{});
}

[[nodiscard]] Json ids_of(std::string_view ids) {
  Json all = Json::array();
  std::istringstream words{std::string(ids)};
  for (std::string id; words >> id;) {
    all.push_back(id);
  }
  return all;
}

ExitCode list_cases(const ConformOptions& options) {
  Table table({{.title = "role"}, {.title = "case"}, {.title = "rules"}, {.title = "it"}});
  for (const char* role : {"producer", "consumer", "client"}) {
    for (const CaseResult& one : cases_of(role)) {
      if (options.json) {
        if (!put_json({{"v", 1},
                       {"role", role},
                       {"case", one.name},
                       {"ids", ids_of(one.ids)},
                       {"rule", one.rule}})) {
          return ExitCode::kFine;
        }
      } else {
        table.add({role, std::string(one.name), std::string(one.ids), std::string(one.rule)});
      }
    }
  }
  if (!options.json) {
    static_cast<void>(put_line(table.text()));
  }
  return ExitCode::kFine;
}

[[nodiscard]] std::size_t count(const std::vector<CaseResult>& results, Outcome outcome) {
  return static_cast<std::size_t>(
      std::count_if(results.begin(), results.end(),
                    [outcome](const CaseResult& one) { return one.finding.outcome == outcome; }));
}

void put_results(const std::vector<CaseResult>& results, bool json, const std::string& role) {
  Table table({{.title = "result"}, {.title = "case"}, {.title = "rules"}, {.title = "seen"}});
  bool reads = true;
  for (const CaseResult& one : results) {
    const std::string_view outcome = conform::to_string(one.finding.outcome);
    if (json) {
      reads = reads && put_json({{"v", 1},
                                 {"role", role},
                                 {"case", one.name},
                                 {"ids", ids_of(one.ids)},
                                 {"rule", one.rule},
                                 {"outcome", outcome},
                                 {"seen", one.finding.seen}});
    } else {
      const bool failed = one.finding.outcome == Outcome::kFailed;
      table.add({std::string(outcome), std::string(one.name), std::string(one.ids),
                 failed ? fmt::format("{}: {}", one.rule, one.finding.seen) : one.finding.seen});
    }
  }
  if (!json) {
    static_cast<void>(put_line(table.text()));
  }
}

[[nodiscard]] Result<std::vector<CaseResult>> run_role(const ConformOptions& options,
                                                       const conform::Places& places,
                                                       const conform::Trial& trial) {
  Result<std::unique_ptr<conform::Workbench>> bench = conform::Workbench::create(places);
  if (!bench) {
    return fail(bench.error());
  }
  const auto judge = [&](const auto& cases, const auto& record) {
    return record
               ? Result<std::vector<CaseResult>>(conform::judge_all(cases, *record, options.cases))
               : fail(record.error());
  };
  if (options.role == "consumer") {
    return judge(conform::consumer_cases(), conform::drive_consumer(**bench, trial));
  }
  if (options.role == "client") {
    return judge(conform::client_cases(), conform::drive_client(**bench, trial));
  }
  return judge(conform::producer_cases(), conform::watch_producer(**bench, trial));
}

/// The command with its places filled in, and what tells it the same as variables.
[[nodiscard]] Result<conform::Trial> make_trial(const ConformOptions& options,
                                                const conform::Places& places, Console& console) {
  const std::map<std::string, std::string> values = places.values();
  Result<std::string> command = conform::fill_in(options.against, values);
  if (!command) {
    return fail(command.error());
  }
  std::map<std::string, std::string> environment = {{"AERON_DIR", places.aeron_dir}};
  for (const auto& [name, value] : values) {
    std::string variable = "TP_CONFORM_" + name;
    std::transform(variable.begin(), variable.end(), variable.begin(),
                   [](unsigned char one) { return static_cast<char>(std::toupper(one)); });
    environment[variable] = value;
  }
  return conform::Trial{.start =
                            [command = std::move(*command), environment, shown = options.show] {
                              return conform::Program::start(command, environment, shown);
                            },
                        .patience = from_seconds(options.patience_s),
                        .watch = from_seconds(options.watch_s),
                        .period = from_seconds(options.period_s),
                        .stop = &catch_stop_signals(),
                        .tell = [&console](std::string_view what) { console.note(what); }};
}

ExitCode run_conform(const ConformOptions& options) {
  if (options.list) {
    return list_cases(options);
  }
  Console console("conform");
  const auto failed = [&](const Error& error) {
    console.error(error);
    return ExitCode::kFailed;
  };
  Result<std::unique_ptr<Scratch>> scratch = Scratch::create();
  if (!scratch) {
    return failed(scratch.error());
  }
  conform::Places places = options.places;
  places.aeron_dir = places.aeron_dir.empty() ? (*scratch)->path() + "/aeron" : places.aeron_dir;
  places.shm_dir = places.shm_dir.empty() ? (*scratch)->path() : places.shm_dir;
  const Result<conform::Trial> trial = make_trial(options, places, console);
  if (!trial) {
    return failed(trial.error());
  }
  const Result<std::vector<CaseResult>> results = run_role(options, places, *trial);
  if (!results) {
    return failed(results.error());
  }
  if (trial->is_stopped()) {
    console.note("stopped");
    return ExitCode::kFailed;
  }
  put_results(*results, options.json, options.role);
  const std::size_t wrong = count(*results, Outcome::kFailed);
  const std::size_t right = count(*results, Outcome::kPassed);
  console.note(fmt::format("{} passed, {} failed, {} not observable", right, wrong,
                           results->size() - right - wrong));
  return wrong == 0 && right != 0 ? ExitCode::kFine : ExitCode::kFailed;
}

void check_cases(const ConformOptions& options) {
  const std::vector<CaseResult> known = cases_of(options.role);
  for (const std::string& name : options.cases) {
    if (std::none_of(known.begin(), known.end(),
                     [&](const CaseResult& one) { return one.name == name; })) {
      throw CLI::ValidationError("--case",
                                 "no case " + name + " of role " + options.role + "; see --list");
    }
  }
}

void add_places(CLI::App& verb, conform::Places& places) {
  verb.add_option("--stream", places.stream_id, "Number of the stream")
      ->type_name("ID")
      ->capture_default_str();
  const std::pair<const char*, std::int32_t*> streams[] = {
      {"--control-stream", &places.control_stream},
      {"--announce-stream", &places.announce_stream},
      {"--descriptor-stream", &places.descriptor_stream},
      {"--qos-stream", &places.qos_stream},
      {"--metadata-stream", &places.metadata_stream}};
  for (const auto& [name, id] : streams) {
    verb.add_option(name, *id, "Aeron stream")
        ->check(CLI::Range(1, 0x7FFF'FFFF, "ID"))
        ->capture_default_str();
  }
  verb.add_option("--channel", places.channel, "Aeron channel of all of them")
      ->type_name("CHANNEL")
      ->capture_default_str();
  verb.add_option("--aeron-dir", places.aeron_dir,
                  "Directory of a media driver that runs [one of its own]")
      ->type_name("DIR");
  verb.add_option("--shm-dir", places.shm_dir, "Directory of the regions [one of its own]")
      ->type_name("DIR");
}

}  // namespace

void add_conform(CLI::App& tp, Action& action) {
  CLI::App& verb =
      *tp.add_subcommand("conform", "Whether another program speaks the protocol: try it");
  const auto options = std::make_shared<ConformOptions>();
  CLI::Option* const list = verb.add_flag("--list", options->list, "The cases, without a program");
  verb.add_option(
          "--against", options->against,
          "The command to try. {aeron_dir}, {shm_dir}, {stream_id}, {control_stream}, "
          "{announce_stream}, {descriptor_stream}, {qos_stream} and {metadata_stream} in it "
          "are filled in; TP_CONFORM_AERON_DIR and so on hold the same")
      ->type_name("COMMAND")
      ->excludes(list);
  verb.add_option("--role", options->role, "What it is: producer, consumer, or client of a driver")
      ->check(CLI::IsMember({"producer", "consumer", "client"}))
      ->type_name("ROLE")
      ->capture_default_str();
  verb.add_option("--case", options->cases, "Only this case; may be repeated")
      ->type_name("NAME")
      ->allow_extra_args(false);
  verb.add_option("--patience", options->patience_s, "How long it may take to come up")
      ->check(seconds_range())
      ->type_name("SECONDS")
      ->capture_default_str();
  verb.add_option("--watch", options->watch_s, "How long a producer is watched undisturbed")
      ->check(seconds_range())
      ->type_name("SECONDS")
      ->capture_default_str();
  verb.add_option("--period", options->period_s, "Its period of announces, hellos and QoS")
      ->check(CLI::Range(0.01, 3600.0, "SECONDS"))
      ->capture_default_str();
  add_places(verb, options->places);
  verb.add_flag("--show", options->show, "Let the program's output through to standard error");
  verb.add_flag("--json", options->json, "Print a line of JSON for each case");
  verb.footer(R"(Examples:
  tp conform --list
  tp conform --against 'tp pub {stream_id} --sim ramp --hz 200 --shm-dir {shm_dir}'
  tp conform --role consumer --against 'tp sub {stream_id} --shm-dir {shm_dir}'
  tp conform --role client --against 'tp attach {stream_id} --allowed-dir {shm_dir}' --json

Starts the program with a media driver and a directory of its own, twice where that shows
something. Exit code 0: no case has failed, and some have passed.)");
  verb.callback([options, &action] {
    if (!options->list && options->against.empty()) {
      throw CLI::RequiredError("--against or --list");
    }
    check_cases(*options);
    action = [options] { return run_conform(*options); };
  });
}

}  // namespace tensorpool::inline v0::apps
