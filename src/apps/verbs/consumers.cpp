// tp consumers: who reads one stream, how, how fast, and what each has lost and why.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <thread>

#include "apps/console.hpp"
#include "apps/driver_link.hpp"
#include "apps/options.hpp"
#include "apps/output.hpp"
#include "apps/stream_lookup.hpp"
#include "apps/table.hpp"
#include "apps/text.hpp"
#include "apps/top/columns.hpp"
#include "apps/top/model.hpp"
#include "apps/top/sampler.hpp"
#include "apps/top/view_json.hpp"
#include "apps/verbs.hpp"
#include "bus/driver_probe.hpp"

namespace tensorpool::inline v0::apps {
namespace {

using Align = Table::Align;

struct ConsumersOptions {
  std::string stream;
  DriverAddress driver;
  double span_s = 1;
  bool json = false;
};

[[nodiscard]] std::string own_streams_text(const top::ConsumerRow& row) {
  if (!row.reading) {
    return "-";
  }
  std::string text;
  for (const auto& [id, what] : {std::pair{row.reading->own_descriptor_stream, "descriptors"},
                                 std::pair{row.reading->own_control_stream, "control"}}) {
    if (id != 0) {
      text += fmt::format("{}{} {}", text.empty() ? "" : ", ", what, id);
    }
  }
  return text.empty() ? "none" : text;
}

[[nodiscard]] Table consumers_table(const top::StreamRow& stream) {
  Table table({{"ID", Align::kRight},
               {"PID", Align::kRight},
               {"PROGRAM"},
               {"MODE"},
               {"RATE", Align::kRight},
               {"WAKE"},
               {"POLLED", Align::kRight},
               {"MARGIN", Align::kRight},
               {"LOST", Align::kRight},
               {"BY CAUSE"},
               {"OWN STREAMS"},
               {"LEASE", Align::kRight}});
  for (const top::ConsumerRow& row : stream.consumers) {
    const std::string causes = row.reading ? top::causes_text(*row.reading) : "";
    table.add({std::to_string(row.client_id),
               row.process.pid == 0 ? "-" : std::to_string(row.process.pid),
               row.process.name.empty() ? "-" : row.process.name, top::mode_text(row),
               row.hz ? rate_text(*row.hz) : "-",
               row.ways ? std::string(core::telemetry::to_string(row.ways->waits)) : "-",
               top::short_time(row.last_seen), top::short_percent(row.margin),
               row.lost ? grouped(*row.lost) : "-", causes.empty() ? "-" : causes,
               own_streams_text(row), row.lease ? std::to_string(row.lease->lease_id) : "-"});
  }
  return table;
}

[[nodiscard]] const top::StreamRow* find(const top::View& view, const StreamRef& wanted) {
  for (const top::StreamRow& row : view.streams) {
    if (wanted.number != 0 ? row.stream_id == wanted.number : row.name == wanted.name) {
      return &row;
    }
  }
  return nullptr;
}

ExitCode run_consumers(const ConsumersOptions& options) {
  Console console("consumers");
  const Result<StreamRef> wanted = parse_stream_ref(options.stream);
  if (!wanted) {
    console.error(wanted.error());
    return ExitCode::kUsage;
  }
  top::Sampler sampler({.aeron_dir = bus::choose_aeron_dir(options.driver.aeron_dir),
                        .control_stream_id = options.driver.control_stream_id});
  top::Model model;
  model.add(sampler.take());
  std::this_thread::sleep_for(from_seconds(options.span_s));
  model.add(sampler.take());
  const top::View view = model.view({});
  for (const std::string& note : view.notes) {
    console.warn(note);
  }
  const top::StreamRow* const stream = find(view, *wanted);
  if (stream == nullptr) {
    console.error(fmt::format("nobody produces or reads {} here", options.stream));
    return ExitCode::kFailed;
  }
  if (options.json) {
    for (const top::ConsumerRow& row : stream->consumers) {
      nlohmann::ordered_json line = {{"v", 1}};
      line.update(top::to_json(row));
      if (!put_json(line)) {
        break;
      }
    }
  } else if (stream->consumers.empty()) {
    console.note("no consumers");
  } else {
    static_cast<void>(put_line(consumers_table(*stream).text()));
  }
  return ExitCode::kFine;
}

}  // namespace

void add_consumers(CLI::App& tp, Action& action) {
  CLI::App& verb =
      *tp.add_subcommand("consumers", "Who reads a stream, how fast, and what each has lost");
  const auto options = std::make_shared<ConsumersOptions>();
  verb.add_option("STREAM", options->stream, "Name or number of a stream")->required();
  verb.add_option("--span", options->span_s, "How long to measure rates")
      ->check(CLI::Range(0.2, 3600.0, "SECONDS"))
      ->type_name("SECONDS")
      ->capture_default_str();
  add_driver_address(verb, options->driver);
  verb.add_flag("--json", options->json, "Print a line of JSON for each consumer");
  verb.footer(R"(Examples:
  tp consumers cam1
  tp consumers cam1 --json | jq 'select(.margin < 0.5) | .pid'

Losses by cause: gap, overwritten before the consumer came to them; late, announced and then
overwritten; torn, overwritten while they were read; bad, with a header that makes no sense.
Consumers of other programs than this library show no counters: of those only a lease is known.)");
  verb.callback([options, &action] { action = [options] { return run_consumers(*options); }; });
}

}  // namespace tensorpool::inline v0::apps
