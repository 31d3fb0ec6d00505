// tp supervise: a supervisor in a process of its own, and what it sees, as tables or lines of JSON.
//
// One thread. SIGTERM and Ctrl-C end it between two duty cycles; consumers keep what they were
// told.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <atomic>
#include <chrono>
#include <limits>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "admin/ask.hpp"
#include "agents/idle.hpp"
#include "agents/supervisor_agent.hpp"
#include "apps/console.hpp"
#include "apps/json_text.hpp"
#include "apps/options.hpp"
#include "apps/output.hpp"
#include "apps/service_manager.hpp"
#include "apps/stop.hpp"
#include "apps/table.hpp"
#include "apps/text.hpp"
#include "apps/usable_configuration.hpp"
#include "apps/verbs.hpp"
#include "bus/client.hpp"
#include "bus/driver_probe.hpp"
#include "client/driver_configuration.hpp"
#include "os/clock.hpp"

namespace tensorpool::inline v0::apps {
namespace {

using Json = nlohmann::ordered_json;
using Align = Table::Align;
using core::supervisor::ConsumerSeen;
using core::supervisor::ProducerSeen;

constexpr Nanos kAnswerPatience = std::chrono::seconds(1);

struct SuperviseOptions {
  std::string config;
  std::string aeron_dir;
  double every_s = 1;
  double seconds = 0;  ///< 0: without end
  bool quiet = false;
  bool json = false;
};

// ------------------------------------------------------------------------------- what is to be
// seen

/// All that a supervisor knows at one time.
struct Sight {
  std::vector<ProducerSeen> producers;
  std::vector<ConsumerSeen> consumers;
  Nanos now{};

  [[nodiscard]] const ProducerSeen* producer_of(const ConsumerSeen& consumer) const {
    const auto found = std::find_if(producers.begin(), producers.end(), [&](const auto& each) {
      return each.stream_id == consumer.stream_id && each.epoch == consumer.epoch;
    });
    return found == producers.end() ? nullptr : &*found;
  }
  [[nodiscard]] std::string name_of(std::uint32_t stream_id) const {
    for (const ProducerSeen& each : producers) {
      if (each.stream_id == stream_id && !each.name.empty()) {
        return each.name;
      }
    }
    return "-";
  }
  [[nodiscard]] std::int64_t ms_since(Nanos then) const {
    return std::chrono::duration_cast<std::chrono::milliseconds>(now - then).count();
  }
};

[[nodiscard]] const char* mode_text(std::optional<layout::Mode> mode) noexcept {
  return !mode ? "-" : *mode == layout::Mode::kStream ? "stream" : "rate_limited";
}

/// How many frames lie between the newest one and the last that it has seen.
[[nodiscard]] std::string behind_text(const Sight& sight, const ConsumerSeen& consumer) {
  const ProducerSeen* const producer = sight.producer_of(consumer);
  if (producer == nullptr || consumer.epoch == 0) {
    return "-";
  }
  const std::uint64_t next = consumer.last_seq_seen + 1;
  return grouped(producer->current_seq > next ? producer->current_seq - next : 0);
}

[[nodiscard]] std::string own_streams_text(const ConsumerSeen& consumer) {
  std::string text;
  for (const std::uint32_t id : {consumer.descriptor_stream_id, consumer.control_stream_id}) {
    text += (text.empty() ? "" : " ") + (id == 0 ? std::string("-") : std::to_string(id));
  }
  return text;
}

[[nodiscard]] std::string producers_text(const Sight& sight) {
  Table table({{"STREAM", Align::kRight},
               {"NAME"},
               {"PRODUCER", Align::kRight},
               {"STATE"},
               {"NEXT FRAME", Align::kRight},
               {"EPOCH", Align::kRight}});
  for (const ProducerSeen& each : sight.producers) {
    table.add({std::to_string(each.stream_id), sight.name_of(each.stream_id),
               std::to_string(each.producer_id),
               each.stale ? "silent for " + duration_text(sight.now - each.heard_at) : "alive",
               grouped(each.current_seq), std::to_string(each.epoch)});
  }
  return table.text();
}

[[nodiscard]] std::string consumers_text(const Sight& sight) {
  Table table({{"STREAM", Align::kRight},
               {"NAME"},
               {"CONSUMER", Align::kRight},
               {"MODE"},
               {"MEMORY"},
               {"OWN STREAMS"},
               {"LAST FRAME", Align::kRight},
               {"BEHIND", Align::kRight},
               {"GAP", Align::kRight},
               {"LATE", Align::kRight}});
  for (const ConsumerSeen& each : sight.consumers) {
    const std::string rate =
        each.max_rate_hz != 0 ? fmt::format(" {}/s", each.max_rate_hz) : std::string();
    table.add({std::to_string(each.stream_id), sight.name_of(each.stream_id),
               std::to_string(each.consumer_id), mode_text(each.mode) + rate,
               each.may_use_shm ? "shared" : "fallback", own_streams_text(each),
               grouped(each.last_seq_seen), behind_text(sight, each), grouped(each.drops_gap),
               grouped(each.drops_late)});
  }
  return table.text();
}

[[nodiscard]] Json to_json(const ProducerSeen& seen, const Sight& sight) {
  return {{"stream_id", seen.stream_id},
          {"producer_id", seen.producer_id},
          {"name", seen.name},
          {"stale", seen.stale},
          {"epoch", seen.epoch},
          {"current_seq", seen.current_seq},
          {"heard_ms_ago", sight.ms_since(seen.heard_at)}};
}

[[nodiscard]] Json to_json(const ConsumerSeen& seen, const Sight& sight) {
  return {{"stream_id", seen.stream_id},
          {"consumer_id", seen.consumer_id},
          {"mode", seen.mode ? Json(mode_text(seen.mode)) : Json()},
          {"max_rate_hz", seen.max_rate_hz},
          {"may_use_shm", seen.may_use_shm},
          {"epoch", seen.epoch},
          {"last_seq_seen", seen.last_seq_seen},
          {"drops_gap", seen.drops_gap},
          {"drops_late", seen.drops_late},
          {"descriptor_stream_id", seen.descriptor_stream_id},
          {"control_stream_id", seen.control_stream_id},
          {"heard_ms_ago", sight.ms_since(seen.heard_at)}};
}

[[nodiscard]] Json to_json(const Sight& sight, const agents::SupervisorAgent& agent) {
  Json json = {{"v", 1}, {"producers", Json::array()}, {"consumers", Json::array()}};
  for (const ProducerSeen& each : sight.producers) {
    json["producers"].push_back(to_json(each, sight));
  }
  for (const ConsumerSeen& each : sight.consumers) {
    json["consumers"].push_back(to_json(each, sight));
  }
  for (const auto& field : core::supervisor::kCounterFields) {
    json["counters"][std::string(field.name)] = agent.machine().counters().*field.value;
  }
  json["requests_declined"] = agent.machine().requests().declined();
  json["malformed_messages"] = agent.malformed();
  return json;
}

// ---------------------------------------------------------------------------------------- running

class Supervision {
 public:
  Supervision(const SuperviseOptions& options, bus::Client& client, agents::SupervisorAgent& agent,
              const std::atomic<bool>& stop, Console& console)
      : options_(options), client_(client), agent_(agent), stop_(stop), console_(console) {}

