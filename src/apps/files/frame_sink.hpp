// Where `tp sub` puts its frames: the interface of every writer.
//
// Thread contract: one thread at a time.
#pragma once

#include <cstdint>

#include "apps/files/format.hpp"
#include "tensorpool/types/error.hpp"
#include "tensorpool/types/tensor_info.hpp"

namespace tensorpool::inline v0::apps::files {

class FrameSink {
 public:
  FrameSink() = default;
  virtual ~FrameSink() = default;
  FrameSink(const FrameSink&) = delete;
  FrameSink& operator=(const FrameSink&) = delete;

  /// Takes one frame; frames with gaps between their elements are packed. `sequence` is the frame's
  /// number in its stream. After an error call `finish`: whole frames taken before stay readable.
  ///
  /// Errc::kShapeChanged: the output holds frames of one type and shape, and this one differs.
  /// Errc::kClosed: whoever read the output has gone; end quietly.
  [[nodiscard]] virtual Status write(const TensorInfo& info, FrameBytes bytes,
                                     std::uint64_t sequence) = 0;

  /// Completes the output; to be called at the end, at an interruption and after an error. Without
  /// a single frame no file is made, and one that existed stays.
  [[nodiscard]] virtual Status finish() = 0;
};

}  // namespace tensorpool::inline v0::apps::files
