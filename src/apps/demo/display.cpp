#include "apps/demo/display.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>

#include "apps/demo/frames.hpp"
#include "apps/options.hpp"
#include "apps/output.hpp"
#include "apps/text.hpp"

namespace tensorpool::inline v0::apps::demo {
namespace {

constexpr Nanos kWindow = std::chrono::seconds(1);

[[nodiscard]] std::string latency_text(const Latency& latency) {
  return fmt::format("latency p50 {} p99 {} max {}", duration_text(latency.p50),
                     duration_text(latency.p99), duration_text(latency.max));
}

}  // namespace

void Display::tick() {
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

Latency Display::overall() {
  take_latencies();
  return latency_of(all_);
}

void Display::take_latencies() {
  latencies.take_all([this](Nanos latency) {
    window_.record(latency);
    all_.record(latency);
  });
}

void Display::close_window(const Progress& now) {
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

std::string Display::rate_in_megabytes() const {
  return megabytes_text(rate_ * static_cast<double>(kFrameBytes));
}

std::string Display::losses(const Progress& now) const {
  const auto part = [this](const char* name, std::uint64_t count) {
    return fmt::format("{} {}", name,
                       console_.styled(count == 0 ? Style::kGreen : Style::kRed, grouped(count)));
  };
  return part("gaps", now.gaps) + "  " + part("late", now.late) + "  " + part("torn", now.torn);
}

std::vector<std::string> Display::live_lines(const Progress& now) const {
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
                                                           options_.producer, ::getpid())));
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

std::string Display::bar(Nanos elapsed) const {
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

}  // namespace tensorpool::inline v0::apps::demo
