#include "apps/files/raw.hpp"

#include <poll.h>
#include <unistd.h>

#include <cerrno>

#include "apps/files/array_source.hpp"
#include "apps/files/output.hpp"

namespace tensorpool::inline v0::apps::files {
namespace {

constexpr int kStopCheckMs = 100;

[[nodiscard]] Status require_bytes(const FrameFormat& frame, std::string_view name) {
  return frame.bytes > 0 ? Status{}
                         : fail(file_error(Errc::kInvalidArgument, name, "frames without bytes"));
}

}  // namespace

Result<std::unique_ptr<FrameSource>> read_raw(FileBytes bytes, const FrameFormat& frame,
                                              std::string_view name) {
  if (const Status checked = require_bytes(frame, name); !checked) {
    return fail(checked.error());
  }
  const std::size_t size = bytes.view().size();
  if (size == 0 || size % frame.bytes != 0) {
    return fail(file_error(Errc::kTruncatedInput, name, "bytes of the last frame",
                           size % frame.bytes, frame.bytes));
  }
  return ArraySource::create(
      {.stack = {.frame = frame, .frames = size / frame.bytes}, .name = name}, std::move(bytes));
}

Result<std::unique_ptr<FrameSource>> StreamSource::create(Options options) {
  if (const Status checked = require_bytes(options.frame, options.name); !checked) {
    return fail(checked.error());
  }
  return std::unique_ptr<FrameSource>(new StreamSource(std::move(options)));
}

StreamSource::StreamSource(Options options)
    : FrameSource(options.frame), options_(std::move(options)), frame_(frame_bytes()) {}

bool StreamSource::wait_readable() const {
  pollfd descriptor{.fd = options_.fd, .events = POLLIN, .revents = 0};
  const std::atomic<bool>* stop = options_.stop;
  while (stop == nullptr || !stop->load(std::memory_order_relaxed)) {
    if (::poll(&descriptor, 1, stop == nullptr ? -1 : kStopCheckMs) > 0) {
      return true;
    }
  }
  return false;
}

Result<std::optional<FrameBytes>> StreamSource::next() {
  std::size_t found = 0;
  while (found < frame_.size()) {
    if (!wait_readable()) {
      return std::nullopt;
    }
    const ssize_t count = ::read(options_.fd, frame_.data() + found, frame_.size() - found);
    if (count > 0) {
      found += static_cast<std::size_t>(count);
    } else if (count == 0 && found == 0) {
      return std::nullopt;
    } else if (count == 0) {
      const std::string what = "bytes of frame " + std::to_string(delivered_);
      return fail(file_error(Errc::kTruncatedInput, options_.name, what, found, frame_.size()));
    } else if (errno != EINTR && errno != EAGAIN) {
      return fail(file_os_error(options_.name, "cannot read", errno));
    }
  }
  ++delivered_;
  return FrameBytes(frame_);
}

Status StreamSource::rewind() {
  return fail(file_error(Errc::kInvalidArgument, options_.name, "a stream cannot be repeated"));
}

Status StreamSink::write(const TensorInfo& info, FrameBytes bytes, std::uint64_t /*sequence*/) {
  const auto packed = packer_.pack_alike(info, bytes);
  return packed ? write_all(options_.fd, packed->bytes, options_.name, nullptr, options_.stop)
                : fail(packed.error());
}

}  // namespace tensorpool::inline v0::apps::files
