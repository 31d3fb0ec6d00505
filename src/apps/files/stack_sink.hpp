// A file that holds all frames of a stream behind one header that counts them: .npy and FITS.
//
// Written as FILE.part and renamed by finish(); the header is written first with a count of 0 and
// again at the end. When the disk fills up, finish() keeps the whole frames that reached it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "apps/files/frame_sink.hpp"
#include "apps/files/output.hpp"
#include "apps/files/packer.hpp"

namespace tensorpool::inline v0::apps::files {

/// What a file format adds to the dense frames.
struct StackFormat {
  /// The bytes before the first frame; as long for any number of frames.
  Result<std::string> (*header)(const TensorInfo& frame, std::uint64_t frames) = nullptr;
  /// Converts a frame to the form of the file; without it frames go as they are.
  void (*encode)(Dtype dtype, FrameBytes from, std::span<std::byte> to) = nullptr;
  /// The file is filled up with zeros to a multiple of this.
  std::size_t block_bytes = 1;
};

class StackSink final : public FrameSink {
 public:
  [[nodiscard]] static Result<std::unique_ptr<FrameSink>> create(const std::string& path,
                                                                 const StackFormat& format);
  /// Finishes, if nobody has: frames are worth more than the error that cannot be told.
  ~StackSink() override;

  [[nodiscard]] Status write(const TensorInfo& info, FrameBytes bytes,
                             std::uint64_t sequence) override;
  [[nodiscard]] Status finish() override;

 private:
  StackSink(PartFile file, const StackFormat& format) : file_(std::move(file)), format_(format) {}
  [[nodiscard]] Status begin(const PackedFrame& first);

  PartFile file_;
  StackFormat format_;
  Packer packer_;
  TensorInfo info_;
  std::size_t frame_bytes_ = 0;
  std::size_t header_bytes_ = 0;  // 0: no frame yet
  std::uint64_t frames_ = 0;
  std::vector<std::byte> encoded_;
  bool accepting_ = true;  // until the end or the first error
  bool finished_ = false;
};

}  // namespace tensorpool::inline v0::apps::files
