// A camera of Video4Linux2 that fills the slots of a stream.
//
//     queue.take()  -> VIDIOC_QBUF    the slot itself (USERPTR): no copy on the way to consumers
//     poll, VIDIOC_DQBUF  -> queue.complete
//
// Where the driver does not take such addresses it keeps its frames in memory of its own (MMAP),
// and each is copied once into its slot. Which it is shows with the first buffer.
//
// Frames are in the order of the device, so the queue is to be made with a reorder of 0: then what
// was completed is committed, and copied where it has to be, before its buffer goes back.
//
// Thread contract: that of the BufferQueue's owner.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "apps/sources/pixel_format.hpp"
#include "apps/sources/video_calls.hpp"
#include "tensorpool/buffer_queue.hpp"
#include "tensorpool/types/error.hpp"
#include "tensorpool/types/tensor_info.hpp"
#include "tensorpool/types/time.hpp"

struct v4l2_buffer;

namespace tensorpool::inline v0::apps::sources {

/// What is asked of a camera; it gives what comes nearest, but no other pixel format.
struct CameraWish {
  std::string device;       ///< `/dev/video0`
  std::string format = {};  ///< as `PixelFormat::name`; "": the present one, or any that will do
  std::uint32_t rows = 0;   ///< 0: as it is set
  std::uint32_t columns = 0;
  double hz = 0;  ///< 0: as it is set
};

/// Besides those of the queue.
struct CameraCounters {
  std::uint64_t missed = 0;  ///< images that the device itself has dropped, by its count
  std::uint64_t broken =
      0;                    ///< of the queue's given_back: marked as faulty by the device, or short
  std::uint64_t bytes = 0;  ///< of the images that are in frames
};

/// What one turn came to.
struct Fed {
  int frames = 0;  ///< committed
  /// Why the device got no buffer, where it has none at all.
  std::optional<PublishStatus> starved = {};
};

class V4l2Camera {
 public:
  /// Errors: kNotFound; kInvalidArgument, for what is no camera, and for a format that it does not
  /// have, with those it has; kAlreadyExists, where somebody else uses it; kOsFailure.
  [[nodiscard]] static Result<std::unique_ptr<V4l2Camera>> open(VideoCalls& calls,
                                                                const CameraWish& wish);
  V4l2Camera(const V4l2Camera&) = delete;
  V4l2Camera& operator=(const V4l2Camera&) = delete;
  /// Stops the camera. Precondition: a queue that was fed is gone, or stop was called.
  ~V4l2Camera();

  [[nodiscard]] const PixelFormat& format() const noexcept { return format_; }
  /// Of compressed frames: the longest.
  [[nodiscard]] const TensorInfo& info() const noexcept { return info_; }
  /// Room that it wants in each buffer.
  [[nodiscard]] std::size_t buffer_bytes() const noexcept { return buffer_bytes_; }
  [[nodiscard]] double hz() const noexcept { return hz_; }  ///< 0: it does not say
  [[nodiscard]] const std::string& card() const noexcept { return card_; }

  /// Gives the device all buffers that it may have, waits for frames for `timeout` at most, and
  /// commits them. The first call starts the camera. After an error it is to be stopped.
  [[nodiscard]] Result<Fed> feed(BufferQueue& queue, Nanos timeout);
  /// Stops the camera; what it has is given back.
  void stop(BufferQueue& queue) noexcept;

  /// True where frames are filled in their slots; to be asked after the first call of feed.
  [[nodiscard]] bool in_place() const noexcept { return mapped_.empty(); }
  [[nodiscard]] const CameraCounters& counters() const noexcept { return counters_; }

 private:
  V4l2Camera(VideoCalls& calls, std::string device) noexcept
      : calls_(calls), device_(std::move(device)) {}

  [[nodiscard]] Status open_device();
  [[nodiscard]] Status check_capabilities();
  [[nodiscard]] Status choose_format(const CameraWish& wish);
  void choose_rate(double hz) noexcept;
  [[nodiscard]] Status begin(std::uint32_t buffers);
  [[nodiscard]] Result<std::uint32_t> request_buffers(std::uint32_t count, std::uint32_t memory);
  [[nodiscard]] Status map_buffers(std::uint32_t count);
  void unmap_buffers() noexcept;
  [[nodiscard]] Status hand_over(const DeviceBuffer& buffer);
  [[nodiscard]] Result<bool> take_back(BufferQueue& queue);
  void complete(BufferQueue& queue, const v4l2_buffer& done);
  [[nodiscard]] Error error(Errc code, std::string_view what) const;
  [[nodiscard]] Error os_error(std::string_view what) const;

  VideoCalls& calls_;
  std::string device_;
  int fd_ = -1;
  PixelFormat format_;
  TensorInfo info_;
  std::size_t buffer_bytes_ = 0;
  std::size_t frame_bytes_ = 0;  // that a frame has at least; 0 where it is compressed
  double hz_ = 0;
  std::string card_;

  bool begun_ = false;
  bool streaming_ = false;
  std::vector<std::span<std::byte>> mapped_;       // the device's memory; empty: it takes ours
  std::vector<std::optional<std::uint64_t>> ids_;  // of the queue, by number of the device
  std::optional<std::uint32_t> sequence_;          // of the frame before
  CameraCounters counters_;
};

}  // namespace tensorpool::inline v0::apps::sources
