#include "apps/verbs/pub/open_input.hpp"

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "apps/files/open.hpp"
#include "apps/sources/simulated.hpp"

namespace tensorpool::inline v0::apps::pub {

Result<std::unique_ptr<files::FrameSource>> open_frames(const Options& options,
                                                        const std::atomic<bool>& stop) {
  std::vector<std::uint64_t> shape;
  if (!options.shape.empty()) {
    Result<std::vector<std::uint64_t>> parsed = files::parse_shape(options.shape);
    if (!parsed) {
      return fail(parsed.error());
    }
    shape = std::move(*parsed);
  }
  Dtype dtype = Dtype::kUnknown;
  if (!options.dtype.empty()) {
    const Result<Dtype> parsed = files::parse_dtype(options.dtype);
    if (!parsed) {
      return fail(parsed.error());
    }
    dtype = *parsed;
  }
  if (!options.simulation.empty()) {
    const Result<sources::Simulation> simulation = sources::parse_simulation(options.simulation);
    if (!simulation) {
      return fail(simulation.error());
    }
    sources::SimulationOptions simulated{.simulation = *simulation};
    simulated.shape = shape.empty() ? simulated.shape : shape;
    simulated.dtype = dtype == Dtype::kUnknown ? simulated.dtype : dtype;
    return sources::make_simulation(simulated);
  }
  const Result<files::Arrangement> arrangement = files::parse_arrangement(options.arrangement);
  if (!arrangement) {
    return fail(arrangement.error());
  }
  return files::open_source({.from = options.from,
                             .shape = shape,
                             .dtype = dtype,
                             .arrangement = *arrangement,
                             .stop = &stop});
}

Result<std::unique_ptr<sources::V4l2Camera>> open_camera(const Options& options) {
  sources::CameraWish wish{.device = options.from.substr(kCameraPrefix.size()),
                           .format = options.format,
                           .hz = options.hz.value_or(0)};
  if (!options.shape.empty()) {
    const Result<std::vector<std::uint64_t>> shape = files::parse_shape(options.shape);
    if (!shape) {
      return fail(shape.error());
    }
    if (shape->size() != 2) {
      return fail(Errc::kInvalidArgument, "--shape of a camera: rows,columns", shape->size(), 2);
    }
    wish.rows = static_cast<std::uint32_t>((*shape)[0]);
    wish.columns = static_cast<std::uint32_t>((*shape)[1]);
  }
  return sources::V4l2Camera::open(sources::video_calls(), wish);
}

}  // namespace tensorpool::inline v0::apps::pub
