// tp attach: a bare client of a driver. Attaches, keeps its lease alive, says everything that
// happens, and detaches: to see whether a driver and its files do what they should.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <atomic>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>

#include "admin/ask.hpp"
#include "agents/attach_group.hpp"
#include "agents/idle.hpp"
#include "apps/console.hpp"
#include "apps/driver_link.hpp"
#include "apps/json_text.hpp"
#include "apps/options.hpp"
#include "apps/output.hpp"
#include "apps/stop.hpp"
#include "apps/text.hpp"
#include "apps/verbs.hpp"
#include "bus/client.hpp"
#include "os/clock.hpp"
#include "os/open_region.hpp"
#include "os/syscalls.hpp"

namespace tensorpool::inline v0::apps {
namespace {

namespace attach = core::attach;
using Json = nlohmann::ordered_json;

/// The control thread of this client waits for it, and its lease, if it has one, with it.
constexpr Nanos kPassPatience = std::chrono::milliseconds(500);

struct AttachOptions {
  DriverAddress driver;
  std::uint32_t announce_stream_id = 1001;
  std::string stream;
  std::string role = "consumer";
  std::uint32_t client_id = 0;
  double hold_seconds = 0;  ///< 0: until Ctrl-C
  bool create = false;
  bool once = false;
  std::string allowed_dir = "/dev/shm";
  bool json = false;
};

[[nodiscard]] layout::Role role_of(const AttachOptions& options) noexcept {
  return options.role == "producer" ? layout::Role::kProducer : layout::Role::kConsumer;
}

[[nodiscard]] std::string_view kind_of(attach::AttachReport::Kind kind) noexcept {
  using Kind = attach::AttachReport::Kind;
  switch (kind) {
    case Kind::kAttached:
      return "attached";
    case Kind::kRefused:
      return "refused";
    case Kind::kProtocolError:
      return "protocol_error";
    case Kind::kTimedOut:
      return "timed_out";
    case Kind::kInterrupted:
      return "interrupted";
    case Kind::kLost:
      return "lost";
    case Kind::kDetached:
      break;
  }
  return "detached";
}

/// The client, and what it has said.
class BareClient {
 public:
  BareClient(agents::AttachGroup& group, const AttachOptions& options, os::RegionPolicy policy,
             const attach::AttachMachine::Options& lease)
      : options_(options),
        policy_(std::move(policy)),
        agent_(group, lease,
               {.map = [this](const auto& plan, Nanos) { return map(plan); },
                .unmap = [this](UnmapReason, Nanos) { regions_.reset(); },
                .report = [this](const auto& report, auto text) { say(report, text); }}) {}

  [[nodiscard]] agents::AttachAgent& agent() noexcept { return agent_; }
  [[nodiscard]] bool was_attached() const noexcept { return attached_at_.has_value(); }
  [[nodiscard]] std::optional<Nanos> attached_at() const noexcept { return attached_at_; }
  /// A report after which nothing will happen any more, or the first failure under --once.
  [[nodiscard]] bool gave_up() const noexcept { return gave_up_; }

 private:
  [[nodiscard]] Status map(const core::region::MappingPlan& plan) {
    const os::Access access = role_of(options_) == layout::Role::kProducer ? os::Access::kReadWrite
                                                                           : os::Access::kReadOnly;
    Result<os::MappedStream> regions = os::open_stream(os::system_calls(), policy_, plan, access);
    if (!regions) {
      return fail(regions.error());
    }
    regions_.emplace(std::move(*regions));
    return {};
  }

  void say(const attach::AttachReport& report, std::string_view text) {
    using Kind = attach::AttachReport::Kind;
    if (report.kind == Kind::kAttached) {
      attached_at_ = os::SystemClock().mono();
    } else if (report.kind != Kind::kDetached) {
      const bool let_in = report.code == layout::ResponseCode::kRejected && ask_for_pass();
      gave_up_ = gave_up_ || !report.tries_again || (options_.once && !let_in);
    }
    static_cast<void>(options_.json ? put_json(to_json(report, text))
                                    : put_line(to_text(report, text)));
  }

