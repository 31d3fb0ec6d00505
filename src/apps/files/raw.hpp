// Elements without a header: files whose shape the user gives, standard input, standard output.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "apps/files/frame_sink.hpp"
#include "apps/files/frame_source.hpp"
#include "apps/files/input.hpp"
#include "apps/files/packer.hpp"

namespace tensorpool::inline v0::apps::files {

/// Frames of a raw file, little-endian. One that ends inside a frame is Errc::kTruncatedInput.
[[nodiscard]] Result<std::unique_ptr<FrameSource>> read_raw(FileBytes bytes,
                                                            const FrameFormat& frame,
                                                            std::string_view name);

/// Frames read from a pipe. Its end inside a frame is Errc::kTruncatedInput with the bytes found
/// and needed; the frames before it have been delivered by then.
class StreamSource final : public FrameSource {
 public:
  struct Options {
    FrameFormat frame;
    int fd = 0;                               ///< read from, not closed
    std::string name;                         ///< for messages
    const std::atomic<bool>* stop = nullptr;  ///< ends the stream when set, within 0.1 s
  };
  [[nodiscard]] static Result<std::unique_ptr<FrameSource>> create(Options options);

  [[nodiscard]] Result<std::optional<FrameBytes>> next() override;
  [[nodiscard]] Status rewind() override;
  [[nodiscard]] std::optional<std::uint64_t> frame_count() const noexcept override {
    return std::nullopt;
  }

 private:
  explicit StreamSource(Options options);
  [[nodiscard]] bool wait_readable() const;

  Options options_;
  std::vector<std::byte> frame_;
  std::uint64_t delivered_ = 0;
};

/// Writes the dense bytes of each frame to a pipe, one behind the other.
class StreamSink final : public FrameSink {
 public:
  struct Options {
    int fd = 1;        ///< written to, not closed
    std::string name;  ///< for messages
    const std::atomic<bool>* stop = nullptr;
  };
  explicit StreamSink(Options options) : options_(std::move(options)) {}

  [[nodiscard]] Status write(const TensorInfo& info, FrameBytes bytes,
                             std::uint64_t sequence) override;
  [[nodiscard]] Status finish() override { return {}; }

 private:
  Options options_;
  Packer packer_;
};

}  // namespace tensorpool::inline v0::apps::files
