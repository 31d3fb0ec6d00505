#include "apps/files/array_source.hpp"

namespace tensorpool::inline v0::apps::files {

Result<std::unique_ptr<FrameSource>> ArraySource::create(const Options& options, FileBytes bytes) {
  // No overflow: split_frames has multiplied them.
  const std::uint64_t needed = options.stack.frames * options.stack.frame.bytes;
  const std::size_t found = bytes.view().size();
  if (found < options.offset || found - options.offset < needed) {
    return fail(file_error(Errc::kTruncatedInput, options.name, "bytes of its frames",
                           found < options.offset ? 0 : found - options.offset, needed));
  }
  return std::unique_ptr<FrameSource>(new ArraySource(options, std::move(bytes)));
}

ArraySource::ArraySource(const Options& options, FileBytes bytes)
    : FrameSource(options.stack.frame),
      bytes_(std::move(bytes)),
      offset_(options.offset),
      frames_(options.stack.frames) {
  if (options.big_endian && element_bytes(info().dtype) > 1) {
    swapped_.resize(frame_bytes());
  }
}

Result<std::optional<FrameBytes>> ArraySource::next() {
  if (position_ == frames_) {
    return std::nullopt;
  }
  const FrameBytes frame =
      bytes_.view().subspan(offset_ + position_ * frame_bytes(), frame_bytes());
  ++position_;
  if (swapped_.empty()) {
    return frame;
  }
  copy_swapped(frame, swapped_, element_bytes(info().dtype));
  return FrameBytes(swapped_);
}

Status ArraySource::rewind() {
  position_ = 0;
  return {};
}

}  // namespace tensorpool::inline v0::apps::files