  /// A stream that is not open to everybody wants a pass for the client id; whoever needs none
  /// loses nothing by asking. True when the next attempt has one that this one had not.
  [[nodiscard]] bool ask_for_pass() {
    const attach::AttachMachine& machine = agent_.machine();
    const bool first = std::exchange(asked_for_, machine.client_id()) != machine.client_id();
    const Result<std::string> answer =
        admin::ask(admin::socket_path(bus::choose_aeron_dir(options_.driver.aeron_dir),
                                      options_.driver.control_stream_id),
                   {.operation = admin::Operation::kPass,
                    .stream_id = machine.stream_id(),
                    .client_id = machine.client_id(),
                    .produces = role_of(options_) == layout::Role::kProducer},
                   kPassPatience);
    const Json json = parse_json(answer.value_or(std::string()));
    return first && json.is_object() && json.value("needed", false);
  }

  [[nodiscard]] Json to_json(const attach::AttachReport& report, std::string_view text) const {
    const attach::AttachGrant& grant = agent_.machine().grant();
    Json json = {{"v", 1}, {"event", kind_of(report.kind)}};
    using Kind = attach::AttachReport::Kind;
    if (report.kind == Kind::kAttached) {
      json["lease_id"] = grant.lease_id;
      json["stream_id"] = grant.plan.stream_id();
      json["client_id"] = agent_.machine().client_id();
      json["epoch"] = grant.plan.epoch();
      json["node_id"] = grant.node_id == 0 ? Json() : Json(grant.node_id);
      json["header_nslots"] = grant.plan.nslots();
      json["header_region_uri"] = grant.plan.header_ring.uri;
    } else if (report.kind == Kind::kRefused) {
      json["code"] = static_cast<int>(report.code);
    } else if (report.kind == Kind::kLost) {
      json["loss"] = to_string(report.loss);
    } else if (report.kind == Kind::kProtocolError) {
      json["error"] = to_string(report.error.code);
      json["message"] = describe(report.error);
    }
    json["text"] = text;
    json["tries_again"] = report.tries_again;
    return json;
  }

  [[nodiscard]] std::string to_text(const attach::AttachReport& report,
                                    std::string_view text) const {
    using Kind = attach::AttachReport::Kind;
    const attach::AttachGrant& grant = agent_.machine().grant();
    const std::string again = report.tries_again ? "; trying again" : "";
    switch (report.kind) {
      case Kind::kAttached:
        return fmt::format("attached: stream {}, lease {}, client {}, epoch {}, {} slots\n  {}",
                           grant.plan.stream_id(), grant.lease_id, agent_.machine().client_id(),
                           grant.plan.epoch(), grant.plan.nslots(), grant.plan.header_ring.uri);
      case Kind::kRefused:
        return fmt::format("refused: {}{}", text, again);
      case Kind::kProtocolError:
        return fmt::format("the answer cannot be used: {}{}", describe(report.error), again);
      case Kind::kTimedOut:
        return fmt::format("no driver has answered{}", again);
      case Kind::kInterrupted:
        return fmt::format("the driver went down before it answered{}", again);
      case Kind::kLost:
        return fmt::format("lease lost, {}{}{}{}", to_string(report.loss), text.empty() ? "" : ": ",
                           text, again);
      case Kind::kDetached:
        break;
    }
    return "detached";
  }

