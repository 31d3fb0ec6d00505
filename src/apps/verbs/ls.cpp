// tp ls, tp leases: what a driver has, as a table or as lines of JSON.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <string>

#include "apps/console.hpp"
#include "apps/driver_link.hpp"
#include "apps/output.hpp"
#include "apps/table.hpp"
#include "apps/text.hpp"
#include "apps/verbs.hpp"

namespace tensorpool::inline v0::apps {
namespace {

using Json = nlohmann::ordered_json;
using Align = Table::Align;

struct ListOptions {
  DriverAddress driver;
  bool json = false;
};

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
               {"SLOTS"},
               {"EPOCH", Align::kRight}});
  for (const Json& stream : streams) {
    table.add({std::to_string(stream.value("stream_id", 0U)), stream.value("name", ""),
               state_text(stream), client_text(stream["producer"]),
               std::to_string(stream["consumers"].size()), geometry_text(stream),
               std::to_string(stream.value("epoch", std::uint64_t{0}))});
  }
  return table;
}

[[nodiscard]] Table leases_table(const Json& leases) {
  Table table({{"LEASE", Align::kRight},
               {"STREAM", Align::kRight},
               {"ROLE"},
               {"CLIENT", Align::kRight},
               {"NODE", Align::kRight},
               {"EXPIRES IN", Align::kRight}});
  for (const Json& lease : leases) {
    table.add({std::to_string(lease.value("lease_id", std::uint64_t{0})),
               std::to_string(lease.value("stream_id", 0U)), lease.value("role", ""),
               std::to_string(lease.value("client_id", 0U)),
               lease["node_id"].is_null() ? "-" : lease["node_id"].dump(),
               fmt::format("{} ms", lease.value("expires_in_ms", 0))});
  }
  return table;
}

ExitCode run_list(const char* verb, admin::Operation operation, const char* key,
                  Table (*to_table)(const Json&), const ListOptions& options) {
  Console console(verb);
  const auto answer = ask_driver(options.driver, {.operation = operation}, console);
  if (!answer) {
    return ExitCode::kFailed;
  }
  const Json& list = (*answer)[key];
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
      *tp.add_subcommand("ls", "The streams of a driver: epochs, producers, consumers");
  const auto options = std::make_shared<ListOptions>();
  add_driver_address(verb, options->driver);
  verb.add_flag("--json", options->json, "Print a line of JSON for each stream");
  verb.footer(R"(Examples:
  tp ls
  tp ls --json | jq -r 'select(.producer == null) | .name')");
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
