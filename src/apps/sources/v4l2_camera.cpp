#include "apps/sources/v4l2_camera.hpp"

#include <fcntl.h>
#include <linux/videodev2.h>
#include <sys/mman.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "apps/files/format.hpp"

namespace tensorpool::inline v0::apps::sources {
namespace {

constexpr std::uint32_t kCapture = V4L2_BUF_TYPE_VIDEO_CAPTURE;

[[nodiscard]] std::uint64_t timestamp_of(const v4l2_buffer& done) noexcept {
  return static_cast<std::uint64_t>(done.timestamp.tv_sec) * 1'000'000'000U +
         static_cast<std::uint64_t>(done.timestamp.tv_usec) * 1000U;
}

[[nodiscard]] v4l2_buffer buffer_of(std::uint32_t index, bool mapped) noexcept {
  v4l2_buffer buffer{};
  buffer.index = index;
  buffer.type = kCapture;
  buffer.memory = mapped ? V4L2_MEMORY_MMAP : V4L2_MEMORY_USERPTR;
  return buffer;
}

}  // namespace

Result<std::unique_ptr<V4l2Camera>> V4l2Camera::open(VideoCalls& calls, const CameraWish& wish) {
  std::unique_ptr<V4l2Camera> camera(new V4l2Camera(calls, wish.device));
  Status status = camera->open_device();
  if (status) {
    status = camera->check_capabilities();
  }
  if (status) {
    status = camera->choose_format(wish);
  }
  if (!status) {
    return fail(status.error());
  }
  camera->choose_rate(wish.hz);
  return camera;
}

V4l2Camera::~V4l2Camera() {
  if (fd_ < 0) {
    return;
  }
  if (streaming_) {
    int type = kCapture;
    static_cast<void>(calls_.ioctl(fd_, VIDIOC_STREAMOFF, &type));
  }
  unmap_buffers();
  calls_.close(fd_);
}

Status V4l2Camera::open_device() {
  fd_ = calls_.open(device_.c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC);
  if (fd_ >= 0) {
    return {};
  }
  switch (errno) {
    case ENOENT:
    case ENODEV:
    case ENXIO:
      return fail(error(Errc::kNotFound, "no such device; see `ls /dev/video*`"));
    case EACCES:
    case EPERM:
      return fail(os_error("not allowed; cameras are for the group `video`"));
    case EBUSY:
      return fail(error(Errc::kAlreadyExists, "somebody else uses it"));
    default:
      return fail(os_error("open"));
  }
}

Status V4l2Camera::check_capabilities() {
  v4l2_capability found{};
  if (calls_.ioctl(fd_, VIDIOC_QUERYCAP, &found) < 0) {
    return fail(error(Errc::kInvalidArgument, "not a video device"));
  }
  const std::uint32_t able =
      (found.capabilities & V4L2_CAP_DEVICE_CAPS) != 0 ? found.device_caps : found.capabilities;
  if ((able & V4L2_CAP_VIDEO_CAPTURE) == 0) {
    return fail(error(Errc::kInvalidArgument, (able & V4L2_CAP_VIDEO_CAPTURE_MPLANE) != 0
                                                  ? "has its images in several planes"
                                                  : "not a capture device"));
  }
  if ((able & V4L2_CAP_STREAMING) == 0) {
    return fail(error(Errc::kInvalidArgument, "cannot fill buffers"));
  }
  const auto* const card = reinterpret_cast<const char*>(found.card);
  card_.assign(card, ::strnlen(card, sizeof(found.card)));
  return {};
}

/// The format that is wished for, else the present one, else the first that is known here.
Status V4l2Camera::choose_format(const CameraWish& wish) {
  std::vector<std::string> has;
  v4l2_fmtdesc listed{};
  listed.type = kCapture;
  while (calls_.ioctl(fd_, VIDIOC_ENUM_FMT, &listed) == 0) {
    has.push_back(fourcc_name(listed.pixelformat));
    ++listed.index;
  }
  v4l2_format chosen{};
  chosen.type = kCapture;
  if (calls_.ioctl(fd_, VIDIOC_G_FMT, &chosen) < 0) {
    return fail(os_error("VIDIOC_G_FMT"));
  }
  const std::string present = fourcc_name(chosen.fmt.pix.pixelformat);
  std::string name = wish.format.empty() ? present : wish.format;
  if (wish.format.empty() && !find_pixel_format(name)) {
    const auto known = std::find_if(has.begin(), has.end(), [](const std::string& one) {
      return find_pixel_format(one).has_value();
    });
    name = known != has.end() ? *known : name;
  }
  std::string list;
  for (const std::string& one : has) {
    list += (list.empty() ? "" : " ") + one;
  }
  const std::optional<PixelFormat> known = find_pixel_format(name);
  if (!known || (name != present && std::find(has.begin(), has.end(), name) == has.end())) {
    return fail(error(Errc::kInvalidArgument, "format " + name + "; it has " + list));
  }
  chosen.fmt.pix.pixelformat = fourcc_of(name);
  chosen.fmt.pix.field = V4L2_FIELD_NONE;
  chosen.fmt.pix.bytesperline = 0;
  if (wish.rows != 0) {
    chosen.fmt.pix.height = wish.rows;
    chosen.fmt.pix.width = wish.columns;
  }
  if (calls_.ioctl(fd_, VIDIOC_S_FMT, &chosen) < 0) {
    return fail(errno == EBUSY ? error(Errc::kAlreadyExists, "somebody else uses it")
                               : os_error("VIDIOC_S_FMT"));
  }
  const v4l2_pix_format& set = chosen.fmt.pix;
  if (set.pixelformat != fourcc_of(name)) {
    return fail(error(Errc::kInvalidArgument, "format " + name + "; it has " + list));
  }
  format_ = *known;
  buffer_bytes_ = set.sizeimage;
  if (format_.colour == Colour::kCompressed) {
    info_ = TensorInfo::packed(format_.dtype, {static_cast<std::int32_t>(set.sizeimage)});
    return set.sizeimage > 0 && set.sizeimage <= INT32_MAX
               ? Status{}
               : Status(fail(error(Errc::kInvalidArgument, "no size of images")));
  }
  const Result<TensorInfo> info = image_info(format_, set.height, set.width, set.bytesperline);
  if (!info) {
    return fail(info.error());
  }
  info_ = *info;
  const std::size_t packed_row = element_bytes(format_.dtype) * format_.channels * set.width;
  frame_bytes_ =
      std::max<std::size_t>(set.bytesperline, packed_row) * (set.height - 1) + packed_row;
  buffer_bytes_ = std::max(buffer_bytes_, frame_bytes_);
  return {};
}

/// Cameras without rates are as they are.
void V4l2Camera::choose_rate(double hz) noexcept {
  v4l2_streamparm parameters{};
  parameters.type = kCapture;
  v4l2_fract& interval = parameters.parm.capture.timeperframe;
  if (calls_.ioctl(fd_, VIDIOC_G_PARM, &parameters) < 0) {
    return;
  }
  if (hz > 0 && (parameters.parm.capture.capability & V4L2_CAP_TIMEPERFRAME) != 0) {
    const v4l2_fract present = interval;
    interval = {.numerator = 1000, .denominator = static_cast<std::uint32_t>(hz * 1000)};
    if (calls_.ioctl(fd_, VIDIOC_S_PARM, &parameters) < 0) {
      interval = present;
    }
  }
  if (interval.numerator > 0) {
    hz_ = static_cast<double>(interval.denominator) / interval.numerator;
  }
}

// -- Buffers -------------------------------------------------------------------------------------

Result<std::uint32_t> V4l2Camera::request_buffers(std::uint32_t count, std::uint32_t memory) {
  v4l2_requestbuffers request{};
  request.count = count;
  request.type = kCapture;
  request.memory = memory;
  if (calls_.ioctl(fd_, VIDIOC_REQBUFS, &request) < 0) {
    return fail(errno == EBUSY ? error(Errc::kAlreadyExists, "somebody else uses it")
                               : os_error("VIDIOC_REQBUFS"));
  }
  return request.count;
}

/// Asks for buffers that lie in our memory; a driver without such is asked for its own.
Status V4l2Camera::begin(std::uint32_t buffers) {
  const Result<std::uint32_t> ours = request_buffers(buffers, V4L2_MEMORY_USERPTR);
  if (!ours && ours.error().os_errno != EINVAL) {
    return fail(ours.error());
  }
  if (!ours || *ours == 0) {
    return map_buffers(buffers);
  }
  ids_.assign(*ours, std::nullopt);
  return {};
}

Status V4l2Camera::map_buffers(std::uint32_t count) {
  static_cast<void>(request_buffers(0, V4L2_MEMORY_USERPTR));
  const Result<std::uint32_t> theirs = request_buffers(count, V4L2_MEMORY_MMAP);
  if (!theirs) {
    return fail(theirs.error());
  }
  for (std::uint32_t index = 0; index < *theirs; ++index) {
    v4l2_buffer buffer = buffer_of(index, true);
    if (calls_.ioctl(fd_, VIDIOC_QUERYBUF, &buffer) < 0) {
      return fail(os_error("VIDIOC_QUERYBUF"));
    }
    void* const address = calls_.mmap(fd_, buffer.length, buffer.m.offset);
    if (address == MAP_FAILED) {
      return fail(os_error("mmap"));
    }
    mapped_.emplace_back(static_cast<std::byte*>(address), buffer.length);
  }
  ids_.assign(mapped_.size(), std::nullopt);
  return mapped_.empty() ? Status(fail(error(Errc::kLimitReached, "gives no buffers"))) : Status{};
}

void V4l2Camera::unmap_buffers() noexcept {
  for (const std::span<std::byte> memory : mapped_) {
    calls_.munmap(memory.data(), memory.size());
  }
  mapped_.clear();
}

/// Precondition: the device has room for it.
Status V4l2Camera::hand_over(const DeviceBuffer& buffer) {
  for (;;) {
    const auto room = std::find(ids_.begin(), ids_.end(), std::nullopt);
    const bool mapped = !mapped_.empty();
    v4l2_buffer queued = buffer_of(static_cast<std::uint32_t>(room - ids_.begin()), mapped);
    if (!mapped) {
      queued.m.userptr = reinterpret_cast<unsigned long>(buffer.memory.data());
      queued.length = static_cast<std::uint32_t>(buffer.memory.size());
    }
    if (calls_.ioctl(fd_, VIDIOC_QBUF, &queued) == 0) {
      *room = buffer.id;
      return {};
    }
    const bool first = std::all_of(ids_.begin(), ids_.end(), [](const auto& id) { return !id; });
    if (mapped || streaming_ || !first) {
      return fail(os_error("VIDIOC_QBUF"));
    }
    if (Status made = map_buffers(static_cast<std::uint32_t>(ids_.size())); !made) {
      return made;  // it does not take the address, and has no memory of its own
    }
  }
}

/// False when there was none.
Result<bool> V4l2Camera::take_back(BufferQueue& queue) {
  v4l2_buffer done = buffer_of(0, !mapped_.empty());
  if (calls_.ioctl(fd_, VIDIOC_DQBUF, &done) < 0) {
    if (errno == EAGAIN || errno == EIO) {  // nothing, or nothing for now: the signal is weak
      return false;
    }
    return fail(errno == ENODEV ? error(Errc::kClosed, "the device is gone")
                                : os_error("VIDIOC_DQBUF"));
  }
  if (done.index >= ids_.size() || !ids_[done.index]) {
    return fail(error(Errc::kOsFailure, "gives back what it does not have"));
  }
  complete(queue, done);
  return true;
}

void V4l2Camera::complete(BufferQueue& queue, const v4l2_buffer& done) {
  const std::uint64_t id = *std::exchange(ids_[done.index], std::nullopt);
  const std::uint32_t step = done.sequence - sequence_.value_or(done.sequence - 1);
  if (step > 1 && step < 1U << 31U) {  // some do not count
    counters_.missed += step - 1;
  }
  sequence_ = done.sequence;
  const std::size_t room = mapped_.empty() ? buffer_bytes_ : mapped_[done.index].size();
  if ((done.flags & V4L2_BUF_FLAG_ERROR) != 0 || done.bytesused == 0 ||
      done.bytesused < frame_bytes_ || done.bytesused > room) {
    ++counters_.broken;
    queue.give_back(id);
    return;
  }
  counters_.bytes += done.bytesused;
  FilledBuffer filled{.bytes = done.bytesused};
  if ((done.flags & V4L2_BUF_FLAG_TIMESTAMP_MASK) == V4L2_BUF_FLAG_TIMESTAMP_MONOTONIC) {
    filled.capture_time_ns = timestamp_of(done);
  }
  if (format_.colour == Colour::kCompressed) {
    filled.info = TensorInfo::packed(format_.dtype, {static_cast<std::int32_t>(done.bytesused)});
  }
  if (!mapped_.empty()) {
    filled.elsewhere = mapped_[done.index].first(done.bytesused);
  }
  queue.complete(id, filled);
}

// -- Frames --------------------------------------------------------------------------------------

Result<Fed> V4l2Camera::feed(BufferQueue& queue, Nanos timeout) {
  constexpr std::uint32_t kBuffersAsked = 16;
  if (!std::exchange(begun_, true)) {
    if (Status ready = begin(kBuffersAsked); !ready) {
      return fail(ready.error());
    }
  }
  Fed fed;
  while (std::find(ids_.begin(), ids_.end(), std::nullopt) != ids_.end()) {
    const auto buffer = queue.take();
    if (!buffer) {
      fed.starved = buffer.error();
      break;
    }
    if (Status handed = hand_over(*buffer); !handed) {
      queue.give_back(buffer->id);
      return fail(handed.error());
    }
  }
  if (std::all_of(ids_.begin(), ids_.end(), [](const auto& id) { return !id; })) {
    return fed;
  }
  fed.starved.reset();
  if (!streaming_) {
    int type = kCapture;
    if (calls_.ioctl(fd_, VIDIOC_STREAMON, &type) < 0) {
      return fail(errno == EBUSY ? error(Errc::kAlreadyExists, "somebody else uses it")
                                 : os_error("VIDIOC_STREAMON"));
    }
    streaming_ = true;
  }
  const int ready = calls_.poll(fd_, timeout);
  if (ready < 0 && errno != EINTR) {
    return fail(os_error("poll"));
  }
  for (bool more = ready > 0; more;) {
    const Result<bool> one = take_back(queue);
    if (!one) {
      return fail(one.error());
    }
    more = *one;
  }
  fed.frames = queue.poll();
  return fed;
}

void V4l2Camera::stop(BufferQueue& queue) noexcept {
  if (streaming_) {
    int type = kCapture;
    static_cast<void>(calls_.ioctl(fd_, VIDIOC_STREAMOFF, &type));  // it has none from here on
    streaming_ = false;
  }
  for (auto& id : ids_) {
    if (id) {
      queue.give_back(*std::exchange(id, std::nullopt));
    }
  }
  queue.poll();
}

Error V4l2Camera::error(Errc code, std::string_view what) const {
  return files::file_error(code, device_, what);
}

Error V4l2Camera::os_error(std::string_view what) const {
  const int os_errno = errno;
  Error made = error(Errc::kOsFailure, what);
  made.os_errno = os_errno;
  return made;
}

}  // namespace tensorpool::inline v0::apps::sources
