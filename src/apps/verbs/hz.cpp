// tp hz: how often frames come, how evenly, and what is lost.
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
#include "apps/console.hpp"
#include "apps/counters.hpp"
#include "apps/follow.hpp"
#include "apps/options.hpp"
#include "apps/output.hpp"
#include "apps/stop.hpp"
#include "apps/text.hpp"
#include "apps/verbs.hpp"
#include "os/clock.hpp"

namespace tensorpool::inline v0::apps {
namespace {

using agents::Histogram;

constexpr Nanos kWindow = std::chrono::seconds(1);
/// Between looks at the clock and at the signals.
constexpr Nanos kWaitMax = std::chrono::milliseconds(20);

struct HzOptions {
  FollowOptions follow;
  double seconds = 0;  // 0: until it is stopped
  bool json = false;
};

/// Frames of one stretch of time.
struct Window {
  Histogram intervals;
  std::uint64_t frames = 0;
  std::uint64_t bytes = 0;
  Nanos since{};

  void reset(Nanos now) noexcept {
    intervals.reset();
    frames = 0;
    bytes = 0;
    since = now;
  }
};

/// Figures of a window, for people and for programs.
struct Figures {
  double rate_hz = 0;
  double bytes_per_second = 0;
  Nanos p50{};
  Nanos p99{};
  Nanos max{};
  Nanos jitter{};
  std::uint64_t frames = 0;
  std::uint64_t lost = 0;  ///< since the beginning
};

Figures figures_of(const Window& window, Nanos span, const ConsumerCounters& counters) {
  return {.rate_hz = per_second(static_cast<double>(window.frames), span),
          .bytes_per_second = per_second(static_cast<double>(window.bytes), span),
          .p50 = window.intervals.percentile(50),
          .p99 = window.intervals.percentile(99),
          .max = window.intervals.max(),
          .jitter = window.intervals.standard_deviation(),
          .frames = window.frames,
          .lost = frames_lost(counters)};
}

std::string rate_part(const Figures& f) {
  return fmt::format("{:>12}  {}  lost {}", rate_text(f.rate_hz),
                     megabytes_text(f.bytes_per_second), grouped(f.lost));
}

std::string interval_part(const Figures& f) {
  return fmt::format("interval p50 {} p99 {} max {} jitter {}", duration_text(f.p50),
                     duration_text(f.p99), duration_text(f.max), duration_text(f.jitter));
}

std::string to_text(const Figures& f) {
  return rate_part(f) + "  " + interval_part(f);
}

nlohmann::ordered_json to_json(const Figures& f, const char* kind, Nanos span) {
  return {{"v", 1},
          {"kind", kind},
          {"frames", f.frames},
          {"frames_lost", f.lost},
          {"duration_s", to_seconds(span)},
          {"rate_hz", f.rate_hz},
          {"interval_p50_ns", f.p50.count()},
          {"interval_p99_ns", f.p99.count()},
          {"interval_max_ns", f.max.count()},
          {"jitter_ns", f.jitter.count()},
          {"throughput_mb_per_s", f.bytes_per_second / 1e6}};
}

class Meter {
 public:
  Meter(const HzOptions& options, Follower& follower, const std::atomic<bool>& stop,
        Console& console, Histogram window, Histogram all)
      : options_(options),
        follower_(follower),
        stop_(stop),
        console_(console),
        window_{.intervals = std::move(window)},
        all_{.intervals = std::move(all)},
        live_(console.is_terminal() && ::isatty(STDOUT_FILENO) == 1 && !options.json) {}

  [[nodiscard]] ExitCode run() {
    const Nanos start = clock_.mono();
    window_.reset(start);
    heard_ = start;
    while (!stop_.load(std::memory_order_relaxed) && !reader_gone_) {
      const std::optional<FrameView> frame = follower_.next();
      const Nanos now = clock_.mono();
      if (frame) {
        take(*frame, now);
      }
      if (now - window_.since >= kWindow) {
        report(now);
      }
      if ((options_.seconds > 0 && now - start >= from_seconds(options_.seconds)) ||
          (options_.follow.timeout_s > 0 &&
           now - heard_ >= from_seconds(options_.follow.timeout_s))) {
        break;
      }
      if (!frame) {
        static_cast<void>(follower_.wait(kWaitMax));
      }
    }
    console_.end_live();
    summarise();
    return all_.frames > 0 ? ExitCode::kFine : ExitCode::kFailed;
  }

