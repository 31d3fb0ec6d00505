// How many slots a published stream gets, and why.
//
// Thread contract: free function; asks the file system for its free space. Spec: W276; design §9.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "tensorpool/producer.hpp"
#include "tensorpool/types/error.hpp"
#include "tensorpool/types/time.hpp"

namespace tensorpool::inline v0::apps {

struct GeometryRequest {
  std::uint64_t frame_bytes = 0;
  double rate_hz = 0;  ///< 0: not known
  Nanos slack = std::chrono::milliseconds(100);
  std::uint32_t slots = 0;      ///< 0: to be chosen
  std::uint32_t slots_min = 0;  ///< where they are to be chosen, at least so many: a power of two
  std::string shm_dir = "/dev/shm";
  std::optional<std::uint64_t> frames{};  ///< of a stream that ends: all of them, where known
};

struct Geometry {
  StreamOptions options;  ///< with nslots, pools and shm_base_dir set
  std::string why;        ///< one line for people
};

/// As StreamOptions::for_frames. A stream that ends and is small gets a slot for each of its
/// frames, so that no reader who is there at the start can lose one. Errc::kNoSpace for what would
/// take more than half of the free space.
[[nodiscard]] Result<Geometry> choose_geometry(const GeometryRequest& request);

}  // namespace tensorpool::inline v0::apps
