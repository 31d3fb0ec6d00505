// The counters of a supervisor, in the order of their numbers.
//
// The machine counts what it hears and decides; whoever drives it counts duty cycles, work, and the
// configs that were published. Spec: 2-driver.md §2.22 (D337).
// Thread contract: plain values; one thread writes.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace tensorpool::inline v0::core::supervisor {

struct Counters {
  std::uint64_t total_duty_cycles = 0;
  std::uint64_t total_work_done = 0;
  std::uint64_t config_published = 0;
  std::uint64_t liveness_checks = 0;
  std::uint64_t hellos = 0;
  std::uint64_t qos_consumers = 0;
  std::uint64_t qos_producers = 0;
  std::uint64_t announces_seen = 0;
  std::uint64_t metadata_seen = 0;
  std::uint64_t stale_consumers = 0;
  std::uint64_t stale_producers = 0;
  std::uint64_t registry_full = 0;

  friend bool operator==(const Counters&, const Counters&) = default;
};

struct CounterField {
  std::string_view name;
  std::uint64_t Counters::*value;
};

/// Type id of counter number 0.
inline constexpr std::int32_t kCounterTypeIdBase = 54100;

/// Counter number n is entry n - 1.
inline constexpr auto kCounterFields = std::to_array<CounterField>({
    {"TotalDutyCycles", &Counters::total_duty_cycles},
    {"TotalWorkDone", &Counters::total_work_done},
    {"ConfigPublished", &Counters::config_published},
    {"LivenessChecks", &Counters::liveness_checks},
    {"Hellos", &Counters::hellos},
    {"QosConsumers", &Counters::qos_consumers},
    {"QosProducers", &Counters::qos_producers},
    {"AnnouncesSeen", &Counters::announces_seen},
    {"MetadataSeen", &Counters::metadata_seen},
    {"StaleConsumers", &Counters::stale_consumers},
    {"StaleProducers", &Counters::stale_producers},
    {"RegistryFull", &Counters::registry_full},
});
static_assert(sizeof(Counters) == kCounterFields.size() * sizeof(std::uint64_t),
              "every counter has its number");

}  // namespace tensorpool::inline v0::core::supervisor
