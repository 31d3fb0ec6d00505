// tp demo: a camera of 1 kHz streams through shared memory to this process, live on the screen.
//
// This process receives and shows; it starts another one that publishes (demo_producer.cpp). The
// thread that receives does nothing else; what is shown comes through queues that it never waits
// for.
#include "apps/demo.hpp"

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
#include <thread>
#include <vector>

#include "agents/histogram.hpp"
#include "agents/idle.hpp"
#include "apps/child_process.hpp"
#include "apps/console.hpp"
#include "apps/counters.hpp"
#include "apps/demo_frames.hpp"
#include "apps/demo_picture.hpp"
#include "apps/demo_workspace.hpp"
#include "apps/options.hpp"
#include "apps/output.hpp"
#include "apps/stop.hpp"
#include "apps/text.hpp"
#include "apps/ticker.hpp"
#include "apps/verbs.hpp"
#include "os/clock.hpp"
#include "tensorpool/client.hpp"

namespace tensorpool::inline v0::apps {
namespace demo {
namespace {

using agents::Histogram;

constexpr Nanos kDrawPeriod = std::chrono::milliseconds(100);
constexpr Nanos kWindow = std::chrono::seconds(1);
constexpr Nanos kLookPeriod = std::chrono::milliseconds(50);
constexpr Nanos kStartPatience = std::chrono::seconds(20);
constexpr Nanos kEndPatience = std::chrono::seconds(5);
/// By then a poll has looked at the ring, and the first frame will not be missed.
constexpr Nanos kSettleTime = std::chrono::milliseconds(10);
constexpr Nanos kDrainQuiet = std::chrono::milliseconds(50);

struct DemoOptions {
  double seconds = 10;
  bool json = false;
};

/// Durations from the thread that measures to the one that shows. Holds a second of them at 64 kHz;
/// what is not taken in time is overwritten.
class LatencyLog {
 public:
  void put(Nanos latency) noexcept {
    const std::uint64_t end = end_.load(std::memory_order_relaxed);
    entries_[end % kEntries].store(latency.count(), std::memory_order_relaxed);
    end_.store(end + 1, std::memory_order_release);
  }
  template <class Take>
  void take_all(Take&& take) {
    const std::uint64_t end = end_.load(std::memory_order_acquire);
    taken_ = end - taken_ > kEntries ? end - kEntries : taken_;
    for (; taken_ < end; ++taken_) {
      take(Nanos(entries_[taken_ % kEntries].load(std::memory_order_relaxed)));
    }
  }

 private:
  static constexpr std::size_t kEntries = 65'536;
  std::vector<std::atomic<std::int64_t>> entries_ =
      std::vector<std::atomic<std::int64_t>>(kEntries);
  std::atomic<std::uint64_t> end_{0};
  std::uint64_t taken_ = 0;
};

/// What the receiving thread knows.
struct Progress {
  std::uint64_t frames = 0;
  std::uint64_t torn = 0;
  std::uint64_t gaps = 0;
  std::uint64_t late = 0;
  Nanos at{};
};

struct Latency {
  Nanos p50{};
  Nanos p99{};
  Nanos p999{};
  Nanos max{};
};

Latency latency_of(const Histogram& histogram) {
  return {.p50 = histogram.percentile(50),
          .p99 = histogram.percentile(99),
          .p999 = histogram.percentile(99.9),
          .max = histogram.max()};
}

nlohmann::ordered_json to_json(const char* kind, const Progress& progress, std::uint64_t frames,
                               Nanos span, const Latency& latency) {
  const double rate = per_second(static_cast<double>(frames), span);
  return {{"v", 1},
          {"kind", kind},
          {"frames", frames},
          {"gaps", progress.gaps},
          {"late", progress.late},
          {"torn", progress.torn},
          {"duration_s", to_seconds(span)},
          {"rate_hz", rate},
          {"throughput_mb_per_s", rate * static_cast<double>(kFrameBytes) / 1e6},
          {"latency_p50_ns", latency.p50.count()},
          {"latency_p99_ns", latency.p99.count()},
          {"latency_max_ns", latency.max.count()}};
}

/// Shows the run: a block of live lines on a terminal, else a line every second.
/// Thread contract: everything on the ticker's thread, until that has ended.
class Display {
 public:
  Display(const DemoOptions& options, Console& console, Histogram window, Histogram all,
          pid_t producer)
      : options_(options),
        console_(console),
        window_(std::move(window)),
        all_(std::move(all)),
        producer_(producer) {}

