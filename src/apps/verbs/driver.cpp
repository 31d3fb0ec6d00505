// tp driver, tp up: the process that owns the files of streams and hands out leases.
//
// The duty cycle runs on the main thread; provisioning has a thread of its own. SIGTERM and Ctrl-C
// begin Draining, the second one ends it. Tells systemd that it is ready, and that it is alive.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <atomic>
#include <memory>
#include <optional>
#include <string>

#include "agents/idle.hpp"
#include "apps/console.hpp"
#include "apps/options.hpp"
#include "apps/service_manager.hpp"
#include "apps/stop.hpp"
#include "apps/usable_configuration.hpp"
#include "apps/verbs.hpp"
#include "client/driver_configuration.hpp"
#include "driver/host.hpp"
#include "os/process.hpp"

namespace tensorpool::inline v0::apps {
namespace {

struct DriverOptions {
  std::string config;
  std::string aeron_dir;
  std::string media_driver;
  bool quiet = false;
};

constexpr const char* kAuto = "auto";
constexpr const char* kEmbedded = "embedded";
constexpr const char* kExternal = "external";

[[nodiscard]] bus::DriverPolicy policy_of(const DriverOptions& options) noexcept {
  return options.media_driver == kEmbedded   ? bus::DriverPolicy::kEmbedded
         : options.media_driver == kExternal ? bus::DriverPolicy::kExternal
                                             : bus::DriverPolicy::kAuto;
}

[[nodiscard]] std::string greeting(driver::Host& host, const core::driver::Settings& settings) {
  return fmt::format("{} is ready: {} in {}, control stream {}, {}", settings.instance_id,
                     host.embeds_media_driver() ? "media driver embedded" : "media driver",
                     host.aeron_dir(), settings.control.stream_id,
                     settings.policies.allow_dynamic_streams
                         ? "streams are made on demand"
                         : fmt::format("{} streams", settings.streams.size()));
}

/// Drives the host until it has ended.
void drive(driver::Host& host, const std::atomic<bool>& stop, ServiceManager& service) {
  agents::Idle idle{{}};
  bool stopping = false;
  while (!host.has_ended()) {
    if (!stopping && stop.load(std::memory_order_relaxed)) {
      stopping = true;
      service.stopping();
      host.stop();
    }
    idle.idle(host.do_work());
    service.alive();
  }
}

ExitCode run_driver(const DriverOptions& options) {
  Console console("driver");
  const std::atomic<bool>& stop = catch_stop_signals();
  const std::optional<config::Loaded> loaded =
      usable_configuration(detail::load_configuration(options.config), options.aeron_dir, console);
  if (!loaded) {
    return ExitCode::kFailed;
  }
  os::allow_many_open_files();
  const auto log = [&](LogLevel level, std::string_view line) {
    if (level >= LogLevel::kWarning) {
      console.warn(line);
    } else if (!options.quiet) {
      console.note(line);
    }
  };
  Result<std::unique_ptr<driver::Host>> host =
      driver::Host::start({.settings = loaded->settings,
                           .media_driver = policy_of(options),
                           .threading = driver::Host::Threading::kInvoked,
                           .toml = detail::effective_text(*loaded),
                           .log = log});
  if (!host) {
    console.error(host.error());
    return ExitCode::kFailed;
  }
  ServiceManager service;
  console.note(greeting(**host, loaded->settings));
  service.ready();
  drive(**host, stop, service);
  console.note("stopped");
  return ExitCode::kFine;
}

void add_verb(CLI::App& tp, Action& action, const char* name, const char* about,
              const char* media_driver, const char* footer) {
  CLI::App& verb = *tp.add_subcommand(name, about);
  const auto options = std::make_shared<DriverOptions>();
  options->media_driver = media_driver;
  verb.add_option("--config", options->config, "TOML file; without it a built-in configuration")
      ->type_name("FILE");
  verb.add_option(
          "--media-driver", options->media_driver,
          "auto: join the one in the Aeron directory, or bring one along; embedded; external")
      ->check(CLI::IsMember({kAuto, kEmbedded, kExternal}))
      ->type_name("HOW")
      ->capture_default_str();
  add_aeron_dir(verb, options->aeron_dir);
  verb.add_flag("--quiet", options->quiet, "No line for each lease; warnings only");
  verb.footer(footer);
  verb.callback([options, &action] { action = [options] { return run_driver(*options); }; });
}

}  // namespace

void add_up(CLI::App& tp, Action& action) {
  add_verb(tp, action, "up", "Start the driver, with a media driver unless one is running", kAuto,
           R"(Examples:
  tp up
  tp up --config /etc/tensorpool/driver.toml

Owns the files of streams, hands out leases, and cleans up after those who die. Producers and
consumers attach by stream; `tp down`, SIGTERM or Ctrl-C end it.)");
}

void add_driver(CLI::App& tp, Action& action) {
  add_verb(tp, action, "driver", "Start the driver alone, on a media driver that is running",
           kExternal, R"(Examples:
  tp driver --config /etc/tensorpool/driver.toml
  tp driver --media-driver embedded

As tp up, but it waits for nobody: without a media driver in the Aeron directory it fails.)");
}

}  // namespace tensorpool::inline v0::apps
