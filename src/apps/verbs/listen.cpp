// tp listen: every message that goes over the bus, decoded; kept raw in a file, and read from one.
// Subscribes untethered: whoever listens holds nobody up, and misses messages when it is too slow.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <atomic>
#include <charconv>
#include <chrono>
#include <fstream>
#include <iostream>
#include <iterator>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agents/idle.hpp"
#include "apps/console.hpp"
#include "apps/driver_link.hpp"
#include "apps/messages/heard_message.hpp"
#include "apps/options.hpp"
#include "apps/output.hpp"
#include "apps/stop.hpp"
#include "apps/text.hpp"
#include "apps/ticker.hpp"
#include "apps/verbs.hpp"
#include "bus/client.hpp"
#include "bus/driver_probe.hpp"
#include "bus/link.hpp"
#include "codec/codec.hpp"
#include "core/naming/stream_names.hpp"
#include "layout/message.hpp"
#include "os/clock.hpp"

namespace tensorpool::inline v0::apps {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t kFragmentsPerCycle = 256;
constexpr Nanos kReportPeriod = std::chrono::milliseconds(500);

struct ListenOptions {
  std::vector<std::string> sources;
  std::string channel = "aeron:ipc";
  std::vector<std::string> at;  ///< SOURCE=ID
  std::string stream;
  std::vector<std::string> messages;
  std::uint64_t count = 0;  ///< 0: without end
  double seconds = 0;       ///< 0: without end
  std::string capture;
  std::string from;
  std::string aeron_dir;
  bool json = false;
};

/// Where to hear what (§1.23).
struct Source {
  std::string_view name;
  std::int32_t aeron_stream_id;
};
constexpr Source kSources[] = {{"control", 1000}, {"announce", 1001}, {"descriptor", 0},
                               {"qos", 1200},     {"metadata", 1300}, {"driver", 1000}};

/// Requests and answers of a driver share the control stream with the rest.
[[nodiscard]] bool belongs(std::string_view source, std::span<const std::byte> bytes) noexcept {
  const auto header = codec::peek_header(bytes);
  const bool of_driver = header && header->schema_id == layout::kDriverSchemaId;
  return source == "driver" ? of_driver : source != "control" || !of_driver;
}

/// What is wanted of all that is heard, and where it goes.
class Listener {
 public:
  Listener(const ListenOptions& options, std::optional<std::uint32_t> stream,
           const std::atomic<bool>& stop)
      : options_(options), stream_(stream), stop_(stop) {
    if (!options.capture.empty()) {
      capture_.open(options.capture);
    }
  }
  [[nodiscard]] bool is_open() const { return options_.capture.empty() || capture_.is_open(); }
  [[nodiscard]] bool is_done() const noexcept {
    return gone_ || stop_.load(std::memory_order_relaxed) ||
           (options_.count != 0 && taken_ == options_.count);
  }
  [[nodiscard]] std::uint64_t taken() const noexcept { return taken_; }

  void hear(const HeardMessage& message) {
    const Json json = to_json(message);
    if (is_done() || !is_wanted(json)) {
      return;
    }
    taken_ = taken_ + 1;
    if (capture_.is_open()) {
      capture_ << to_capture_line(message) << '\n';
      gone_ = !capture_.good();
      return;
    }
    gone_ = !(options_.json ? put_json(json) : put_line(to_text(json)));
  }
  /// False when not all of it could be written.
  [[nodiscard]] bool finish() {
    capture_.flush();
    return capture_.good();
  }

 private:
  [[nodiscard]] bool is_wanted(const Json& json) const {
    const auto& names = options_.messages;
    const std::string name = json.value("message", "");
    return (!stream_ || stream_of(json) == stream_) &&
           (names.empty() || std::find(names.begin(), names.end(), name) != names.end());
  }

