// A video device that exists in memory: a driver of V4L2 as far as tensorpool uses one. It fills
// each image with the number of the image.
#pragma once

#include <linux/videodev2.h>
#include <sys/mman.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <deque>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "apps/sources/pixel_format.hpp"
#include "apps/sources/video_calls.hpp"

namespace tensorpool::test {

class FakeVideo final : public apps::sources::VideoCalls {
 public:
  // What kind of device it is.
  std::string path = "/dev/video0";
  std::uint32_t capabilities = V4L2_CAP_VIDEO_CAPTURE | V4L2_CAP_STREAMING;
  std::vector<std::string> formats = {"GREY"};
  std::uint32_t rows = 24;
  std::uint32_t columns = 32;
  std::uint32_t row_padding = 0;
  double hz = 30;
  bool takes_our_memory = true;
  std::uintptr_t alignment = 1;  ///< of our memory
  std::uint32_t buffers_max = 8;
  std::map<unsigned long, int> failing;  ///< errno of a request
  int open_errno = 0;

  // What happens to the images to come, by number.
  std::set<std::uint32_t> dropped;  ///< counted by the device, and nothing more
  std::set<std::uint32_t> faulty;
  std::set<std::uint32_t> cut;

  // What it has been told.
  bool is_open = false;
  bool streaming = false;
  std::uint32_t images = 0;
  std::size_t mappings = 0;

  [[nodiscard]] std::uint32_t image_bytes() const { return row_bytes() * rows; }

  int open(const char* wanted, int /*flags*/) override {
    if (open_errno != 0 || path != wanted) {
      errno = open_errno != 0 ? open_errno : ENOENT;
      return -1;
    }
    is_open = true;
    return 42;
  }
  void close(int /*fd*/) override { is_open = false; }

  int ioctl(int /*fd*/, unsigned long request, void* argument) override {
    if (const auto found = failing.find(request); found != failing.end()) {
      return refuse(found->second);
    }
    switch (request) {
      case VIDIOC_QUERYCAP:
        return query(*static_cast<v4l2_capability*>(argument));
      case VIDIOC_ENUM_FMT:
        return enumerate(*static_cast<v4l2_fmtdesc*>(argument));
      case VIDIOC_G_FMT:
        return describe(*static_cast<v4l2_format*>(argument));
      case VIDIOC_S_FMT:
        return set_format(*static_cast<v4l2_format*>(argument));
      case VIDIOC_G_PARM:
      case VIDIOC_S_PARM:
        return set_rate(request == VIDIOC_S_PARM, *static_cast<v4l2_streamparm*>(argument));
      case VIDIOC_REQBUFS:
        return request_buffers(*static_cast<v4l2_requestbuffers*>(argument));
      case VIDIOC_QUERYBUF:
        return query_buffer(*static_cast<v4l2_buffer*>(argument));
      case VIDIOC_QBUF:
        return queue(*static_cast<v4l2_buffer*>(argument));
      case VIDIOC_DQBUF:
        return dequeue(*static_cast<v4l2_buffer*>(argument));
      case VIDIOC_STREAMON:
        streaming = true;
        return 0;
      case VIDIOC_STREAMOFF:
        streaming = false;
        queued_.clear();
        return 0;
      default:
        return refuse(ENOTTY);
    }
  }

  /// An image is taken in the meantime.
  int poll(int /*fd*/, Nanos /*timeout*/) override {
    if (!streaming || queued_.empty()) {
      return 0;
    }
    while (dropped.count(images) != 0) {
      ++images;
    }
    v4l2_buffer done = queued_.front();
    queued_.pop_front();
    std::byte* const memory = done.memory == V4L2_MEMORY_MMAP
                                  ? own_.at(done.index).data()
                                  : reinterpret_cast<std::byte*>(done.m.userptr);
    std::memset(memory, static_cast<int>(images & 0xFFU), image_bytes());
    done.bytesused = cut.count(images) != 0 ? 10 : image_bytes();
    done.flags = V4L2_BUF_FLAG_TIMESTAMP_MONOTONIC |
                 (faulty.count(images) != 0 ? static_cast<std::uint32_t>(V4L2_BUF_FLAG_ERROR) : 0U);
    done.timestamp.tv_sec = 1 + images;
    done.sequence = images++;
    done_.push_back(done);
    return 1;
  }

