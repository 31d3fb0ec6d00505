// Hands the slots of a stream to a device in advance: for cameras whose software fills buffers that
// it was given, and says by a callback when it has.
//
//     BufferQueue: slots as buffers, in order        device (a vendor's library, V4L2, DMA)
//     take()       the next slot            ---->    queue(memory)
//                                                    fills it
//     poll()       commits what is there,   <----    complete(id, ...), on any thread
//                  in the order of take()
//
// So a frame goes from the device to all consumers without a copy:
//
//     auto queue = BufferQueue::create(producer, {.info = info, .frame_bytes = bytes});
//     for (;;) {
//       while (auto buffer = queue->take()) {
//         sdk.queue(buffer->memory.data(), buffer->id);
//       }
//       queue->wait(std::chrono::milliseconds(100));
//       queue->poll();
//     }
//     // in the callback of the SDK, on its thread
//     queue->complete(id, {.capture_time_ns = captured_at});
//
// To consumers a slot at the device is a frame in the making: nobody reads it. Frames are committed
// in the order in which their slots were taken (W181). One that comes too late holds the others
// back for `reorder` at most; then its number is given up, consumers see a gap (W182), and its slot
// is left alone until the device has given it back, however often the ring comes round meanwhile.
//
// A device that wants addresses of its own kind (slots begin 64 bytes behind a page) gets other
// memory, and each frame is copied once (`BufferQueueOptions::alignment`, `substitute`). Counters
// say so.
//
// Spec: §1.10.1; docs/adr/0035.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "tensorpool/export.hpp"
#include "tensorpool/producer.hpp"
#include "tensorpool/types/counters.hpp"
#include "tensorpool/types/error.hpp"
#include "tensorpool/types/publish.hpp"
#include "tensorpool/types/tensor_info.hpp"
#include "tensorpool/types/time.hpp"

namespace tensorpool::inline v0 {

namespace detail {
class BufferQueueCore;
}

struct BufferQueueOptions {
  TensorInfo info = {};         ///< of frames that come without one of their own
  std::size_t frame_bytes = 0;  ///< room that the device needs in each buffer
  /// That the device has at a time; at most a quarter of the slots, so that readers keep the rest.
  std::uint32_t buffers = 4;
  /// How long a frame waits for those before it, counted from the poll that found it.
  Nanos reorder = std::chrono::milliseconds(10);
  /// Of which addresses have to be a multiple. Above 64 it takes a copy per frame.
  std::size_t alignment = 1;
  bool may_copy = true;  ///< false: refuse rather than copy
  /// What makes the device's writes visible, where the platform needs that (W155). Called in
  /// `poll`, with the memory that the device had, before the frame is copied or committed.
  CommitHook flush = {};
};

/// A buffer on its way to the device.
struct DeviceBuffer {
  std::uint64_t id = 0;  ///< names it in `complete`; another one each time
  std::span<std::byte> memory = {};
  std::uint32_t target = 0;  ///< which of `BufferQueue::targets` this memory is
};

/// What the device says about a buffer that it has filled.
struct FilledBuffer {
  std::size_t bytes = 0;  ///< of payload; 0: `frame_bytes`
  /// In now_mono, as all times of frames (W426); empty: when `complete` was called.
  std::optional<std::uint64_t> capture_time_ns = {};
  std::optional<TensorInfo> info = {};  ///< where it is not that of the options
  /// Where the bytes are, when not in the buffer: they are copied in `poll`, once, without `flush`.
  std::span<const std::byte> elsewhere = {};
};

/// Thread contract: complete and give_back: any thread, also several at a time, without locks or
/// waiting. Everything else on the producer's thread. Allocates when it is made, and when the first
/// buffer is substituted.
class TENSORPOOL_EXPORT BufferQueue {
 public:
  /// Precondition: the producer publishes by nothing else while the queue lives. Under a driver it
  /// has to be attached. Errors: kInvalidArgument, with the number of buffers that would do;
  /// kNoPoolFits; kMisaligned, where a copy would be needed and is not wanted; kClosed.
  [[nodiscard]] static Result<BufferQueue> create(Producer& producer,
                                                  const BufferQueueOptions& options);
  BufferQueue(BufferQueue&&) noexcept;
  BufferQueue& operator=(BufferQueue&&) noexcept;
  /// Stop the device first. Memory that it still has stays mapped for the life of the process.
  ~BufferQueue();

  /// The next buffer for the device. kTooManyClaims: it has all that it gets for now; otherwise as
  /// Producer::claim. After a lost lease buffers are of the next epoch as soon as there is one.
  [[nodiscard]] tl::expected<DeviceBuffer, PublishStatus> take() noexcept;

  /// The device does not take the address of this buffer, which was just taken: gives aligned
  /// memory in its place, for this buffer and all that follow. Errors: kMisaligned where copies are
  /// not wanted, or it has been done for this buffer; kNotFound: there is no such buffer.
  [[nodiscard]] Result<DeviceBuffer> substitute(std::uint64_t id);

  /// All memory that `take` gives out, by DeviceBuffer::target, for a device that registers its
  /// buffers in advance: the slots of the present epoch, or the substitutes. Another epoch, or the
  /// first substitute, makes others.
  [[nodiscard]] std::vector<std::span<std::byte>> targets() const;
  /// Of the slots; 0 without a lease.
  [[nodiscard]] std::uint64_t epoch() const noexcept;

  /// The device has filled the buffer. False where it does not have it: it was completed before, or
  /// never taken. May be called from a callback of the device.
  bool complete(std::uint64_t id, const FilledBuffer& filled = {}) noexcept;
  /// The device gives the buffer back without a frame: it was dropped, or flushed.
  bool give_back(std::uint64_t id) noexcept;

  /// Commits what is there and whose turn it is, gives up what is late. Returns the number of
  /// frames committed.
  int poll() noexcept;
  /// Sleeps until something was completed or given back since the last poll, until the next frame
  /// is late, or for `timeout`.
  void wait(Nanos timeout) noexcept;

  /// Buffers that the device has, late ones included.
  [[nodiscard]] std::uint32_t at_device() const noexcept;
  /// True when frames are filled in their slots.
  [[nodiscard]] bool in_place() const noexcept;
  [[nodiscard]] const BufferQueueCounters& counters() const noexcept;

 private:
  explicit BufferQueue(std::unique_ptr<detail::BufferQueueCore> core) noexcept;
  std::unique_ptr<detail::BufferQueueCore> core_;
};

}  // namespace tensorpool::inline v0
