// tp revoke, tp gc: orders to a driver.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <string>

#include "apps/console.hpp"
#include "apps/driver_link.hpp"
#include "apps/output.hpp"
#include "apps/verbs.hpp"

namespace tensorpool::inline v0::apps {
namespace {

using Json = nlohmann::ordered_json;

struct OrderOptions {
  DriverAddress driver;
  std::uint64_t lease_id = 0;
  std::string stream;
  std::string text;
  bool dry_run = false;
  bool json = false;
};

/// Asks, and prints the answer as JSON where that is wanted. Nothing: told on the console.
[[nodiscard]] std::optional<Json> order(const OrderOptions& options, const admin::Request& request,
                                        Console& console) {
  auto answer = ask_driver(options.driver, request, console);
  if (answer && options.json) {
    Json line = {{"v", 1}};
    line.update(*answer);
    static_cast<void>(put_json(line));
  }
  return answer;
}

ExitCode run_revoke(const OrderOptions& options) {
  Console console("revoke");
  const auto answer = order(
      options,
      {.operation = admin::Operation::kRevoke, .lease_id = options.lease_id, .text = options.text},
      console);
  if (answer) {
    console.note(fmt::format("lease {} has ended", options.lease_id));
  }
  return answer ? ExitCode::kFine : ExitCode::kFailed;
}

[[nodiscard]] std::string outcome_text(const Json& stream, bool dry_run) {
  if (stream.contains("message")) {
    return stream.value("message", "");
  }
  std::string text = fmt::format("stream {}", stream.value("stream_id", 0U));
  for (const Json& epoch : stream["removed"]) {
    text +=
        fmt::format("\n  {} {}", dry_run ? "would go " : "removed  ", epoch.get<std::uint64_t>());
  }
  for (const Json& kept : stream["kept"]) {
    const std::string detail = kept.value("detail", "");
    text += fmt::format("\n  stays     {}  {}{}", kept.value("epoch", std::uint64_t{0}),
                        kept.value("reason", ""), detail.empty() ? "" : ": " + detail);
  }
  return text;
}

ExitCode run_gc(const OrderOptions& options) {
  Console console("gc");
  admin::Request request{.operation = admin::Operation::kCollect, .dry_run = options.dry_run};
  if (!options.stream.empty()) {
    set_stream(request, options.stream);
  }
  const auto answer = order(options, request, console);
  if (!answer) {
    return ExitCode::kFailed;
  }
  for (const Json& stream : (*answer)["streams"]) {
    if (!options.json && !put_line(outcome_text(stream, options.dry_run))) {
      break;
    }
  }
  return ExitCode::kFine;
}

/// A verb with the options that all of these have.
CLI::App& add_order(CLI::App& tp, Action& action, const char* name, const char* about,
                    const std::shared_ptr<OrderOptions>& options,
                    ExitCode (*run)(const OrderOptions&)) {
  CLI::App& verb = *tp.add_subcommand(name, about);
  add_driver_address(verb, options->driver);
  verb.add_flag("--json", options->json, "Print JSON");
  verb.callback([options, &action, run] { action = [options, run] { return run(*options); }; });
  return verb;
}

}  // namespace

void add_revoke(CLI::App& tp, Action& action) {
  const auto options = std::make_shared<OrderOptions>();
  CLI::App& verb = add_order(tp, action, "revoke", "End a lease", options, &run_revoke);
  verb.add_option("LEASE", options->lease_id, "Number of the lease, as tp leases shows it")
      ->required();
  verb.add_option("--text", options->text, "What its holder is told")->type_name("TEXT");
  verb.footer(R"(Examples:
  tp revoke 4611686018427387904 --text maintenance

The holder is told and stops; it may attach again. Ending a producer's lease begins a new epoch.)");
}

void add_gc(CLI::App& tp, Action& action) {
  const auto options = std::make_shared<OrderOptions>();
  CLI::App& verb =
      add_order(tp, action, "gc", "Remove old epochs, or say why they stay", options, &run_gc);
  verb.add_option("STREAM", options->stream, "Name or number of one stream; without it all");
  verb.add_flag("--dry-run", options->dry_run, "Say what would go, remove nothing");
  verb.footer(R"(Examples:
  tp gc --dry-run
  tp gc cam1)");
}

}  // namespace tensorpool::inline v0::apps
