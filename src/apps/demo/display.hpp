// What the demo shows while it runs: a block of live lines on a terminal, else a line every second.
//
// Thread contract: what receives puts latencies, pictures and progress in; the rest belongs to the
// ticker's thread, until that has ended.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "agents/histogram.hpp"
#include "apps/console.hpp"
#include "apps/demo/latency_log.hpp"
#include "apps/demo/picture.hpp"
#include "apps/demo/progress.hpp"
#include "apps/ticker.hpp"

namespace tensorpool::inline v0::apps::demo {

inline constexpr Nanos kDrawPeriod = std::chrono::milliseconds(100);

class Display {
 public:
  struct Options {
    double seconds = 0;  ///< how long the demo is to run
    bool json = false;   ///< a line of it every second
    pid_t producer = 0;
  };
  Display(Options options, Console& console, agents::Histogram window, agents::Histogram all)
      : options_(options), console_(console), window_(std::move(window)), all_(std::move(all)) {}

  LatencyLog latencies;
  PictureExchange pictures;
  Snapshot<Progress> progress;

  void tick();
  /// The distribution over the whole run.
  [[nodiscard]] Latency overall();

 private:
  void take_latencies();
  void close_window(const Progress& now);
  [[nodiscard]] std::string rate_in_megabytes() const;
  [[nodiscard]] std::string losses(const Progress& now) const;
  [[nodiscard]] std::vector<std::string> live_lines(const Progress& now) const;
  [[nodiscard]] std::string bar(Nanos elapsed) const;

  Options options_;
  Console& console_;
  agents::Histogram window_;
  agents::Histogram all_;
  Picture picture_;
  Progress window_start_;
  Nanos first_at_{};
  double rate_ = 0;
  std::optional<Latency> latency_;
};

}  // namespace tensorpool::inline v0::apps::demo
