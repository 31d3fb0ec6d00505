// What surrounds the processes of one stream: time, the shared streams, those of single consumers,
// and what only the simulation knows.
#pragma once

#include <cstdint>
#include <optional>

#include "core/registration/responder.hpp"
#include "parts/sim_bus.hpp"
#include "parts/surroundings.hpp"
#include "service/messages.hpp"
#include "service/planted_bug.hpp"
#include "service/private_streams.hpp"
#include "service/scenario.hpp"
#include "service/stream_truth.hpp"

namespace tensorpool::inline v0::sim::service {

inline constexpr std::uint32_t kStreamId = 10'000;
inline constexpr std::uint32_t kNslots = 16;

/// The producer's view of its consumers, for the checkers; null while it does not run.
using Registry = const core::registration::Responder*;

struct Environment : Surroundings {
  const Scenario& scenario;
  PlantedBug bug;
  StreamTruth truth;
  Registry registry = nullptr;

  /// What consumers say; subscribers are the producer and the supervisor.
  SimTopic<Message> hellos;
  /// What is said to consumers, by producer and supervisor; the last subscriber is the producer.
  SimTopic<Message> control;
  SimTopic<Message> metadata;
  SimTopic<Notice> descriptors;
  PrivateStreams own_streams;

  static constexpr std::uint32_t kProducer = 0;    ///< subscriber of `hellos`
  static constexpr std::uint32_t kSupervisor = 1;  ///< likewise
  [[nodiscard]] std::uint32_t producer_at_control() const noexcept {
    return static_cast<std::uint32_t>(scenario.consumers.size());
  }

  Environment(const Scenario& run, PlantedBug planted)
      : scenario(run),
        bug(planted),
        hellos(2, kWindow, run.faults, random_for(run.seed, 2)),
        control(run.consumers.size() + 1, kWindow, run.faults, random_for(run.seed, 3)),
        metadata(run.consumers.size(), kWindow, run.faults, random_for(run.seed, 4)),
        descriptors(run.consumers.size(), kWindow, run.faults, random_for(run.seed, 7)),
        own_streams(run.private_faults, random_for(run.seed, 8)) {}

  void broken(std::string what) { verdict.fail(Failure::kSafety, std::move(what)); }

 private:
  static constexpr std::uint32_t kWindow = 1U << 16U;
};

}  // namespace tensorpool::inline v0::sim::service
