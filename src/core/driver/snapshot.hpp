// What a driver shows of itself: for hosts, the admin socket, `tp ls` and tests.
//
// Thread contract: plain values, copies of what the machine knew. Spec: D283.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/driver/lease_table.hpp"
#include "core/region/plan.hpp"
#include "layout/messages_901.hpp"

namespace tensorpool::inline v0::core::driver {

/// Spec: §2.16.
enum class DriverState : std::uint8_t { kRunning, kDraining, kStopped };

struct StreamSnapshot {
  std::uint32_t stream_id = 0;
  bool dynamic = false;
  std::string name = {};                         ///< of a configured stream
  std::string profile = {};                      ///< empty: missing
  std::uint32_t header_nslots = 0;               ///< of the profile: what the next epoch will have
  std::vector<region::PoolGeometry> pools = {};  ///< likewise
  std::uint64_t epoch = 0;                       ///< 0: none is provisioned
  std::string header_ring_uri = {};
  std::vector<std::string> pool_uris = {};
  std::uint64_t producer_lease = 0;  ///< 0: none
  std::vector<std::uint64_t> consumer_leases = {};
  std::size_t waiting = 0;    ///< attaches without answer
  bool provisioning = false;  ///< a job is under way
  Nanos held_until{};         ///< no producer before (crash loop); 0 or past: not held
};

struct Snapshot {
  std::string instance_id = {};
  DriverState state = DriverState::kRunning;
  layout::ShutdownReason shutdown_reason = layout::ShutdownReason::kNormal;
  std::string shutdown_text = {};
  std::vector<Lease> leases;            ///< the next to expire first
  std::vector<StreamSnapshot> streams;  ///< by id
};

}  // namespace tensorpool::inline v0::core::driver
