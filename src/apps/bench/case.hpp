// One measurement: what is run, and what came out. The options and the JSON keys are those that
// other transports are measured with, so that a line of ours can be held against theirs.
//
//   latency       paced by busy waiting; stamped before the claim, read on arrival; missed slots
//   are skipped throughput    as fast as it goes; what the slowest consumer received, losses
//   counted publish_cost  ns per publish, payload untouched, `burst` calls timed together, one
//   burst per millisecond copy          ns per frame of one thread that writes a ring nobody reads
//   (floors only) poll_cost     ns per poll that finds nothing
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace tensorpool::inline v0::apps::bench {

enum class Test : std::uint8_t { kLatency, kThroughput, kPublishCost, kCopy, kPollCost };

struct Case {
  Test test = Test::kLatency;
  std::string variant = {};  ///< which transport: see transports.hpp
  std::size_t payload = 64;  ///< bytes, at least 16
  double rate = 1000;        ///< frames/s; latency only
  double seconds = 2;        ///< measured, after the warm-up
  int consumers = 1;
  int burst = 32;
  bool touch =
      true;  ///< copy the whole payload from a warm source, or write its 16-byte stamp only
  int producer_cpu = 0;
  int consumer_cpu = 1;
  std::uint32_t nslots = 0;  ///< 0: by payload
  bool driver = false;       ///< producer and consumers hold leases of a driver; ours only
};

struct Outcome {
  std::vector<double> ns;  ///< samples, sorted
  std::optional<double> frames_per_s;
  std::optional<double> sent_per_s;
  std::optional<std::int64_t> lost;
  std::uint32_t nslots = 0;

  /// Precondition: samples are sorted. 0 when there are none.
  [[nodiscard]] double quantile(double q) const noexcept;
};

[[nodiscard]] const char* to_string(Test test) noexcept;
[[nodiscard]] std::optional<Test> test_from_string(const std::string& name) noexcept;

/// The stamp at the head of every payload; consumers read it and nothing else.
struct Stamp {
  std::uint64_t sent_ns = 0;
  std::uint64_t sequence = 0;
};

/// Slots of a ring for this payload, where nothing is asked for: 8192 up to 4 KiB, then 16, then 4,
/// which keeps the pools inside a cache of 32 MiB.
[[nodiscard]] std::uint32_t default_nslots(std::size_t payload) noexcept;

}  // namespace tensorpool::inline v0::apps::bench
