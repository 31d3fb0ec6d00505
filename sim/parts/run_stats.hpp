// What a run did, of whichever world.
#pragma once

#include <cstdint>

#include "parts/sim_bus.hpp"
#include "tensorpool/types/time.hpp"

namespace tensorpool::inline v0::sim {

struct RunStats {
  std::uint64_t events = 0;  ///< duty cycles, messages taken, faults
  std::uint64_t steps = 0;   ///< accesses of shared memory, system calls
  std::uint64_t frames_published = 0;
  std::uint64_t frames_received = 0;
  std::uint64_t crashes = 0;
  std::uint64_t laps = 0;
  std::uint64_t epochs = 0;
  std::uint64_t epochs_collected = 0;  ///< by a driver, as the next
  std::uint64_t leases = 0;
  std::uint64_t messages_lost = 0;
  std::uint64_t messages_doubled = 0;
  std::uint64_t messages_reordered = 0;
  std::uint64_t messages_delayed = 0;
  std::uint64_t preemptions = 0;
  Nanos virtual_time{};

  RunStats& operator+=(const BusCounts& counts) noexcept {
    events += counts.taken;
    messages_lost += counts.lost;
    messages_doubled += counts.doubled;
    messages_reordered += counts.reordered;
    messages_delayed += counts.delayed;
    return *this;
  }
  RunStats& operator+=(const RunStats& other) noexcept {
    events += other.events;
    steps += other.steps;
    frames_published += other.frames_published;
    frames_received += other.frames_received;
    crashes += other.crashes;
    laps += other.laps;
    epochs += other.epochs;
    epochs_collected += other.epochs_collected;
    leases += other.leases;
    messages_lost += other.messages_lost;
    messages_doubled += other.messages_doubled;
    messages_reordered += other.messages_reordered;
    messages_delayed += other.messages_delayed;
    preemptions += other.preemptions;
    virtual_time += other.virtual_time;
    return *this;
  }
};

}  // namespace tensorpool::inline v0::sim
