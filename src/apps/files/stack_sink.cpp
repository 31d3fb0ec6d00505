#include "apps/files/stack_sink.hpp"

#include <algorithm>
#include <span>
#include <utility>

namespace tensorpool::inline v0::apps::files {

Result<std::unique_ptr<FrameSink>> StackSink::create(const std::string& path,
                                                     const StackFormat& format) {
  auto file = PartFile::create(path);
  if (!file) {
    return fail(file.error());
  }
  return std::unique_ptr<FrameSink>(new StackSink(std::move(*file), format));
}

StackSink::~StackSink() {
  static_cast<void>(finish());
}

Status StackSink::begin(const PackedFrame& first) {
  const auto header = format_.header(first.info, 0);
  if (!header) {
    return fail(header.error());
  }
  info_ = first.info;
  frame_bytes_ = first.bytes.size();
  header_bytes_ = header->size();
  return file_.append(std::as_bytes(std::span(*header)));
}

Status StackSink::write(const TensorInfo& info, FrameBytes bytes, std::uint64_t /*sequence*/) {
  if (!accepting_) {
    return fail(Errc::kClosed, "write after finish or an error");
  }
  const auto packed = packer_.pack_alike(info, bytes);
  if (!packed) {
    return fail(packed.error());
  }
  if (header_bytes_ == 0) {
    if (const Status begun = begin(*packed); !begun) {
      return begun;
    }
  }
  FrameBytes frame = packed->bytes;
  if (format_.encode != nullptr) {
    encoded_.resize(frame.size());
    format_.encode(packed->info.dtype, frame, encoded_);
    frame = encoded_;
  }
  const Status appended = file_.append(frame);
  accepting_ = appended.has_value();
  frames_ += accepting_ ? 1 : 0;
  return appended;
}

Status StackSink::finish() {
  accepting_ = false;
  if (std::exchange(finished_, true) || header_bytes_ == 0) {
    return {};
  }
  const Status flushed = file_.flush();
  if (file_.size() < header_bytes_) {
    return flushed;  // not even the header found room
  }
  if (frame_bytes_ > 0) {  // whole frames only, where the disk has filled up
    frames_ = std::min(frames_, (file_.size() - header_bytes_) / frame_bytes_);
  }
  const std::uint64_t data_end = header_bytes_ + frames_ * frame_bytes_;
  const std::size_t padding =
      (format_.block_bytes - data_end % format_.block_bytes) % format_.block_bytes;
  const std::vector<std::byte> zeros(padding);
  const auto header = format_.header(info_, frames_);
  Status status = header ? Status{} : fail(header.error());
  status = status.and_then([&] { return file_.truncate(data_end); })
               .and_then([&] { return file_.append(zeros); })
               .and_then([&] { return file_.overwrite(0, std::as_bytes(std::span(*header))); })
               .and_then([&] { return file_.publish(true); });
  if (!status) {
    file_.keep();
  }
  return flushed ? status : flushed;
}

}  // namespace tensorpool::inline v0::apps::files
