// tp top: who produces, who reads, at what rate and how far behind, and who loses what and why. On
// the whole terminal, or once, or as JSON.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "apps/console.hpp"
#include "apps/driver_link.hpp"
#include "apps/options.hpp"
#include "apps/output.hpp"
#include "apps/stop.hpp"
#include "apps/terminal.hpp"
#include "apps/top/model.hpp"
#include "apps/top/sampler.hpp"
#include "apps/top/screen.hpp"
#include "apps/top/view_json.hpp"
#include "apps/verbs.hpp"
#include "bus/driver_probe.hpp"
#include "os/clock.hpp"

namespace tensorpool::inline v0::apps {
namespace {

constexpr Nanos kLookPeriod = std::chrono::milliseconds(50);  ///< at signals
constexpr std::size_t kColumnsOfPipes = 200;

struct TopOptions {
  DriverAddress driver;
  std::vector<std::string> shm_dirs;
  double delay_s = 1;
  std::string sort = "name";
  bool reverse = false;
  std::string filter;
  std::size_t columns = 0;
  bool once = false;
  bool json = false;
};

[[nodiscard]] top::Sampler sampler_of(const TopOptions& options) {
  return top::Sampler({.aeron_dir = bus::choose_aeron_dir(options.driver.aeron_dir),
                       .control_stream_id = options.driver.control_stream_id,
                       .shm_dirs = options.shm_dirs});
}

[[nodiscard]] top::Choice choice_of(const TopOptions& options) {
  return {.query = {.sort = *top::parse_sort_key(options.sort),
                    .reverse = options.reverse,
                    .filter = options.filter},
          .delay = from_seconds(options.delay_s)};
}

/// False when the time has not passed, because of Ctrl-C.
[[nodiscard]] bool wait_until(Nanos end, const std::atomic<bool>& stop) {
  const os::SystemClock clock;
  while (!stop.load(std::memory_order_relaxed)) {
    const Nanos now = clock.mono();
    if (now >= end) {
      return true;
    }
    std::this_thread::sleep_for(std::min(kLookPeriod, end - now));
  }
  return false;
}

/// Prints what is seen, once or again and again: rates need two looks.
ExitCode print(const TopOptions& options, const std::atomic<bool>& stop) {
  const os::SystemClock clock;
  top::Sampler sampler = sampler_of(options);
  top::Model model;
  const top::Choice choice = choice_of(options);
  const Console console("top");
  const std::size_t columns = options.columns != 0           ? options.columns
                              : ::isatty(STDOUT_FILENO) == 1 ? console.columns()
                                                             : kColumnsOfPipes;
  model.add(sampler.take());
  for (Nanos next = clock.mono() + choice.delay; wait_until(next, stop); next += choice.delay) {
    model.add(sampler.take());
    const top::View view = model.view(choice.query);
    if (options.json) {
      if (!put_json(top::to_json(view))) {
        return ExitCode::kFine;
      }
    } else {
      for (const top::Line& line : top::once(view, choice, columns)) {
        if (!put_line(top::plain_text(line))) {
          return ExitCode::kFine;
        }
      }
    }
    if (options.once || !options.json) {
      return view.streams.empty() && !view.notes.empty() ? ExitCode::kFailed : ExitCode::kFine;
    }
  }
  return ExitCode::kFine;
}

/// Keeps the screen up to date until it is told to end.
class FullScreen {
 public:
  FullScreen(const TopOptions& options, Terminal terminal, const std::atomic<bool>& stop)
      : sampler_(sampler_of(options)),
        choice_(choice_of(options)),
        terminal_(std::move(terminal)),
        stop_(stop) {}

  void run() {
    take();
    // Rates need two looks: the second comes soon.
    next_ = clock_.mono() + std::min(choice_.delay, kFirstDelay);
    while (!stop_.load(std::memory_order_relaxed) && !choice_.wants_end && draw()) {
      if (!wait_for_change()) {
        return;
      }
    }
  }

 private:
  static constexpr Nanos kFirstDelay = std::chrono::milliseconds(300);

