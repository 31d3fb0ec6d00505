// Everything that one seed decides in the world of registration, rates, metadata and progress.
#pragma once

#include <cstdint>
#include <vector>

#include "core/registration/hello_sender.hpp"
#include "parts/plans.hpp"
#include "service/private_streams.hpp"

namespace tensorpool::inline v0::sim::service {

/// One consumer, in all its lives.
struct ConsumerPlan {
  core::registration::ConsumerWish wish = {};
  Nanos poll_interval{};
  std::uint32_t rate_changes = 0;      ///< while it runs
  std::uint32_t same_id_permille = 0;  ///< of lives, that go on under the id of the last one
  bool grantable = false;              ///< what it asks for is allowed, and nobody else does
};

struct ProducerPlan {
  Nanos frame_interval{};
  std::uint32_t rows = 1;  ///< of a frame, which is filled row by row
  std::uint32_t row_bytes = 64;
  std::uint32_t claim_permille = 0;  ///< of frames, that are claimed and filled slowly
  std::uint32_t abort_permille = 0;  ///< of claims
  std::uint32_t attributes = 0;      ///< of a set, at most
  std::uint32_t set_changes = 0;     ///< while it runs
  std::uint32_t blobs = 0;
  std::uint32_t blob_bytes_max = 1;
};

struct Scenario {
  std::uint64_t seed = 0;
  Nanos interval{};  ///< of hellos, QoS, announces and sets
  Nanos stale_timeout{};
  bool supervised = false;        ///< somebody else answers hellos
  bool knows_supervisor = false;  ///< the producer, from the beginning on; else it finds out
  bool hands_out_ids = false;     ///< that one chooses the ids
  std::size_t capacity = 256;     ///< of the responder's table
  bool early_header = false;      ///< at both ends (W369)
  ProducerPlan producer;
  std::vector<ConsumerPlan> consumers;
  BusFaults faults;
  PrivateStreams::Faults private_faults;
  std::uint32_t producer_crashes = 0;
  std::uint32_t supervisor_crashes = 0;
  std::uint32_t consumer_crashes = 0;
  std::uint32_t pauses = 0;
  Nanos pause_max{};
  Nanos restart_max{};
  std::uint32_t policies = 0;  ///< changes of the supervisor's
  std::uint32_t nonsense = 0;  ///< messages of a foreign or broken process
  Nanos faults_for{};

  [[nodiscard]] static Scenario draw(std::uint64_t seed);
};

}  // namespace tensorpool::inline v0::sim::service
