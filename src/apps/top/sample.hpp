// What `tp top` sees in one look: plain values, nothing worked out. The sampler makes them, the
// model (model.hpp) makes rates of two of them.
//
// Thread contract: plain values.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/telemetry/identity.hpp"
#include "core/telemetry/readings.hpp"
#include "os/process_stat.hpp"
#include "tensorpool/types/time.hpp"

namespace tensorpool::inline v0::apps::top {

struct FrameSeen {
  std::uint64_t seq = 0;
  std::optional<Nanos> captured_at = {};  ///< where the frame bears a time
  std::uint32_t bytes = 0;
};

/// A header ring.
struct RingSeen {
  std::string path = {};
  std::uint32_t stream_id = 0;
  std::uint64_t epoch = 0;
  std::uint32_t nslots = 0;
  std::uint64_t pid = 0;  ///< of the owner of the files
  Nanos at{};             ///< of this look
  Nanos silence{};        ///< since the last sign of life of its producer
  std::optional<std::uint64_t> newest_seq = {};
  std::vector<FrameSeen> frames = {};  ///< new since the last look and still there, by number
};

struct ProducerSeen {
  core::telemetry::Identity who = {};
  core::telemetry::ProducerReading reading = {};
  std::string ring = {};  ///< path; "": none
};

struct ConsumerSeen {
  core::telemetry::Identity who = {};
  core::telemetry::ConsumerReading reading = {};
};

/// A stream as its driver knows it.
struct DriverStream {
  std::uint32_t stream_id = 0;
  std::string name = {};
  std::uint64_t epoch = 0;
  std::string ring = {};  ///< path; "": none
};

struct LeaseSeen {
  std::uint64_t lease_id = 0;
  std::uint32_t stream_id = 0;
  std::uint32_t client_id = 0;
  bool is_producer = false;
  Nanos expires_at{};  ///< in now_mono
};

struct Sample {
  Nanos at{};
  std::vector<RingSeen> rings = {};
  std::vector<ProducerSeen> producers = {};
  std::vector<ConsumerSeen> consumers = {};
  std::vector<DriverStream> streams = {};
  std::vector<LeaseSeen> leases = {};
  std::map<std::uint64_t, os::ProcessStat> processes = {};  ///< by id
  std::vector<std::string> notes = {};                      ///< what could not be seen
};

}  // namespace tensorpool::inline v0::apps::top
