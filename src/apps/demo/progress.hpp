// How far the demo is, and how fast.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>

#include "agents/histogram.hpp"
#include "tensorpool/types/time.hpp"

namespace tensorpool::inline v0::apps::demo {

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

[[nodiscard]] Latency latency_of(const agents::Histogram& histogram);

/// A line of `--json`: `kind` is "interval" or "summary", `frames` came within `span`.
[[nodiscard]] nlohmann::ordered_json to_json(const char* kind, const Progress& progress,
                                             std::uint64_t frames, Nanos span,
                                             const Latency& latency);

}  // namespace tensorpool::inline v0::apps::demo
