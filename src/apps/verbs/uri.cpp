// tp uri: takes a region URI apart, or says which rule it breaks.
#include "core/region/uri.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "apps/console.hpp"
#include "apps/messages/codec_json.hpp"
#include "apps/output.hpp"
#include "apps/verbs.hpp"

namespace tensorpool::inline v0::apps {
namespace {

struct UriOptions {
  std::string uri;
  bool json = false;
};

ExitCode run_uri(const UriOptions& options) {
  const auto uri = core::region::parse_region_uri(options.uri);
  if (!uri) {
    static_cast<void>(put_line(options.json ? error_to_json(uri.error())
                                            : std::string(to_string(uri.error().code))));
    if (!options.json) {
      Console("uri").error(uri.error());
    }
    return ExitCode::kFailed;
  }
  const std::string canonical = core::region::format_region_uri(*uri);
  static_cast<void>(options.json
                        ? put_json({{"v", 1},
                                    {"path", std::string(uri->path)},
                                    {"require_hugepages", uri->require_hugepages},
                                    {"canonical", canonical}})
                        : put_line(fmt::format(
                              "path               {}\nrequire_hugepages  {}\ncanonical          {}",
                              uri->path, uri->require_hugepages, canonical)));
  return ExitCode::kFine;
}

}  // namespace

void add_uri(CLI::App& tp, Action& action) {
  CLI::App& verb = *tp.add_subcommand("uri", "Take the URI of a shared-memory region apart");
  const auto options = std::make_shared<UriOptions>();
  verb.add_option("URI", options->uri, "shm:file?path=/dev/shm/…[|require_hugepages=true]")
      ->required();
  verb.add_flag("--json", options->json, "Print JSON");
  verb.footer(R"(Examples:
  tp uri 'shm:file?path=/dev/shm/tensorpool-alice/default/10000/7/1.pool'

Prints the name of the error and exits with 1 when the URI is refused. Opens nothing.)");
  verb.callback([options, &action] { action = [options] { return run_uri(*options); }; });
}

}  // namespace tensorpool::inline v0::apps