  const AttachOptions& options_;
  os::RegionPolicy policy_;
  std::optional<os::MappedStream> regions_;
  std::optional<Nanos> attached_at_;
  bool gave_up_ = false;
  std::uint32_t asked_for_ = 0;  ///< client id that a pass was asked for
  agents::AttachAgent agent_;
};

/// A number is one; a name is looked up at the driver.
[[nodiscard]] std::optional<std::uint32_t> stream_number(const AttachOptions& options,
                                                         Console& console) {
  admin::Request request{.operation = admin::Operation::kResolveStream};
  set_stream(request, options.stream);
  if (request.stream_id) {
    return request.stream_id;
  }
  const auto answer = ask_driver(options.driver, request, console);
  return answer ? std::optional(answer->value("stream_id", 0U)) : std::nullopt;
}

/// Runs until the hold is over, Ctrl-C, or nothing more will happen; then gives the lease back.
void run_client(BareClient& client, bus::Client& connection, agents::ControlBus& control,
                agents::AttachGroup& group, const AttachOptions& options,
                const std::atomic<bool>& stop) {
  const os::SystemClock clock;
  agents::Idle idle{{}};
  const Nanos hold = from_seconds(options.hold_seconds);
  bool closing = false;
  client.agent().want_attach(clock.mono());
  while (!closing || client.agent().machine().state() != AttachState::kUnattached) {
    const base::Now now = clock.now();
    const bool held =
        hold > Nanos{} && client.attached_at() && now.mono - *client.attached_at() >= hold;
    if (!closing && (stop.load(std::memory_order_relaxed) || held || client.gave_up())) {
      closing = true;
      client.agent().close(now.mono);
    }
    int work = connection.do_work(now.mono);
    work += control.do_work(now, [&](auto&& give) { give(group); });
    idle.idle(work + group.do_work(now.mono));
  }
}

ExitCode run_attach(const AttachOptions& options) {
  Console console("attach");
  const std::atomic<bool>& stop = catch_stop_signals();
  const std::optional<std::uint32_t> stream_id = stream_number(options, console);
  if (!stream_id) {
    return ExitCode::kFailed;
  }
  const auto failed = [&](const Error& error) {
    console.error(error);
    return ExitCode::kFailed;
  };
  Result<os::RegionPolicy> policy =
      os::RegionPolicy::create(os::system_calls(), {.allowed_base_dirs = {options.allowed_dir}});
  if (!policy) {
    return failed(policy.error());
  }
  Result<bus::Client> connection = bus::Client::create(
      {.aeron_dir = bus::choose_aeron_dir(options.driver.aeron_dir), .name = "tp attach"});
  if (!connection) {
    return failed(connection.error());
  }
  auto control = agents::ControlBus::create(
      *connection,
      {.control_stream_id = static_cast<std::int32_t>(options.driver.control_stream_id),
       .announce_stream_id = static_cast<std::int32_t>(options.announce_stream_id)});
  if (!control) {
    return failed(control.error());
  }
  const attach::AttachMachine::Options lease{
      .role = role_of(options),
      .stream_id = *stream_id,
      .client_id = options.client_id,
      .publish_mode = options.create ? layout::PublishMode::kExistingOrCreate
                                     : layout::PublishMode::kRequireExisting};
  if (const Status fine = attach::AttachMachine::check(lease); !fine) {
    return failed(fine.error());
  }
  agents::AttachGroup group(**control);
  BareClient client(group, options, std::move(*policy), lease);
  run_client(client, *connection, **control, group, options, stop);
  return client.was_attached() ? ExitCode::kFine : ExitCode::kFailed;
}

}  // namespace

void add_attach(CLI::App& tp, Action& action) {
  CLI::App& verb =
      *tp.add_subcommand("attach", "Attach to a stream of a driver, and say what happens");
  const auto options = std::make_shared<AttachOptions>();
  verb.add_option("STREAM", options->stream, "Name or number; 0 lets the driver choose one")
      ->required();
  verb.add_option("--role", options->role, "producer or consumer")
      ->check(CLI::IsMember({"producer", "consumer"}))
      ->type_name("ROLE")
      ->capture_default_str();
  verb.add_option("--hold", options->hold_seconds, "Detach after so long; without it at Ctrl-C")
      ->check(seconds_range())
      ->type_name("SECONDS");
  verb.add_flag("--create", options->create, "Have the stream made where there is none");
  verb.add_flag("--once", options->once, "End at the first refusal or loss");
  verb.add_option("--client-id", options->client_id, "Instead of a random one");
  add_driver_address(verb, options->driver);
  verb.add_option("--announce-stream", options->announce_stream_id, "Announce stream of the driver")
      ->type_name("ID")
      ->capture_default_str();
  verb.add_option("--allowed-dir", options->allowed_dir, "Below which regions may lie")
      ->type_name("DIR")
      ->capture_default_str();
  verb.add_flag("--json", options->json, "Print a line of JSON for each event");
  verb.footer(R"(Examples:
  tp attach cam1
  tp attach 20000 --role producer --create --hold 10
  tp attach 0 --role producer --create --json

Maps the regions as a program would, publishes nothing and reads nothing.)");
  verb.callback([options, &action] { action = [options] { return run_attach(*options); }; });
}

}  // namespace tensorpool::inline v0::apps