  void* mmap(int /*fd*/, std::size_t bytes, std::int64_t offset) override {
    ++mappings;
    std::vector<std::byte>& memory = own_.at(static_cast<std::size_t>(offset) / 4096);
    return memory.size() == bytes ? memory.data() : MAP_FAILED;
  }
  void munmap(void* /*address*/, std::size_t /*bytes*/) override { --mappings; }

 private:
  static int refuse(int why) {
    errno = why;
    return -1;
  }
  [[nodiscard]] std::uint32_t row_bytes() const {
    const auto format = apps::sources::find_pixel_format(formats.at(present_));
    const std::uint32_t pixel =
        format ? static_cast<std::uint32_t>(element_bytes(format->dtype)) * format->channels : 1;
    return columns * pixel + row_padding;
  }
  int query(v4l2_capability& out) const {
    std::memcpy(out.card, "Fake camera", 12);
    out.capabilities = capabilities;
    return 0;
  }
  int enumerate(v4l2_fmtdesc& out) const {
    if (out.index >= formats.size()) {
      return refuse(EINVAL);
    }
    out.pixelformat = apps::sources::fourcc_of(formats[out.index]);
    return 0;
  }
  int describe(v4l2_format& out) const {
    v4l2_pix_format& pixels = out.fmt.pix;
    pixels.width = columns;
    pixels.height = rows;
    pixels.pixelformat = apps::sources::fourcc_of(formats.at(present_));
    pixels.bytesperline = row_bytes();
    pixels.sizeimage = image_bytes();
    return 0;
  }
  int set_format(v4l2_format& wish) {
    for (std::size_t k = 0; k < formats.size(); ++k) {
      present_ = apps::sources::fourcc_of(formats[k]) == wish.fmt.pix.pixelformat ? k : present_;
    }
    rows = std::clamp(wish.fmt.pix.height, 8U, 480U);
    columns = std::clamp(wish.fmt.pix.width, 8U, 640U);
    return describe(wish);
  }
  int set_rate(bool set, v4l2_streamparm& parameters) {
    v4l2_captureparm& capture = parameters.parm.capture;
    if (set) {
      hz = static_cast<double>(capture.timeperframe.denominator) / capture.timeperframe.numerator;
    }
    capture.capability = V4L2_CAP_TIMEPERFRAME;
    capture.timeperframe = {.numerator = 1000,
                            .denominator = static_cast<std::uint32_t>(hz * 1000)};
    return 0;
  }
  int request_buffers(v4l2_requestbuffers& request) {
    if (request.memory == V4L2_MEMORY_USERPTR && !takes_our_memory) {
      return refuse(EINVAL);
    }
    request.count = std::min(request.count, buffers_max);
    own_.clear();
    if (request.memory == V4L2_MEMORY_MMAP) {
      own_.resize(request.count, std::vector<std::byte>(image_bytes()));
    }
    return 0;
  }
  int query_buffer(v4l2_buffer& buffer) const {
    if (buffer.index >= own_.size()) {
      return refuse(EINVAL);
    }
    buffer.m.offset = buffer.index * 4096;
    buffer.length = static_cast<std::uint32_t>(own_[buffer.index].size());
    return 0;
  }
  int queue(const v4l2_buffer& buffer) {
    const bool ours = buffer.memory == V4L2_MEMORY_USERPTR;
    if (ours && (buffer.m.userptr % alignment != 0 || buffer.length < image_bytes())) {
      return refuse(EINVAL);
    }
    queued_.push_back(buffer);
    return 0;
  }
  int dequeue(v4l2_buffer& out) {
    if (done_.empty()) {
      return refuse(EAGAIN);
    }
    out = done_.front();
    done_.pop_front();
    return 0;
  }

  std::size_t present_ = 0;  // format
  std::vector<std::vector<std::byte>> own_;
  std::deque<v4l2_buffer> queued_;
  std::deque<v4l2_buffer> done_;
};

}  // namespace tensorpool::test