  const ListenOptions& options_;
  std::optional<std::uint32_t> stream_;
  const std::atomic<bool>& stop_;
  std::ofstream capture_;
  std::atomic<std::uint64_t> taken_{0};  // read by the line that shows progress
  bool gone_ = false;
};

/// One subscription, and the sources that share it.
struct Ear {
  std::vector<std::string_view> sources;
  std::unique_ptr<bus::SubscriptionLink> link;
};

/// Where a source is to be heard.
struct Place {
  std::string source;
  std::int32_t aeron_stream_id = 0;
};

/// `control=1500`; nothing where the source or the id is none.
[[nodiscard]] std::optional<Place> parse_place(const std::string& text) {
  const std::size_t equals = text.find('=');
  const std::string source = text.substr(0, equals);
  const bool is_source = std::any_of(std::begin(kSources), std::end(kSources),
                                     [&](const Source& one) { return one.name == source; });
  if (equals == std::string::npos || !is_source) {
    return std::nullopt;
  }
  std::int32_t id = 0;
  const char* const end = text.data() + text.size();
  const auto read = std::from_chars(text.data() + equals + 1, end, id);
  if (read.ec != std::errc{} || read.ptr != end || !bus::is_valid_stream_id(id)) {
    return std::nullopt;
  }
  return Place{.source = source, .aeron_stream_id = id};
}

[[nodiscard]] Result<std::int32_t> stream_id_of(const ListenOptions& options, const Source& source,
                                                std::optional<std::uint32_t> stream) {
  for (const std::string& text : options.at) {
    if (const auto at = parse_place(text); at && at->source == source.name) {
      return at->aeron_stream_id;
    }
  }
  if (source.aeron_stream_id != 0) {
    return source.aeron_stream_id;
  }
  if (!stream) {
    return fail(Errc::kInvalidArgument, "descriptor: whose? give --stream or --at descriptor=ID",
                0);
  }
  return core::naming::descriptor_stream_id(*stream);
}

[[nodiscard]] Result<std::vector<Ear>> open_ears(bus::Client& client, const ListenOptions& options,
                                                 std::optional<std::uint32_t> stream) {
  const Result<bus::Channel> channel = bus::Channel::parse(options.channel);
  if (!channel) {
    return fail(channel.error());
  }
  std::vector<Ear> ears;
  for (const Source& source : kSources) {
    if (std::find(options.sources.begin(), options.sources.end(), source.name) ==
        options.sources.end()) {
      continue;
    }
    const Result<std::int32_t> id = stream_id_of(options, source, stream);
    if (!id) {
      return fail(id.error());
    }
    const auto known = std::find_if(ears.begin(), ears.end(),
                                    [&](const Ear& ear) { return ear.link->stream_id() == *id; });
    if (known != ears.end()) {
      known->sources.push_back(source.name);
      continue;
    }
    ears.push_back({.sources = {source.name},
                    .link = std::make_unique<bus::SubscriptionLink>(
                        client, bus::SubscriptionLink::Options{.channel = channel->untethered(),
                                                               .stream_id = *id})});
  }
  return ears;
}

int poll(Ear& ear, Listener& listener, std::uint64_t at_ns) {
  bus::Subscription* const in = ear.link->current();
  if (in == nullptr) {
    return 0;
  }
  return in->poll_messages(
      [&](const bus::Message& message) noexcept {
        const auto source =
            std::find_if(ear.sources.begin(), ear.sources.end(),
                         [&](std::string_view each) { return belongs(each, message.bytes); });
        if (source != ear.sources.end()) {
          listener.hear({.at_ns = at_ns,
                         .source = std::string(*source),
                         .aeron_stream_id = ear.link->stream_id(),
                         .session_id = message.session_id,
                         .bytes = {message.bytes.begin(), message.bytes.end()}});
        }
      },
      kFragmentsPerCycle);
}

[[nodiscard]] Status listen(const ListenOptions& options, std::optional<std::uint32_t> stream,
                            Listener& listener) {
  auto client = bus::Client::create({.aeron_dir = options.aeron_dir, .name = "tp listen"});
  if (!client) {
    return fail(client.error());
  }
  Result<std::vector<Ear>> ears = open_ears(*client, options, stream);
  if (!ears) {
    return fail(ears.error());
  }
  const os::SystemClock clock;
  const Nanos end =
      options.seconds > 0 ? clock.mono() + from_seconds(options.seconds) : Nanos::max();
  agents::Idle idle{{}};
  while (!listener.is_done() && clock.mono() < end) {
    const base::Now now = clock.now();
    int work = client->do_work(now.mono);
    for (Ear& ear : *ears) {
      work += ear.link->do_work(now.mono);
      work += poll(ear, listener, static_cast<std::uint64_t>(now.real.count()));
    }
    idle.idle(work);
  }
  return {};
}

[[nodiscard]] Status replay(const ListenOptions& options, Listener& listener) {
  std::ifstream file(options.from);
  if (!file) {
    return fail(Errc::kNotFound, options.from);
  }
  std::string line;
  for (std::uint64_t number = 1; !listener.is_done() && std::getline(file, line); ++number) {
    const Result<HeardMessage> message = from_capture_line(line);
    if (!message) {
      return fail(
          Errc::kInvalidArgument,
          fmt::format("{}, line {}: {}", options.from, number, message.error().subject_view()), 0);
    }
    const bool wanted = std::find(options.sources.begin(), options.sources.end(),
                                  message->source) != options.sources.end();
    if (wanted) {
      listener.hear(*message);
    }
  }
  return {};
}

/// The number that is looked for; nothing where every stream is wanted.
[[nodiscard]] Result<std::optional<std::uint32_t>> wanted_stream(const ListenOptions& options) {
  if (options.stream.empty()) {
    return std::optional<std::uint32_t>();
  }
  const Result<StreamRef> parsed = parse_stream_ref(options.stream);
  if (!parsed) {
    return fail(parsed.error());
  }
  const StreamRef known = resolve_at_driver(options.aeron_dir, *parsed);
  return std::optional(known.number != 0 ? known.number : core::naming::stream_number(known.name));
}

ExitCode run_listen(ListenOptions options) {
  Console console("listen");
  options.aeron_dir = bus::choose_aeron_dir(options.aeron_dir);
  if (options.sources.empty()) {
    for (const Source& source : kSources) {
      if (source.name != "descriptor" || !options.from.empty()) {
        options.sources.emplace_back(source.name);
      }
    }
  }
  const auto failed = [&](const Error& error) {
    console.error(error);
    return ExitCode::kFailed;
  };
  const Result<std::optional<std::uint32_t>> stream = wanted_stream(options);
  if (!stream) {
    return failed(stream.error());
  }
  if (const bus::DriverProbe probe = bus::probe_driver(options.aeron_dir);
      options.from.empty() && probe.state != bus::DriverState::kAlive) {
    return failed(bus::to_error(probe, options.aeron_dir));
  }
  Listener listener(options, *stream, catch_stop_signals());
  if (!listener.is_open()) {
    return failed(make_error(Errc::kOsFailure, "cannot write " + options.capture));
  }
  Status status;
  {
    const Ticker ticker(kReportPeriod, [&] {
      if (!options.capture.empty() && console.is_terminal()) {
        console.live({counted(listener.taken(), "message")});
      }
    });
    status = options.from.empty() ? listen(options, *stream, listener) : replay(options, listener);
  }
  console.end_live();
  if (!status) {
    return failed(status.error());
  }
  if (!options.capture.empty()) {
    if (!listener.finish()) {
      return failed(make_error(Errc::kNoSpace, options.capture));
    }
    console.note(fmt::format("{} in {}", counted(listener.taken(), "message"), options.capture));
  }
  return ExitCode::kFine;
}

}  // namespace

