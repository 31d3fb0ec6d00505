// Made-up frames for `tp pub --sim` and `tp demo`: what they cost is one copy, whatever they show.
//
// All frames are windows into one buffer that is filled once, so a source gives more frames a
// second than any transport takes. The same options give the same frames.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "apps/files/frame_source.hpp"
#include "tensorpool/types/error.hpp"

namespace tensorpool::inline v0::apps::sources {

enum class Simulation : std::uint8_t {
  kCamera,  ///< spots of a Shack-Hartmann sensor that tremble, over noise; repeats after 32 frames
  kRamp,    ///< element i of frame f is f + i, modulo 65536 (256 for types of one byte)
  kNoise,   ///< uniform: over all values of an integer type, in [0, 1) for floats
};

/// `camera`, `ramp` or `noise`.
[[nodiscard]] Result<Simulation> parse_simulation(std::string_view text);

struct SimulationOptions {
  Simulation simulation = Simulation::kCamera;
  std::uint64_t seed = 1;
  /// Of ramp and noise; the camera has two dimensions and is uint16.
  std::vector<std::uint64_t> shape = {512, 640};
  Dtype dtype = Dtype::kUint16;
};

/// Never ends: `frame_count` is unknown. Allocates the buffer: 32 frames for the camera, two frames
/// or less for the others.
[[nodiscard]] Result<std::unique_ptr<files::FrameSource>> make_simulation(
    const SimulationOptions& options);

}  // namespace tensorpool::inline v0::apps::sources