  [[nodiscard]] static bool wants_colour() {
    const char* const plain = std::getenv("NO_COLOR");
    return plain == nullptr || *plain == '\0';
  }

  void take() { model_.add(sampler_.take()); }

  [[nodiscard]] bool draw() {
    const top::View view = model_.view(choice_.query);
    std::vector<std::string> lines;
    for (const top::Line& line : top::full_screen(view, choice_, terminal_.size())) {
      lines.push_back(top::styled_text(line, colour_));
    }
    return terminal_.draw(lines);
  }

  /// Until there is something to draw. False when the terminal has gone.
  [[nodiscard]] bool wait_for_change() {
    while (!stop_.load(std::memory_order_relaxed)) {
      const Nanos now = clock_.mono();
      if (choice_.is_paused) {
        next_ = now + choice_.delay;
      } else if (now >= next_) {
        next_ = now + choice_.delay;
        take();
        return true;
      }
      std::vector<Key> keys;
      const auto heard = terminal_.listen(std::min(kLookPeriod, next_ - now), keys);
      if (heard == Terminal::Heard::kGone) {
        return false;
      }
      const std::size_t page = top::table_rows(terminal_.size());
      for (const Key& key : keys) {
        choice_.on_key(key, page);
      }
      if (!keys.empty()) {
        next_ = std::min(next_, clock_.mono() + choice_.delay);
        return true;
      }
      if (terminal_.must_redraw()) {
        return true;
      }
    }
    return true;
  }

  const os::SystemClock clock_;
  top::Sampler sampler_;
  top::Model model_;
  top::Choice choice_;
  Terminal terminal_;
  const std::atomic<bool>& stop_;
  const bool colour_ = wants_colour();
  Nanos next_{};
};

ExitCode run_top(const TopOptions& options) {
  const std::atomic<bool>& stop = catch_stop_signals();
  if (options.once || options.json || !Terminal::is_there()) {
    return print(options, stop);
  }
  Result<Terminal> terminal = Terminal::open();
  if (!terminal) {
    Console("top").error(terminal.error());
    return ExitCode::kFailed;
  }
  FullScreen(options, std::move(*terminal), stop).run();
  return ExitCode::kFine;
}

}  // namespace

void add_top(CLI::App& tp, Action& action) {
  CLI::App& verb =
      *tp.add_subcommand("top", "Who produces, who reads, how fast, and who loses what: live");
  const auto options = std::make_shared<TopOptions>();
  verb.add_option("--delay", options->delay_s, "Between two looks")
      ->check(CLI::Range(0.1, 60.0, "SECONDS"))
      ->type_name("SECONDS")
      ->capture_default_str();
  verb.add_option("--sort", options->sort, "Column to sort by, the worst or greatest first")
      ->check(CLI::IsMember({"name", "hz", "mb", "p99", "age", "margin", "lost", "cpu"}))
      ->capture_default_str();
  verb.add_flag("--reverse", options->reverse, "The other way round");
  verb.add_option("--filter", options->filter,
                  "Only streams and consumers with this in their name, or with this number");
  verb.add_option("--shm-dir", options->shm_dirs,
                  "Look below this directory for streams that nobody tells of, too")
      ->type_name("DIR");
  verb.add_flag("--once", options->once, "Print what two looks show, and end");
  verb.add_option("--columns", options->columns,
                  "Width of what is printed [of the terminal, 200 for a pipe]")
      ->check(CLI::Range(40, 1000));
  add_driver_address(verb, options->driver);
  verb.add_flag("--json", options->json, "Print a line of JSON for each look");
  verb.footer(R"(Examples:
  tp top
  tp top --sort margin
  tp top --once
  tp top --json | jq -r '.slow[]'

Subscribes to nothing and writes nothing: what it shows comes from the header rings, from the
counters that producers and consumers show among those of the media driver, from /proc, and, where a
driver listens, leases from it. Where standard output is no terminal it prints once and ends.)");
  verb.callback([options, &action] { action = [options] { return run_top(*options); }; });
}

}  // namespace tensorpool::inline v0::apps
