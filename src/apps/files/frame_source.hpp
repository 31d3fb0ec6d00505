// Where `tp pub` takes its frames from: the interface of every reader and of every simulated
// source.
//
// All frames of one source have the same type and shape. Thread contract: one thread at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <utility>

#include "apps/files/format.hpp"
#include "tensorpool/types/error.hpp"
#include "tensorpool/types/tensor_info.hpp"

namespace tensorpool::inline v0::apps::files {

class FrameSource {
 public:
  virtual ~FrameSource() = default;
  FrameSource(const FrameSource&) = delete;
  FrameSource& operator=(const FrameSource&) = delete;

  /// The next frame, valid until the next call; nothing at the end. After an error (input that ends
  /// inside a frame, a file that cannot be read) there are no more frames.
  [[nodiscard]] virtual Result<std::optional<FrameBytes>> next() = 0;

  /// Goes back to the first frame, for `--loop`. A stream cannot: Errc::kInvalidArgument.
  [[nodiscard]] virtual Status rewind() = 0;

  /// Frames from the first to the last, where that is known without reading them.
  [[nodiscard]] virtual std::optional<std::uint64_t> frame_count() const noexcept = 0;

  /// Type and shape of each frame: dense, strides left to be inferred.
  [[nodiscard]] const TensorInfo& info() const noexcept { return format_.info; }
  [[nodiscard]] std::size_t frame_bytes() const noexcept { return format_.bytes; }

 protected:
  explicit FrameSource(const FrameFormat& format) noexcept : format_(format) {}

 private:
  FrameFormat format_;
};

}  // namespace tensorpool::inline v0::apps::files
