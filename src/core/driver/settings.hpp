// What a driver is told at its start. Spec: §2.21.
//
// Plain values with the defaults of the spec; config/ reads them from a file and the environment,
// `check_settings` refuses what does not fit together. Thread contract: plain values.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/region/plan.hpp"
#include "tensorpool/types/time.hpp"

namespace tensorpool::inline v0::core::driver {

/// Stream ids first..last, both included. Spec: D236.
struct IdRange {
  std::uint32_t first = 1;
  std::uint32_t last = 1;

  [[nodiscard]] constexpr bool contains(std::uint32_t id) const noexcept {
    return id >= first && id <= last;
  }
  friend constexpr bool operator==(const IdRange&, const IdRange&) = default;
};

/// A channel and a stream id of Aeron.
struct Endpoint {
  std::string channel = "aeron:ipc?term-length=4m";
  std::uint32_t stream_id = 1000;

  friend bool operator==(const Endpoint&, const Endpoint&) = default;
};

/// `[profiles.<name>]`: the shape of a stream's regions.
struct Profile {
  std::string name;
  std::uint32_t header_nslots = 1024;
  std::vector<region::PoolGeometry> pools;      ///< in announce order
  std::optional<std::uint32_t> numa_node = {};  ///< where its pages lie; none: wherever

  friend bool operator==(const Profile&, const Profile&) = default;
};

/// `[streams.<name>]`: a stream that exists from the driver's start. Users and groups are names or
/// numbers. Who may attach stands in lists of users and, with `@` in front, groups.
struct StaticStream {
  std::string name = {};
  std::uint32_t stream_id = 0;
  std::string profile = {};
  std::string owner = {};                   ///< of region files; empty: the driver's user
  std::string group = {};                   ///< empty: `driver.group`
  std::optional<std::uint32_t> mode = {};   ///< none: `shm.permissions_mode`
  std::vector<std::string> producers = {};  ///< empty: anybody
  std::vector<std::string> consumers = {};  ///< empty: anybody

  friend bool operator==(const StaticStream&, const StaticStream&) = default;
};

/// `[shm]`: where regions lie, and what they are made of.
struct ShmSettings {
  std::string base_dir = "/dev/shm";
  std::string name_space = "default";
  bool require_hugepages = false;
  std::optional<std::uint32_t> page_size_bytes = {};  ///< only when set explicitly (D210)
  std::uint32_t permissions_mode = 0660;              ///< of region files
  std::vector<std::string> allowed_base_dirs = {};    ///< empty: base_dir alone

  friend bool operator==(const ShmSettings&, const ShmSettings&) = default;
};

/// `[policies]`.
struct PolicySettings {
  bool allow_dynamic_streams = false;
  std::string default_profile = {};  ///< empty: the first profile
  Nanos announce_period = std::chrono::milliseconds(1000);
  Nanos lease_keepalive_interval = std::chrono::milliseconds(1000);
  std::uint32_t lease_expiry_grace_intervals = 3;
  bool prefault_shm = true;
  bool mlock_shm = false;
  bool epoch_gc_enabled = true;
  std::uint32_t epoch_gc_keep = 2;
  Nanos epoch_gc_min_age{};  ///< 0: three announce periods
  bool epoch_gc_on_startup = false;
  Nanos shutdown_timeout = std::chrono::milliseconds(2000);
  std::string shutdown_token = {};  ///< empty: no shutdown by message
  Nanos node_id_reuse_cooldown = std::chrono::milliseconds(1000);
  bool reuse_existing_shm = false;  ///< without effect (D216)
  bool cleanup_shm_on_exit = false;
  std::uint32_t max_leases = 65536;  ///< 0: no limit

  [[nodiscard]] constexpr Nanos lease_duration() const noexcept {
    return lease_keepalive_interval * static_cast<Nanos::rep>(lease_expiry_grace_intervals);
  }
  [[nodiscard]] constexpr Nanos gc_min_age() const noexcept {
    return epoch_gc_min_age == Nanos{} ? 3 * announce_period : epoch_gc_min_age;
  }
  friend bool operator==(const PolicySettings&, const PolicySettings&) = default;
};

/// `[telemetry]`.
struct TelemetrySettings {
  bool enabled = false;
  Nanos interval = std::chrono::milliseconds(10000);

  friend bool operator==(const TelemetrySettings&, const TelemetrySettings&) = default;
};

/// `[supervisor]`: who answers consumers, and what it grants them. Spec: §2.18.
struct SupervisorSettings {
  /// Aeron streams of single consumers: `base` and the ids behind it, `count` in all.
  struct Granted {
    std::string channel = {};  ///< empty: the one that was asked for
    std::uint32_t base = 0;    ///< 0: the id that was asked for
    std::uint32_t count = 0;   ///< `…_range`

    friend bool operator==(const Granted&, const Granted&) = default;
  };
  Endpoint control = {};  ///< by default the driver's, as the next two
  Endpoint announce = {};
  Endpoint qos{.channel = "aeron:ipc?term-length=4m", .stream_id = 1200};
  Endpoint metadata{.channel = "aeron:ipc?term-length=4m", .stream_id = 1300};
  std::uint32_t consumer_capacity = 256;
  Nanos consumer_stale = std::chrono::milliseconds(5000);  ///< 0: never
  Nanos producer_stale =
      std::chrono::milliseconds(5000);  ///< by default 5 announce periods; 0: never
  Nanos liveness_check_interval = std::chrono::milliseconds(1000);
  bool per_consumer_enabled = false;
  Granted per_consumer_descriptor = {};
  Granted per_consumer_control = {};
  bool force_no_shm = false;
  std::uint32_t force_mode = 0;  ///< 0: no override; 1: STREAM; 2: RATE_LIMITED
  std::string payload_fallback_uri = {};

  friend bool operator==(const SupervisorSettings&, const SupervisorSettings&) = default;
};

struct Settings {
  std::string instance_id = "driver-01";
  std::string aeron_dir;  ///< empty: Aeron's default
  /// Whose members may use this driver: the media driver that it embeds, its admin socket,
  /// directories and region files. Empty: nobody in particular, as the process's own group has it.
  std::string group = {};
  Endpoint control;
  Endpoint announce;  ///< by default the control endpoint
  Endpoint qos{.channel = "aeron:ipc?term-length=4m", .stream_id = 1200};
  std::vector<IdRange> stream_ids;             ///< of dynamic streams
  std::vector<IdRange> descriptor_stream_ids;  ///< of per-consumer descriptor streams
  std::vector<IdRange> control_stream_ids;     ///< of per-consumer control streams
  ShmSettings shm;
  PolicySettings policies;
  TelemetrySettings telemetry;
  std::vector<Profile> profiles;  ///< in file order; at least one
  std::vector<StaticStream> streams;
  std::optional<SupervisorSettings> supervisor;  ///< none: the driver runs without

  friend bool operator==(const Settings&, const Settings&) = default;
};

}  // namespace tensorpool::inline v0::core::driver
