// tp down: tells a driver to go, over its admin socket, or by a message with the shutdown token
// where the socket is out of reach or the driver is another implementation's (§2.17, D259).
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <atomic>
#include <memory>
#include <string>

#include "agents/control_bus.hpp"
#include "agents/idle.hpp"
#include "apps/console.hpp"
#include "apps/driver_link.hpp"
#include "apps/options.hpp"
#include "apps/output.hpp"
#include "apps/stop.hpp"
#include "apps/verbs.hpp"
#include "bus/client.hpp"
#include "bus/driver_probe.hpp"
#include "os/clock.hpp"
#include "os/text_file.hpp"

namespace tensorpool::inline v0::apps {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t kTokenFileBytesMax = 1026;  // the longest token, and the end of its line

struct DownOptions {
  DriverAddress driver;
  std::string token_file;
  double patience_s = 10;
  bool json = false;
};

[[nodiscard]] ExitCode ask_to_go(const DownOptions& options, Console& console) {
  const auto answer =
      ask_driver(options.driver, {.operation = admin::Operation::kShutdown}, console);
  if (!answer) {
    return ExitCode::kFailed;
  }
  if (options.json) {
    Json line = {{"v", 1}};
    line.update(*answer);
    static_cast<void>(put_json(line));
  }
  console.note("the driver is draining");
  return ExitCode::kFine;
}

/// Takes note of the driver's last word.
class LastWord final : public agents::ControlListener {
 public:
  [[nodiscard]] bool heard() const noexcept { return heard_; }

 private:
  void on_driver_shutdown(const layout::ShmDriverShutdown&, const base::Now&) override {
    heard_ = true;
  }

  bool heard_ = false;
};

[[nodiscard]] Result<std::string> read_token(const std::string& path) {
  Result<std::string> token = os::read_text_file(path, kTokenFileBytesMax);
  while (token && !token->empty() && (token->back() == '\n' || token->back() == '\r')) {
    token->pop_back();
  }
  if (token && token->empty()) {
    return fail(Errc::kInvalidArgument, path + " holds no token", 0);
  }
  return token;
}

/// A driver refuses in silence (D260), so nothing but its end says that it has listened.
[[nodiscard]] Result<bool> tell_to_go(const DownOptions& options, const std::string& token,
                                      const std::atomic<bool>& stop) {
  auto connection = bus::Client::create(
      {.aeron_dir = bus::choose_aeron_dir(options.driver.aeron_dir), .name = "tp down"});
  if (!connection) {
    return fail(connection.error());
  }
  auto control = agents::ControlBus::create(
      *connection,
      {.control_stream_id = static_cast<std::int32_t>(options.driver.control_stream_id)});
  if (!control) {
    return fail(control.error());
  }
  const os::SystemClock clock;
  const Nanos end = clock.mono() + from_seconds(options.patience_s);
  agents::Idle idle{{}};
  LastWord last_word;
  bool told = false;
  while (!last_word.heard() && clock.mono() < end && !stop.load(std::memory_order_relaxed)) {
    const base::Now now = clock.now();
    int work = connection->do_work(now.mono);
    work += (*control)->do_work(now, [&](auto&& give) { give(last_word); });
    if (!told && (*control)->is_control_connected()) {
      told = (*control)->send_to_driver(
                 layout::ShmDriverShutdownRequest{.correlation_id = now.mono.count(),
                                                  .reason = layout::ShutdownReason::kAdmin,
                                                  .token = token}) == bus::OfferStatus::kOk;
    }
    idle.idle(work);
  }
  return last_word.heard();
}

ExitCode run_down(const DownOptions& options) {
  Console console("down");
  if (options.token_file.empty()) {
    return ask_to_go(options, console);
  }
  const Result<std::string> token = read_token(options.token_file);
  if (!token) {
    console.error(token.error());
    return ExitCode::kFailed;
  }
  const Result<bool> gone = tell_to_go(options, *token, catch_stop_signals());
  if (!gone) {
    console.error(gone.error());
    return ExitCode::kFailed;
  }
  if (options.json) {
    static_cast<void>(put_json({{"v", 1}, {"stopped", *gone}}));
  }
  if (!*gone) {
    console.error(
        fmt::format("no driver has said within {} s that it goes: none listens on control stream "
                    "{}, it has another token (`tp stat` counts ShutdownRequestRejects), or it "
                    "still drains (policies.shutdown_timeout_ms)",
                    options.patience_s, options.driver.control_stream_id));
    return ExitCode::kFailed;
  }
  console.note("the driver has stopped");
  return ExitCode::kFine;
}

}  // namespace

void add_down(CLI::App& tp, Action& action) {
  CLI::App& verb = *tp.add_subcommand("down", "Stop the driver");
  const auto options = std::make_shared<DownOptions>();
  verb.add_option("--token-file", options->token_file,
                  "By message, with the token (policies.shutdown_token) that this file holds")
      ->type_name("FILE");
  verb.add_option("--wait", options->patience_s, "How long to wait for the end, with --token-file")
      ->check(seconds_range())
      ->type_name("SECONDS")
      ->capture_default_str();
  add_driver_address(verb, options->driver);
  verb.add_flag("--json", options->json, "Print JSON");
  verb.footer(R"(Examples:
  tp down
  tp down --token-file /etc/tensorpool/token      of a driver whose admin socket is out of reach

The driver drains: nobody may attach any more, and after policies.shutdown_timeout_ms, or when the
last lease has ended, it tells its clients and goes.)");
  verb.callback([options, &action] { action = [options] { return run_down(*options); }; });
}

}  // namespace tensorpool::inline v0::apps
