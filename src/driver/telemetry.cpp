#include "driver/telemetry.hpp"

#include <utility>

namespace tensorpool::inline v0::driver {

Result<Telemetry> Telemetry::create(const core::driver::TelemetrySettings& settings, Nanos now) {
  std::vector<agents::Histogram> histograms;
  for (std::size_t k = 0; settings.enabled && k < kMeasureNames.size(); ++k) {
    Result<agents::Histogram> histogram = agents::Histogram::create(kHighest);
    if (!histogram) {
      return fail(histogram.error());
    }
    histograms.push_back(std::move(*histogram));
  }
  return Telemetry(std::move(histograms), settings.interval, now);
}

std::optional<Telemetry::Summaries> Telemetry::do_work(Nanos now) noexcept {
  if (exported_ < histograms_.size()) {
    pending_[exported_] = histograms_[exported_].summary();
    histograms_[exported_].reset();
    if (++exported_ == histograms_.size()) {
      last_ = pending_;
      return last_;
    }
  } else if (enabled() && now >= next_at_) {
    next_at_ = now + interval_;
    exported_ = 0;
  }
  return std::nullopt;
}

std::string summary_line(Measure measure, const agents::Histogram::Summary& summary) {
  std::string line(kMeasureNames[static_cast<std::size_t>(measure)]);
  for (const auto& [name, value] :
       {std::pair{" count ", static_cast<std::int64_t>(summary.count)},
        std::pair{" p50 ", summary.p50.count()}, std::pair{" p90 ", summary.p90.count()},
        std::pair{" p99 ", summary.p99.count()}, std::pair{" p99.9 ", summary.p999.count()},
        std::pair{" max ", summary.max.count()}}) {
    line.append(name).append(std::to_string(value));
  }
  return line;
}

}  // namespace tensorpool::inline v0::driver
