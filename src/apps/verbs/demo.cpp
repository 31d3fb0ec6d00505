// tp demo: a camera of 1 kHz streams through shared memory to this process, live on the screen.
//
// This process receives and shows (apps/demo/receiving.hpp, display.hpp); it starts another one
// that publishes (apps/demo/producer.cpp).
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "agents/histogram.hpp"
#include "apps/child_process.hpp"
#include "apps/console.hpp"
#include "apps/demo/display.hpp"
#include "apps/demo/frames.hpp"
#include "apps/demo/producer.hpp"
#include "apps/demo/progress.hpp"
#include "apps/demo/receiving.hpp"
#include "apps/demo/workspace.hpp"
#include "apps/options.hpp"
#include "apps/output.hpp"
#include "apps/stop.hpp"
#include "apps/text.hpp"
#include "apps/ticker.hpp"
#include "apps/verbs.hpp"
#include "tensorpool/client.hpp"

namespace tensorpool::inline v0::apps {
namespace demo {
namespace {

using agents::Histogram;

constexpr Nanos kStartPatience = std::chrono::seconds(20);
constexpr Nanos kEndPatience = std::chrono::seconds(5);

struct DemoOptions {
  double seconds = 10;
  bool json = false;
};

void print_summary(const Progress& progress, Nanos span, const Latency& latency,
                   std::uint64_t published) {
  const double rate =
      per_second(static_cast<double>(progress.frames > 0 ? progress.frames - 1 : 0), span);
  static_cast<void>(put_line(fmt::format(
      "frames   {} received of {} published, in {:.1f} s\n"
      "rate     {}, {}\n"
      "latency  p50 {}   p99 {}   p99.9 {}   max {}\n"
      "losses   gaps {}   late {}   torn {}",
      grouped(progress.frames), grouped(published), to_seconds(span), rate_text(rate),
      megabytes_text(rate * static_cast<double>(kFrameBytes)), duration_text(latency.p50),
      duration_text(latency.p99), duration_text(latency.p999), duration_text(latency.max),
      grouped(progress.gaps), grouped(progress.late), grouped(progress.torn))));
}

/// What the producer says at its end.
std::uint64_t frames_published(ChildProcess& producer) {
  const std::optional<std::string> line = producer.read_line(kEndPatience);
  const nlohmann::json report = nlohmann::json::parse(line.value_or(""), nullptr, false);
  return report.is_object() ? report.value("frames_published", std::uint64_t{0}) : 0;
}

struct Outcome {
  Progress progress;
  Nanos span{};
  std::uint64_t published = 0;
};

/// Receives for the time that was asked for, then ends the producer and reads to its last frame.
[[nodiscard]] Result<Outcome> receive(const DemoOptions& options, const std::string& aeron_dir,
                                      ChildProcess& producer, Display& display,
                                      const std::atomic<bool>& stop, Console& console) {
  if (producer.read_line(kStartPatience) != kReady) {
    return stop.load() ? fail(Errc::kClosed, "demo") : fail(Errc::kTimeout, "start of the demo");
  }
  Result<Client> client = Client::create(
      {.mode = DeploymentMode::kDriver, .aeron_dir = aeron_dir, .log = console.log_sink()});
  if (!client) {
    return fail(client.error());
  }
  Result<Consumer> consumer = client->create_consumer({.stream_id = kStreamNumber});
  if (!consumer) {
    return fail(consumer.error());
  }
  Receiving receiving(*consumer, display);
  const Ticker ticker(kDrawPeriod, [&display] { display.tick(); });
  const bool went_well =
      receiving.run(from_seconds(options.seconds), kStartPatience, producer, stop);
  producer.terminate();
  if (!went_well) {
    return stop.load() ? fail(Errc::kClosed, "demo") : fail(Errc::kTimeout, "frames of the demo");
  }
  const std::uint64_t published = frames_published(producer);
  receiving.drain();
  return Outcome{
      .progress = receiving.progress(), .span = receiving.span(), .published = published};
}

[[nodiscard]] Status run(const DemoOptions& options, const std::atomic<bool>& stop,
                         Console& console) {
  const Result<DemoWorkspace> workspace = DemoWorkspace::create();
  Result<Histogram> window = Histogram::create();
  Result<Histogram> all = Histogram::create();
  if (!workspace || !window || !all) {
    return fail(!workspace ? workspace.error() : !window ? window.error() : all.error());
  }
  Result<ChildProcess> producer =
      ChildProcess::start({kProducerVerb, workspace->path(), std::to_string(::getpid())});
  if (!producer) {
    return fail(producer.error());
  }
  Display display({.seconds = options.seconds, .json = options.json, .producer = producer->pid()},
                  console, std::move(*window), std::move(*all));
  const Result<Outcome> outcome = receive(options, DemoWorkspace::aeron_dir(workspace->path()),
                                          *producer, display, stop, console);
  console.end_live();
  producer->put_line(kDismiss);  // the media driver goes with it, now that nobody here uses it
  const bool ended = producer->wait(kEndPatience);
  if (!outcome) {
    return fail(outcome.error());
  }
  const Progress& progress = outcome->progress;
  const Latency latency = display.overall();
  if (options.json) {
    nlohmann::ordered_json json =
        to_json("summary", progress, progress.frames, outcome->span, latency);
    json["frames_published"] = outcome->published;
    static_cast<void>(put_json(json));
  } else {
    print_summary(progress, outcome->span, latency, outcome->published);
  }
  if (progress.torn > 0) {
    return fail(Errc::kInvalidParams, "torn frames", progress.torn);
  }
  return ended ? Status{} : Status(fail(Errc::kTimeout, "end of the demo's producer"));
}

ExitCode run_demo(const DemoOptions& options) {
  Console console("demo");
  const std::atomic<bool>& stop = catch_stop_signals();
  const Status status = run(options, stop, console);
  if (!status && status.error().code != Errc::kClosed) {
    console.error(status.error());
  }
  return status ? ExitCode::kFine : ExitCode::kFailed;
}

}  // namespace
}  // namespace demo

void add_demo(CLI::App& tp, Action& action) {
  CLI::App& verb = *tp.add_subcommand("demo", "A simulated camera of 1 kHz between two processes");
  const auto options = std::make_shared<demo::DemoOptions>();
  verb.add_option("--seconds", options->seconds, "How long to run")
      ->check(CLI::Range(0.1, 1e6, "SECONDS"))
      ->capture_default_str();
  verb.add_flag("--json", options->json, "Print a line of JSON every second, and a summary");
  verb.footer(R"(Examples:
  tp demo
  tp demo --seconds 3 --json

Publishes 640 x 512 pixels of 16 bits at 1 kHz in one process and receives them in another, with a
driver and a media driver of its own. Latency is from capture to receipt; the copy into shared memory is in it.
Gaps are frames overwritten before they were read, late ones while they were read; torn ones, which
must not exist, are frames with rows of another one that passed all checks.)");
  verb.callback([options, &action] { action = [options] { return demo::run_demo(*options); }; });

  CLI::App& hidden = *tp.add_subcommand(demo::kProducerVerb, "The publishing half of tp demo");
  const auto producer = std::make_shared<demo::ProducerOptions>();
  hidden.group("");
  hidden.add_option("WORKSPACE", producer->workspace)->required();
  hidden.add_option("PARENT", producer->parent)->required();
  hidden.callback(
      [producer, &action] { action = [producer] { return demo::run_producer(*producer); }; });
}

}  // namespace tensorpool::inline v0::apps
