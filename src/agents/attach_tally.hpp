// What a client has counted about its leases, for threads that ask. Spec: §2.20, §2.22.
//
// Thread contract: `publish` on the control thread, `read` on any. Each number stands alone: two of
// them need not be of the same moment.
#pragma once

#include <atomic>
#include <cstdint>

#include "tensorpool/types/counters.hpp"

namespace tensorpool::inline v0::agents {

class AttachTally {
 public:
  void publish(const AttachCounters& counters) noexcept {
    for (const Place& place : kPlaces) {
      (this->*place.published).store(counters.*place.counter, std::memory_order_relaxed);
    }
  }
  [[nodiscard]] AttachCounters read() const noexcept {
    AttachCounters counters;
    for (const Place& place : kPlaces) {
      counters.*place.counter = (this->*place.published).load(std::memory_order_relaxed);
    }
    return counters;
  }

 private:
  using Number = std::atomic<std::uint64_t>;
  struct Place {
    std::uint64_t AttachCounters::*counter;
    Number AttachTally::*published;
  };

  Number attach_attempts_{0};
  Number attach_timeouts_{0};
  Number attach_protocol_errors_{0};
  Number lease_lost_{0};
  Number keepalives_sent_{0};
  Number driver_event_rejects_{0};
  Number stale_responses_{0};

  static const Place kPlaces[7];
};

inline constexpr AttachTally::Place AttachTally::kPlaces[7] = {
    {&AttachCounters::attach_attempts, &AttachTally::attach_attempts_},
    {&AttachCounters::attach_timeouts, &AttachTally::attach_timeouts_},
    {&AttachCounters::attach_protocol_errors, &AttachTally::attach_protocol_errors_},
    {&AttachCounters::lease_lost, &AttachTally::lease_lost_},
    {&AttachCounters::keepalives_sent, &AttachTally::keepalives_sent_},
    {&AttachCounters::driver_event_rejects, &AttachTally::driver_event_rejects_},
    {&AttachCounters::stale_responses, &AttachTally::stale_responses_},
};
static_assert(sizeof(AttachCounters) == 7 * sizeof(std::uint64_t), "every counter has its place");

}  // namespace tensorpool::inline v0::agents
