// Where `tp pub` gets its frames from: files, standard input, a simulation, or a camera.
//
// Thread contract: free functions.
#pragma once

#include <atomic>
#include <memory>

#include "apps/files/frame_source.hpp"
#include "apps/sources/v4l2_camera.hpp"
#include "apps/verbs/pub/options.hpp"
#include "tensorpool/types/error.hpp"

namespace tensorpool::inline v0::apps::pub {

/// Precondition: not from a camera. Reading from standard input ends when `stop` is set, which
/// outlives the source.
[[nodiscard]] Result<std::unique_ptr<files::FrameSource>> open_frames(
    const Options& options, const std::atomic<bool>& stop);

/// Precondition: from a camera.
[[nodiscard]] Result<std::unique_ptr<sources::V4l2Camera>> open_camera(const Options& options);

}  // namespace tensorpool::inline v0::apps::pub
