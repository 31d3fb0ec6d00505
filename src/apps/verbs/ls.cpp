// tp ls, tp leases: what a driver has, as a table or as lines of JSON.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "apps/console.hpp"
#include "apps/driver_link.hpp"
#include "apps/options.hpp"
#include "apps/output.hpp"
#include "apps/stream_rates.hpp"
#include "apps/table.hpp"
#include "apps/text.hpp"
#include "apps/verbs.hpp"

namespace tensorpool::inline v0::apps {
namespace {

using Json = nlohmann::ordered_json;
using Align = Table::Align;

struct ListOptions {
  DriverAddress driver;
  double span_s = 0.25;
  bool json = false;
};

/// Asks each ring how fast it runs, and puts what it says into its stream.
void add_rates(Json& streams, double span_s) {
  std::vector<std::string> rings;
  for (const Json& stream : streams) {
    rings.push_back(stream.value("header_region_uri", ""));
  }
  const std::vector<std::optional<StreamRate>> rates = measure_rates(rings, from_seconds(span_s));
  for (std::size_t k = 0; k < rates.size(); ++k) {
    if (rates[k]) {
      streams[k]["frames"] = rates[k]->newest_seq + 1;
      streams[k]["rate_hz"] = rates[k]->hz;
      streams[k]["throughput_mb_per_s"] = rates[k]->bytes_per_second / 1e6;
      streams[k]["age_ns"] = rates[k]->age ? Json(rates[k]->age->count()) : Json();
    }
  }
}

/// How fast it runs, or for how long it has not.
[[nodiscard]] std::string speed_text(const Json& stream) {
  if (!stream.contains("rate_hz")) {
    return "-";
  }
  const double hz = stream["rate_hz"];
  const Json& age = stream["age_ns"];
  if (hz > 0 || age.is_null()) {
    return rate_text(hz);
  }
  return "quiet for " + duration_text(Nanos(age.get<std::int64_t>()));
}

[[nodiscard]] std::string throughput_text(const Json& stream) {
  const double megabytes = stream.value("throughput_mb_per_s", 0.0);
  return megabytes > 0 ? megabytes_text(megabytes * 1e6) : "-";
}

/// Each element of `list` as a line; false when the reader has gone.
void put_lines(const Json& list) {
  for (const Json& element : list) {
    Json line = {{"v", 1}};
    line.update(element);
    if (!put_json(line)) {
      return;
    }
  }
}

[[nodiscard]] std::string client_text(const Json& lease) {
  return lease.is_null() ? "-" : std::to_string(lease.value("client_id", 0U));
}

[[nodiscard]] std::string state_text(const Json& stream) {
  if (stream.value("provisioning", false)) {
    return "provisioning";
  }
  if (stream.value("held_back_ms", 0) > 0) {
    return fmt::format("held back for {} ms", stream.value("held_back_ms", 0));
  }
  if (stream.value("epoch", std::uint64_t{0}) == 0) {
    return "not provisioned";
  }
  return stream["producer"].is_null() ? "no producer" : "streaming";
}

[[nodiscard]] std::string geometry_text(const Json& stream) {
  std::string strides;
  for (const Json& pool : stream["pools"]) {
    strides +=
        (strides.empty() ? "" : " + ") + bytes_text(pool.value("stride_bytes", std::uint64_t{0}));
  }
  return fmt::format("{} x {}", stream.value("header_nslots", 0U), strides);
}

[[nodiscard]] Table streams_table(const Json& streams) {
  Table table({{"STREAM", Align::kRight},
               {"NAME"},
               {"STATE"},
               {"PRODUCER", Align::kRight},
               {"CONSUMERS", Align::kRight},
               {"RATE", Align::kRight},
               {"PAYLOAD", Align::kRight},
               {"SLOTS"},
               {"EPOCH", Align::kRight}});
  for (const Json& stream : streams) {
    table.add({std::to_string(stream.value("stream_id", 0U)), stream.value("name", ""),
               state_text(stream), client_text(stream["producer"]),
               std::to_string(stream["consumers"].size()), speed_text(stream),
               throughput_text(stream), geometry_text(stream),
               std::to_string(stream.value("epoch", std::uint64_t{0}))});
  }
  return table;
}

/// What the driver's supervisor has heard of the holder.
[[nodiscard]] std::string heard_text(const Json& seen) {
  if (!seen.is_object()) {
    return "-";
  }
  if (seen.contains("current_seq")) {
    return "next frame " + grouped(seen.value("current_seq", std::uint64_t{0})) +
           (seen.value("stale", false) ? ", silent" : "");
  }
  const std::uint64_t lost =
      seen.value("drops_gap", std::uint64_t{0}) + seen.value("drops_late", std::uint64_t{0});
  return fmt::format("last frame {}, {} lost",
                     grouped(seen.value("last_seq_seen", std::uint64_t{0})), grouped(lost));
}

[[nodiscard]] Table leases_table(const Json& leases) {
  const bool supervised = !leases.empty() && leases.front().contains("seen");
  std::vector<Table::Column> columns = {
      {"LEASE", Align::kRight},  {"STREAM", Align::kRight}, {"ROLE"},
      {"CLIENT", Align::kRight}, {"NODE", Align::kRight},   {"EXPIRES IN", Align::kRight}};
  if (supervised) {
    columns.push_back({"HEARD"});
  }
  Table table(std::move(columns));
  for (const Json& lease : leases) {
    std::vector<std::string> cells = {std::to_string(lease.value("lease_id", std::uint64_t{0})),
                                      std::to_string(lease.value("stream_id", 0U)),
                                      lease.value("role", ""),
                                      std::to_string(lease.value("client_id", 0U)),
                                      lease["node_id"].is_null() ? "-" : lease["node_id"].dump(),
                                      fmt::format("{} ms", lease.value("expires_in_ms", 0))};
    if (supervised) {
      cells.push_back(heard_text(lease["seen"]));
    }
    table.add(std::move(cells));
  }
  return table;
}

ExitCode run_list(const char* verb, admin::Operation operation, const char* key,
                  Table (*to_table)(const Json&), const ListOptions& options) {
  Console console(verb);
  auto answer = ask_driver(options.driver, {.operation = operation}, console);
  if (!answer) {
    return ExitCode::kFailed;
  }
  Json& list = (*answer)[key];
  if (operation == admin::Operation::kStreams && options.span_s > 0 && !list.empty()) {
    add_rates(list, options.span_s);
  }
  if (options.json) {
    put_lines(list);
  } else if (list.empty()) {
    console.note(fmt::format("no {}", key));
  } else {
    static_cast<void>(put_line(to_table(list).text()));
  }
  return ExitCode::kFine;
}

}  // namespace

void add_ls(CLI::App& tp, Action& action) {
  CLI::App& verb =
      *tp.add_subcommand("ls", "The streams of a driver: producers, consumers, rates, epochs");
  const auto options = std::make_shared<ListOptions>();
  verb.add_option("--span", options->span_s, "How long to measure rates; 0: not at all")
      ->check(CLI::Range(0.0, 3600.0, "SECONDS"))
      ->capture_default_str();
  add_driver_address(verb, options->driver);
  verb.add_flag("--json", options->json, "Print a line of JSON for each stream");
  verb.footer(R"(Examples:
  tp ls
  tp ls --span 0 --json | jq -r 'select(.producer == null) | .name'

Rates are seen in the rings themselves, by two looks; whoever may not read them sees none.)");
  verb.callback([options, &action] {
    action = [options] {
      return run_list("ls", admin::Operation::kStreams, "streams", &streams_table, *options);
    };
  });
}

void add_leases(CLI::App& tp, Action& action) {
  CLI::App& verb = *tp.add_subcommand("leases", "Who holds which stream, and until when");
  const auto options = std::make_shared<ListOptions>();
  add_driver_address(verb, options->driver);
  verb.add_flag("--json", options->json, "Print a line of JSON for each lease");
  verb.footer(R"(Examples:
  tp leases
  tp leases --json | jq 'select(.role == "producer")'

`tp revoke LEASE` ends one.)");
  verb.callback([options, &action] {
    action = [options] {
      return run_list("leases", admin::Operation::kLeases, "leases", &leases_table, *options);
    };
  });
}

}  // namespace tensorpool::inline v0::apps