 private:
  /// Intervals are those between the capture times of frames with consecutive numbers; between
  /// receipts where the publisher gives none.
  void take(const FrameView& frame, Nanos now) {
    const std::optional<std::uint64_t> stamp = frame.timestamp_ns();
    const Nanos at = stamp ? Nanos(static_cast<std::int64_t>(*stamp)) : now;
    all_.since = all_.frames == 0 ? at : all_.since;
    if (last_at_ && frame.epoch() == last_epoch_ && frame.seq() == last_seq_ + 1) {
      window_.intervals.record(at - *last_at_);
    }
    last_at_ = at;
    last_seq_ = frame.seq();
    last_epoch_ = frame.epoch();
    heard_ = now;
    for (Window* window : {&window_, &all_}) {
      ++window->frames;
      window->bytes += frame.bytes().size();
    }
  }

  void report(Nanos now) {
    follower_.look_around(now);
    const Figures figures = figures_of(window_, now - window_.since, follower_.counters());
    if (options_.json) {
      reader_gone_ = !put_json(to_json(figures, "interval", now - window_.since));
    } else if (live_) {
      console_.live({rate_part(figures), "    " + interval_part(figures)});
    } else {
      reader_gone_ = !put_line(to_text(figures));
    }
    all_.intervals.add(window_.intervals);
    window_.reset(now);
  }

  void summarise() {
    all_.intervals.add(window_.intervals);
    if (reader_gone_ || all_.frames == 0) {
      return;
    }
    const Nanos span = last_at_.value_or(all_.since) - all_.since;
    const ConsumerCounters counters = follower_.counters();
    Figures figures = figures_of(all_, span, counters);
    // Frames are as many as the times between them, and one more.
    const double part = static_cast<double>(all_.frames - 1) / static_cast<double>(all_.frames);
    figures.rate_hz *= part;
    figures.bytes_per_second *= part;
    if (options_.json) {
      static_cast<void>(put_json(to_json(figures, "summary", span)));
      return;
    }
    static_cast<void>(put_line(live_ ? rate_part(figures) + "\n    " + interval_part(figures)
                                     : to_text(figures)));
    console_.note(fmt::format("{} in {:.2f} s", counted(all_.frames, "frame"), to_seconds(span)));
    for (const std::string& line : troubles(counters)) {
      console_.print(line);
    }
  }

  const HzOptions& options_;
  Follower& follower_;
  const std::atomic<bool>& stop_;
  Console& console_;
  const os::SystemClock clock_;
  Window window_;
  Window all_;
  bool live_;
  bool reader_gone_ = false;
  Nanos heard_{};
  std::optional<Nanos> last_at_;
  std::uint64_t last_seq_ = 0;
  std::uint64_t last_epoch_ = 0;
};

ExitCode run_hz(const HzOptions& options) {
  Console console("hz");
  const std::atomic<bool>& stop = catch_stop_signals();
  Result<Histogram> window = Histogram::create();
  Result<Histogram> all = Histogram::create();
  if (!window || !all) {
    console.error(window ? all.error() : window.error());
    return ExitCode::kFailed;
  }
  Result<Follower> follower = Follower::create(options.follow, stop, console);
  if (!follower) {
    if (follower.error().code != Errc::kClosed) {  // stopped: nothing to say
      console.error(follower.error());
    }
    return ExitCode::kFailed;
  }
  return Meter(options, *follower, stop, console, std::move(*window), std::move(*all)).run();
}

}  // namespace

void add_hz(CLI::App& tp, Action& action) {
  CLI::App& verb = *tp.add_subcommand("hz", "Rate, intervals, jitter and losses of a stream");
  const auto options = std::make_shared<HzOptions>();
  add_follow_options(verb, options->follow);
  verb.add_option("--seconds", options->seconds, "End after so many seconds [at Ctrl-C]")
      ->check(seconds_range());
  verb.add_flag("--json", options->json, "Print a line of JSON every second, and a summary");
  add_follow_places(verb, options->follow);
  verb.footer(R"(Examples:
  tp hz cam1                     in place, once a second
  tp hz cam1 --seconds 5 --json

Intervals are those between capture times of consecutive frames; jitter is their standard
deviation.)");
  verb.callback([options, &action] { action = [options] { return run_hz(*options); }; });
}

}  // namespace tensorpool::inline v0::apps
