// What `tp pub` says at its end: for people on standard error, with --json on standard output.
//
// Thread contract: a free function.
#pragma once

#include <cstddef>
#include <cstdint>

#include "apps/console.hpp"
#include "apps/sources/v4l2_camera.hpp"
#include "apps/stream_lookup.hpp"
#include "tensorpool/buffer_queue.hpp"
#include "tensorpool/types/counters.hpp"
#include "tensorpool/types/time.hpp"

namespace tensorpool::inline v0::apps::pub {

struct Summary {
  StreamRef stream;
  std::uint64_t epoch = 0;
  std::uint64_t frames = 0;
  std::size_t frame_bytes = 0;      ///< the longest
  std::uint64_t payload_bytes = 0;  ///< of all frames
  std::uint64_t ticks_slipped = 0;
  Nanos span{};
  ProducerCounters counters;
  ProducerCounters troubling;  ///< without what is usual at the start
  AttachCounters leases;
  const sources::V4l2Camera* camera = nullptr;  ///< null: frames of a file or a simulation
  BufferQueueCounters buffers;                  ///< of the camera
};

void print(const Summary& summary, bool as_json, Console& console);

}  // namespace tensorpool::inline v0::apps::pub