  LatencyLog latencies;
  PictureExchange pictures;
  Snapshot<Progress> progress;

  void tick() {
    take_latencies();
    const Progress now = progress.load();
    if (now.frames == 0) {
      return;
    }
    if (window_start_.frames == 0) {
      window_start_ = now;
      first_at_ = now.at;
    }
    if (now.at - window_start_.at >= kWindow) {
      close_window(now);
    }
    if (console_.is_terminal()) {
      static_cast<void>(pictures.take(picture_));  // else the last one once more
      pictures.ask();
      console_.live(live_lines(now));
    }
  }

  /// The distribution over the whole run.
  [[nodiscard]] Latency overall() {
    take_latencies();
    return latency_of(all_);
  }

 private:
  void take_latencies() {
    latencies.take_all([this](Nanos latency) {
      window_.record(latency);
      all_.record(latency);
    });
  }

  void close_window(const Progress& now) {
    const Nanos span = now.at - window_start_.at;
    const std::uint64_t frames = now.frames - window_start_.frames;
    rate_ = per_second(static_cast<double>(frames), span);
    latency_ = latency_of(window_);
    if (options_.json) {
      static_cast<void>(put_json(to_json("interval", now, frames, span, *latency_)));
    }
    if (!console_.is_terminal()) {
      console_.note(fmt::format("{}  {}  {}  {}", rate_text(rate_), rate_in_megabytes(),
                                latency_text(*latency_), losses(now)));
    }
    window_.reset();
    window_start_ = now;
  }

  [[nodiscard]] std::string rate_in_megabytes() const {
    return megabytes_text(rate_ * static_cast<double>(kFrameBytes));
  }

  [[nodiscard]] static std::string latency_text(const Latency& latency) {
    return fmt::format("latency p50 {} p99 {} max {}", duration_text(latency.p50),
                       duration_text(latency.p99), duration_text(latency.max));
  }

  [[nodiscard]] std::string losses(const Progress& now) const {
    const auto part = [this](const char* name, std::uint64_t count) {
      return fmt::format("{} {}", name,
                         console_.styled(count == 0 ? Style::kGreen : Style::kRed, grouped(count)));
    };
    return part("gaps", now.gaps) + "  " + part("late", now.late) + "  " + part("torn", now.torn);
  }

  [[nodiscard]] std::vector<std::string> live_lines(const Progress& now) const {
    const auto label = [this](const char* text) {
      return "  " + console_.styled(Style::kDim, fmt::format("{:<9}", text));
    };
    std::vector<std::string> lines;
    if (console_.rows() > Picture::kRows / 2 + 8 && console_.columns() > Picture::kColumns + 2) {
      lines = draw(picture_, console_.has_colour());
      lines.emplace_back();
    }
    lines.push_back(label("camera") +
                    fmt::format("{} at {}", tensor_text(frame_info()), rate_text(kRateHz)) +
                    console_.styled(Style::kDim, fmt::format("   process {} -> process {}",
                                                             producer_, ::getpid())));
    lines.push_back(label("frames") +
                    (latency_
                         ? console_.styled(Style::kBold, fmt::format("{:>12}", rate_text(rate_))) +
                               "   " + rate_in_megabytes() + "   "
                         : std::string()) +
                    grouped(now.frames) + " so far");
    lines.push_back(label("latency") +
                    (latency_
                         ? fmt::format("p50 {}   p99 {}   max {}",
                                       console_.styled(Style::kBold, duration_text(latency_->p50)),
                                       duration_text(latency_->p99), duration_text(latency_->max)) +
                               console_.styled(Style::kDim, "   from capture to receipt")
                         : std::string("measuring")));
    lines.push_back(label("losses") + losses(now));
    lines.push_back(label("") + bar(now.at - first_at_));
    return lines;
  }

  [[nodiscard]] std::string bar(Nanos elapsed) const {
    constexpr int kWidth = 40;
    const double part = std::clamp(to_seconds(elapsed) / options_.seconds, 0.0, 1.0);
    const int full = static_cast<int>(part * kWidth);
    std::string done;
    std::string left;
    for (int k = 0; k < kWidth; ++k) {
      (k < full ? done : left) += k < full ? "━" : "─";
    }
    return console_.styled(Style::kCyan, done) + console_.styled(Style::kDim, left) +
           console_.styled(Style::kDim,
                           fmt::format(" {:.0f} of {:g} s", to_seconds(elapsed), options_.seconds));
  }