  void run() {
    ServiceManager service;
    agents::Idle idle{{}};
    const Nanos start = clock_.mono();
    const Nanos end = options_.seconds > 0 ? start + from_seconds(options_.seconds) : Nanos::max();
    show_at_ = start + from_seconds(options_.every_s);
    bool ready_told = false;
    while (!stop_.load(std::memory_order_relaxed) && !reader_gone_ && clock_.mono() < end) {
      const base::Now now = clock_.now();
      const int work = client_.do_work(now.mono) + agent_.do_work(now);
      watch_media_driver();
      if (!ready_told && agent_.is_ready()) {
        ready_told = true;
        console_.note("ready: consumers are answered");
        service.ready();
      }
      if (now.mono >= show_at_) {
        show_at_ = now.mono + from_seconds(options_.every_s);
        show();
      }
      service.alive();
      idle.idle(work);
    }
    service.stopping();
    console_.end_live();
    if (!options_.json) {
      const Sight seen = sight();
      static_cast<void>(put_line(producers_text(seen) + "\n\n" + consumers_text(seen)));
    }
    console_.note("stopped");
  }

 private:
  void watch_media_driver() {
    const bool up = client_.is_up();
    if (was_up_ && !up) {
      console_.note("the media driver is gone; waiting for another one");
    } else if (!was_up_ && up && lost_) {
      console_.note("a media driver is back");
    }
    lost_ = lost_ || (was_up_ && !up);
    was_up_ = up;
  }

  void show() {
    const Sight seen = sight();
    if (options_.json) {
      reader_gone_ = !put_json(to_json(seen, agent_));
    } else if (console_.is_terminal()) {
      console_.live(lines_that_fit(producers_text(seen) + "\n\n" + consumers_text(seen)));
    }
  }

  [[nodiscard]] std::vector<std::string> lines_that_fit(const std::string& text) const {
    const std::size_t room = std::max<std::size_t>(console_.rows(), 4) - 2;
    std::vector<std::string> lines;
    for (std::size_t at = 0; at <= text.size() && lines.size() < room;) {
      const std::size_t end = std::min(text.find('\n', at), text.size());
      lines.push_back(text.substr(at, std::min(end - at, console_.columns())));
      at = end + 1;
    }
    return lines;
  }

