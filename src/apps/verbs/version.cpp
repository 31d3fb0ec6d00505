// tp version: what this program is, and what it speaks.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <nlohmann/json.hpp>

#include "apps/output.hpp"
#include "apps/verbs.hpp"
#include "layout/limits.hpp"
#include "layout/slot.hpp"

namespace tensorpool::inline v0::apps {
namespace {

ExitCode run_version(bool json) {
  static_cast<void>(json
                        ? put_json({{"v", 1},
                                    {"version", TP_VERSION},
                                    {"layout_version", layout::kLayoutVersion},
                                    {"schema_id", layout::kWireSchemaId},
                                    {"schema_version", layout::kWireSchemaVersion}})
                        : put_line(fmt::format("tp {} (memory layout {}, schema {} version {})",
                                               TP_VERSION, layout::kLayoutVersion,
                                               layout::kWireSchemaId, layout::kWireSchemaVersion)));
  return ExitCode::kFine;
}

}  // namespace

void add_version(CLI::App& tp, Action& action) {
  CLI::App& verb = *tp.add_subcommand("version", "Version of tp and of what it speaks");
  const auto json = std::make_shared<bool>(false);
  verb.add_flag("--json", *json, "Print JSON");
  verb.footer("Examples:\n  tp version --json");
  verb.callback([json, &action] { action = [json] { return run_version(*json); }; });
}

}  // namespace tensorpool::inline v0::apps
