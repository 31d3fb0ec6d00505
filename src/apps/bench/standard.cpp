#include "apps/bench/standard.hpp"

#include <algorithm>

namespace tensorpool::inline v0::apps::bench {
namespace {

constexpr std::size_t kSmall = 64;
constexpr std::size_t kImage = 655'360;  // 512 x 640, 16 bits
constexpr std::size_t kLargeImage = 8'388'608;

[[nodiscard]] double p50(const Outcome& outcome) {
  return outcome.quantile(0.5);
}
[[nodiscard]] double frames(const Outcome& outcome) {
  return outcome.frames_per_s.value_or(0);
}
[[nodiscard]] double sent(const Outcome& outcome) {
  return outcome.sent_per_s.value_or(0);
}

[[nodiscard]] Case latency(const char* variant, std::size_t payload) {
  return {.test = Test::kLatency,
          .variant = variant,
          .payload = payload,
          .rate = 10'000,
          .seconds = 1,
          .touch = false};
}
[[nodiscard]] Case throughput(const char* variant, std::size_t payload) {
  return {.test = Test::kThroughput, .variant = variant, .payload = payload, .seconds = 0.7};
}
[[nodiscard]] Case copying(const char* variant, std::size_t payload) {
  return {.test = Test::kCopy, .variant = variant, .payload = payload, .seconds = 0.5};
}
[[nodiscard]] Case cost(Test test, const char* variant) {
  return {.test = test,
          .variant = variant,
          .payload = kSmall,
          .seconds = 1,
          .burst = 32,
          .touch = false};
}

[[nodiscard]] double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

}  // namespace

std::vector<Promise> standard_promises() {
  using Relation = Promise::Relation;
  std::vector<Promise> all;
  all.push_back({.what = "64 B end to end / raw Aeron claims",
                 .unit = "frames/s",
                 .ours = {throughput("descriptors", kSmall)},
                 .floors = {throughput("raw-aeron", kSmall)},
                 .figure = frames,
                 .more_is_better = true,
                 .relation = Relation::kRatioAtLeast,
                 .goal = 0.4});
  for (const std::size_t payload : {kSmall, kImage, kLargeImage}) {
    const std::string size = payload == kSmall ? "64 B" : payload == kImage ? "640 KiB" : "8 MiB";
    all.push_back({.what = "latency " + size + ", descriptors / raw Aeron",
                   .unit = "ns",
                   .ours = {latency("descriptors", payload)},
                   .floors = {latency("raw-aeron", payload)},
                   .figure = p50,
                   .relation = Relation::kRatioAtMost,
                   .goal = 2});
    all.push_back({.what = "latency " + size + ", direct / seqlock ring",
                   .unit = "ns",
                   .ours = {latency("direct", payload)},
                   .floors = {latency("seqlock", payload)},
                   .figure = p50,
                   .relation = Relation::kRatioAtMost,
                   .goal = 1.4});
  }
  for (const std::size_t payload : {kImage, kLargeImage}) {
    all.push_back({.what = std::string("copy ") + (payload == kImage ? "640 KiB" : "8 MiB") +
                           " / best store loop",
                   .unit = "frames/s",
                   .ours = {throughput("descriptors", payload)},
                   .floors = {copying("memcpy", payload), copying("stream", payload)},
                   .figure = sent,
                   .more_is_better = true,
                   .relation = Relation::kRatioAtLeast,
                   .goal = 0.95});
  }
  all.push_back({.what = "publish cost / raw Aeron claim",
                 .unit = "ns",
                 .ours = {cost(Test::kPublishCost, "descriptors")},
                 .floors = {cost(Test::kPublishCost, "raw-aeron")},
                 .figure = p50,
                 .relation = Relation::kDifferenceAtMost,
                 .goal = 40});
  all.push_back({.what = "idle poll / empty Aeron poll",
                 .unit = "ns",
                 .ours = {cost(Test::kPollCost, "descriptors")},
                 .floors = {cost(Test::kPollCost, "raw-aeron")},
                 .figure = p50,
                 .relation = Relation::kLinearAtMost,
                 .goal = 1.5,
                 .offset = 5});
  return all;
}

Verdict judge(const Promise& promise, const std::vector<double>& ours,
              const std::vector<double>& floors) {
  Verdict verdict{.ours = median(ours), .floor = median(floors)};
  switch (promise.relation) {
    case Promise::Relation::kRatioAtLeast:
      verdict.value = verdict.ours / verdict.floor;
      verdict.met = verdict.value >= promise.goal;
      break;
    case Promise::Relation::kRatioAtMost:
      verdict.value = verdict.ours / verdict.floor;
      verdict.met = verdict.value <= promise.goal;
      break;
    case Promise::Relation::kDifferenceAtMost:
      verdict.value = verdict.ours - verdict.floor;
      verdict.met = verdict.value <= promise.goal;
      break;
    case Promise::Relation::kLinearAtMost:
      verdict.value = verdict.ours - verdict.floor * promise.goal;
      verdict.met = verdict.value <= promise.offset;
      break;
  }
  return verdict;
}

}  // namespace tensorpool::inline v0::apps::bench