  [[nodiscard]] Sight sight() const {
    return {.producers = agent_.machine().producers(),
            .consumers = agent_.machine().consumers(),
            .now = clock_.mono()};
  }

  const SuperviseOptions& options_;
  bus::Client& client_;
  agents::SupervisorAgent& agent_;
  const std::atomic<bool>& stop_;
  Console& console_;
  const os::SystemClock clock_;
  Nanos show_at_{};
  bool was_up_ = false;
  bool lost_ = false;
  bool reader_gone_ = false;
};

/// The name of a driver there that answers hellos itself, so that two would answer (D304).
[[nodiscard]] std::optional<std::string> other_responder(const std::string& aeron_dir,
                                                         std::uint32_t control_stream_id) {
  const Result<std::string> line =
      admin::ask(admin::socket_path(aeron_dir, control_stream_id),
                 {.operation = admin::Operation::kStatus}, kAnswerPatience);
  const Json status = line ? parse_json(*line) : Json();
  const bool answers = status.is_object() && status.value("answers_hellos", Json()) == true;
  if (!answers) {
    return std::nullopt;
  }
  const Json name = status.value("instance_id", Json());
  return name.is_string() ? name.get<std::string>() : std::string();
}

ExitCode run_supervise(const SuperviseOptions& options) {
  Console console("supervise");
  const std::atomic<bool>& stop = catch_stop_signals();
  const std::optional<config::Loaded> loaded = usable_configuration(
      detail::load_supervisor_configuration(options.config), options.aeron_dir, console);
  if (!loaded) {
    return ExitCode::kFailed;
  }
  const core::driver::Settings& settings = loaded->settings;
  const std::string aeron_dir = bus::choose_aeron_dir(settings.aeron_dir);
  if (const auto other = other_responder(aeron_dir, settings.supervisor->control.stream_id)) {
    console.error("the driver " + *other +
                  " answers consumers itself: it has a [supervisor] table, or ranges of ids for "
                  "them; one of you has to do without");
    return ExitCode::kFailed;
  }
  auto client = bus::Client::create({.aeron_dir = aeron_dir, .name = "tp supervise"});
  if (!client) {
    console.error(client.error());
    return ExitCode::kFailed;
  }
  if (!bus::driver_alive(aeron_dir)) {
    console.note("waiting for a media driver in " + aeron_dir);
  }
  const auto log = [&](LogLevel level, std::string_view line) {
    if (level >= LogLevel::kWarning) {
      console.warn(line);
    } else if (!options.quiet) {
      console.note(line);
    }
  };
  auto agent = agents::SupervisorAgent::create(
      *client,
      {.settings = *settings.supervisor,
       .timing = core::Timing::around(settings.policies.announce_period),
       .instance_id = settings.instance_id,
       .log = log},
      os::SystemClock().mono());
  if (!agent) {
    console.error(agent.error());
    return ExitCode::kFailed;
  }
  Supervision(options, *client, **agent, stop, console).run();
  return ExitCode::kFine;
}

}  // namespace

void add_supervise(CLI::App& tp, Action& action) {
  CLI::App& verb =
      *tp.add_subcommand("supervise", "Watch producers and consumers, and tell consumers how to");
  const auto options = std::make_shared<SuperviseOptions>();
  verb.add_option("--config", options->config,
                  "TOML file with a table [supervisor]; without it the defaults")
      ->type_name("FILE");
  verb.add_option("--every", options->every_s, "Between two looks that are shown")
      ->check(CLI::Range(0.05, 86400.0, "SECONDS"))
      ->type_name("SECONDS")
      ->capture_default_str();
  verb.add_option("--for", options->seconds, "End after so long")
      ->check(seconds_range())
      ->type_name("SECONDS");
  add_aeron_dir(verb, options->aeron_dir);
  verb.add_flag("--quiet", options->quiet, "Say nothing of who comes; warnings only");
  verb.add_flag("--json", options->json, "Print a line of JSON for each look");
  verb.footer(R"(Examples:
  tp supervise
  tp supervise --for 3                         who is there: tables on standard output at the end
  tp supervise --json | jq '.consumers[] | select(.drops_gap > 0)'
  SUPERVISOR_FORCE_NO_SHM=true tp supervise    nobody maps anything until it is started without

Answers every consumer, in the place of the producers: forced mode, no shared memory, where else
frames are to be had, streams of single consumers; `tp config explain supervisor` says what there
is. A driver whose file has the table does all this itself: then this is refused.)");
  verb.callback([options, &action] { action = [options] { return run_supervise(*options); }; });
}

}  // namespace tensorpool::inline v0::apps
