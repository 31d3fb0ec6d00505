// What a published frame costs the library's producer without subscribers, standalone and under a
// driver: the two are to cost the same.
#include <benchmark/benchmark.h>

#include <array>
#include <cstddef>
#include <cstdint>

#include "publishing.hpp"

namespace tensorpool {
namespace {

/// `capture_time`: given by the caller, which saves the producer a clock reading. `wakes`: whether
/// the producer looks for sleeping consumers, of which there are none.
template <DeploymentMode mode, bool capture_time, bool wakes = true>
void publish(benchmark::State& state) {
  bench::Publishing publishing(mode, wakes);
  Producer* const producer = publishing.producer();
  if (producer == nullptr) {
    state.SkipWithError("no producer");
    return;
  }
  const std::array<std::byte, bench::kPayloadBytes> payload{};
  std::uint64_t time = 1;
  for (auto _ : state) {
    benchmark::DoNotOptimize(capture_time
                                 ? producer->publish(bench::payload_info(), payload, ++time)
                                 : producer->publish(bench::payload_info(), payload));
  }
}
BENCHMARK(publish<DeploymentMode::kStandalone, false>)->Name("publish_standalone");
BENCHMARK(publish<DeploymentMode::kEmbedded, false>)->Name("publish_driver");
BENCHMARK(publish<DeploymentMode::kStandalone, true>)->Name("publish_standalone_capture_time");
BENCHMARK(publish<DeploymentMode::kEmbedded, true>)->Name("publish_driver_capture_time");

BENCHMARK(publish<DeploymentMode::kStandalone, true, false>)
    ->Name("publish_standalone_capture_time_without_waking");

}  // namespace
}  // namespace tensorpool