void add_listen(CLI::App& tp, Action& action) {
  CLI::App& verb = *tp.add_subcommand("listen", "Every message on the bus, decoded");
  const auto options = std::make_shared<ListenOptions>();
  std::vector<std::string> names;
  for (const Source& source : kSources) {
    names.emplace_back(source.name);
  }
  verb.add_option("SOURCE", options->sources,
                  "control, announce, descriptor, qos, metadata, driver [all but descriptor]")
      ->check(CLI::IsMember(names))
      ->type_name("");
  CLI::Option* stream = verb.add_option("--stream", options->stream,
                                        "Only messages about this stream: name or number");
  stream->type_name("STREAM");
  verb.add_option("--message", options->messages, "Only messages of this name; may be repeated")
      ->type_name("NAME")
      ->allow_extra_args(false);
  verb.add_option("--count", options->count, "End after so many messages")
      ->check(CLI::PositiveNumber);
  verb.add_option("--for", options->seconds, "End after so long")
      ->check(seconds_range())
      ->type_name("SECONDS");
  CLI::Option* capture =
      verb.add_option("--capture", options->capture,
                      "Keep the messages as they are in this file, instead of printing them");
  capture->type_name("FILE");
  verb.add_option("--from", options->from, "Read what was captured")
      ->type_name("FILE")
      ->excludes(capture);
  verb.add_option("--at", options->at, "Aeron stream of a source: control=1500; may be repeated")
      ->type_name("SOURCE=ID")
      ->check([](const std::string& text) {
        return parse_place(text)
                   ? std::string()
                   : text + ": SOURCE=ID, as in control=1500; sources are those above";
      })
      ->allow_extra_args(false);
  verb.add_option("--channel", options->channel, "Aeron channel of all sources")
      ->type_name("CHANNEL")
      ->capture_default_str();
  add_aeron_dir(verb, options->aeron_dir);
  verb.add_flag("--json", options->json, "Print a line of JSON for each message");
  verb.footer(R"(Examples:
  tp listen                                      who announces, asks, registers, and how it goes
  tp listen descriptor --stream cam1 --count 10  ten descriptors of one stream
  tp listen driver --json | jq 'select(.message == "ShmAttachResponse") | .fields'
  tp listen --capture monday.jsonl --for 60
  tp listen --from monday.jsonl control          of these, what control brought

Holds nobody up: whoever reads too slowly misses messages. What cannot be decoded is printed with
the reason and its bytes.)");
  verb.callback([options, &action] { action = [options] { return run_listen(*options); }; });
}

}  // namespace tensorpool::inline v0::apps
