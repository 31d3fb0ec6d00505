#include "apps/demo/progress.hpp"

#include "apps/demo/frames.hpp"
#include "apps/options.hpp"

namespace tensorpool::inline v0::apps::demo {

Latency latency_of(const agents::Histogram& histogram) {
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

}  // namespace tensorpool::inline v0::apps::demo