  const DemoOptions& options_;
  Console& console_;
  Histogram window_;
  Histogram all_;
  pid_t producer_;
  Picture picture_;
  Progress window_start_;
  Nanos first_at_{};
  double rate_ = 0;
  std::optional<Latency> latency_;
};

/// Receives until the time is over, and then to the last frame.
class Receiving {
 public:
  Receiving(Consumer& consumer, Display& display) : consumer_(consumer), display_(display) {}

  /// True when frames came; false when none came in time, or the producer is gone.
  [[nodiscard]] bool run(Nanos duration, ChildProcess& producer, const std::atomic<bool>& stop) {
    const Nanos give_up_at = clock_.mono() + kStartPatience;
    std::optional<Nanos> mapped_at;
    bool begun = false;
    while (!stop.load(std::memory_order_relaxed)) {
      const Nanos now = poll();
      if (!mapped_at && consumer_.state() == MappingState::kMapped) {
        mapped_at = now;
      }
      if (!begun && mapped_at && now - *mapped_at >= kSettleTime) {
        begun = true;
        producer.put_line(kBegin);
      }
      const bool overdue = frames_ == 0 ? now > give_up_at : now - started_ >= duration;
      if (overdue) {
        return frames_ > 0;
      }
      if (now - looked_ >= kLookPeriod) {
        looked_ = now;
        if (!producer.is_running()) {
          return false;
        }
      }
    }
    return frames_ > 0;
  }

  /// Reads what is left, once the producer has stopped.
  void drain() {
    Nanos now = clock_.mono();
    Nanos heard = now;
    while (now - heard < kDrainQuiet) {
      const std::uint64_t before = frames_;
      now = poll();
      heard = frames_ > before ? now : heard;
    }
  }

  [[nodiscard]] Progress progress() const {
    const ConsumerCounters counters = consumer_.counters();
    return {.frames = frames_,
            .torn = torn_,
            .gaps = counters.drops_gap,
            .late = counters.drops_late,
            .at = clock_.mono()};
  }
  [[nodiscard]] Nanos span() const noexcept { return newest_at_ - started_; }

 private:
  /// Returns the time.
  Nanos poll() {
    const PollResult result = consumer_.poll([this](const FrameView& frame) { take(frame); });
    idle_.idle(result.frames);
    const Nanos now = clock_.mono();
    if (now - offered_ >= kDrawPeriod / 2) {
      offered_ = now;
      display_.progress.offer(progress());
    }
    return now;
  }

  void take(const FrameView& frame) {
    const Nanos now = clock_.mono();
    const bool whole = rows_belong_to(frame.bytes(), frame.seq());
    const bool wants_picture = whole && display_.pictures.is_wanted();
    if (wants_picture) {
      sample(frame.bytes(), display_.pictures.slot());
    }
    if (!frame.still_valid()) {
      return;  // overwritten meanwhile: the library counts it as late
    }
    torn_ += whole ? 0 : 1;
    if (wants_picture) {
      display_.pictures.deliver();
    }
    started_ = frames_ == 0 ? now : started_;
    ++frames_;
    newest_at_ = now;
    if (const std::optional<std::uint64_t> captured = frame.timestamp_ns()) {
      display_.latencies.put(now - Nanos(static_cast<std::int64_t>(*captured)));
    }
  }

  Consumer& consumer_;
  Display& display_;
  const os::SystemClock clock_;
  // With a processor of its own it may spin, which shows what the transport is capable of.
  agents::Idle idle_{{.kind = std::thread::hardware_concurrency() > 1
                                  ? agents::IdleKind::kYield
                                  : agents::IdleKind::kBackoff}};
  std::uint64_t frames_ = 0;
  std::uint64_t torn_ = 0;
  Nanos started_{};
  Nanos newest_at_{};
  Nanos looked_{};
  Nanos offered_{};
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
  const bool went_well = receiving.run(from_seconds(options.seconds), producer, stop);
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
  Display display(options, console, std::move(*window), std::move(*all), producer->pid());
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
