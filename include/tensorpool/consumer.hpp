// Reading frames. Spec: §1.11..1.14; design §4.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>

#include "tensorpool/export.hpp"
#include "tensorpool/frame.hpp"
#include "tensorpool/progress.hpp"
#include "tensorpool/types/counters.hpp"
#include "tensorpool/types/error.hpp"
#include "tensorpool/types/fallback.hpp"
#include "tensorpool/types/lease.hpp"
#include "tensorpool/types/mapping.hpp"
#include "tensorpool/types/metadata.hpp"
#include "tensorpool/types/progress.hpp"
#include "tensorpool/types/time.hpp"
#include "tensorpool/types/wait.hpp"

namespace tensorpool::inline v0 {

namespace detail {
class ConsumerCore;
}

/// How a consumer learns of frames.
enum class FollowMode : std::uint8_t {
  kDescriptors,  ///< by FrameDescriptor on Aeron; gaps may be read from the ring
  kDirect,  ///< by the header ring itself: no Aeron on the data path, no trace id, no descriptor
            ///< time
};

/// Which frames a consumer wants. Spec: §1.16.
enum class DeliveryMode : std::uint8_t {
  kStream,       ///< all of them
  kRateLimited,  ///< at most `max_rate_hz` of them a second
};

/// An Aeron stream for one consumer alone, which the producer opens for it (§1.15). Without one, or
/// where it is declined, the consumer is served on the stream that all share.
struct OwnStreamOptions {
  bool wanted = false;
  std::string channel = "aeron:ipc?term-length=256k";
  std::int32_t stream_id = 0;  ///< a preference; 0: 31000 (control: 32000) + consumer id mod 1000
};

/// Something happened to a consumer outside the data path.
struct ConsumerEvent {
  enum class Kind : std::uint8_t {
    kStreamFound,    ///< the name was resolved; `stream_id` is set
    kMapped,         ///< frames of `epoch` can arrive from now on
    kDiscontinuity,  ///< the mapping of `epoch` ended after `last_seq`, for `reason`; what was lost
                     ///< around it cannot be counted
    kFallback,  ///< frames do not come from shared memory: `fallback` says why and where they are
                ///< to be had (W248); kMapped ends it
    kError,     ///< `error`; repeated once its cause changes (W442)
    kBusLost,   ///< the media driver is gone; direct readers go on untouched
    kBusBack,
    // Under a driver (§2.20, D311).
    kAttached,      ///< a lease was granted, in `epoch`
    kAttachFailed,  ///< not granted: `error`, with the driver's words
    kLeaseLost,     ///< for `loss`; `text` is what the driver said about it
    kDetached,      ///< the lease was given back
  };
  Kind kind = Kind::kError;
  std::uint32_t stream_id = 0;
  std::uint64_t epoch = 0;
  std::uint64_t last_seq = 0;
  bool any_frame = false;  ///< whether `last_seq` means anything
  UnmapReason reason = UnmapReason::kNone;
  LeaseLoss loss = LeaseLoss::kRevoked;
  bool tries_again = false;  ///< to attach, by itself, after a pause
  Error error = {};
  std::string text = {};  ///< of kFallback the URI, empty where nothing is offered
  std::optional<Fallback> fallback = {};
};

struct ConsumerOptions {
  std::uint32_t stream_id = 0;  ///< 0: look `name` up
  std::string name = {};
  /// 0: a random one (W284); under a driver another one for each lease that needs it (D82).
  std::uint32_t consumer_id = 0;
  FollowMode mode = FollowMode::kDescriptors;
  /// Read numbers that no descriptor announced from the ring, and look at the ring when descriptors
  /// stay away.
  bool recover_gaps = true;
  Nanos probe_after =
      std::chrono::milliseconds(1);  ///< silence of descriptors before the ring is looked at
  std::uint64_t max_outstanding_seq_gap = 256;  ///< 0 = never resync (W266)
  WaitStrategy wait = {};                       ///< of Consumer::wait
  bool use_shm = true;
  bool remap_same_epoch_on_pid_change = false;  ///< W239

  /// Rate-limited: the producer thins the stream where `own_descriptors` are wanted and granted,
  /// else frames are dropped here (`rate_skips`, `drops_rate_limited`).
  DeliveryMode delivery = DeliveryMode::kStream;
  std::uint32_t max_rate_hz = 0;  ///< of kRateLimited, at most 65535; 0: no limit
  OwnStreamOptions own_descriptors = {};

  ProgressOptions progress = {};      ///< of frames that are being filled
  OwnStreamOptions own_control = {};  ///< for progress, where that is wanted

  std::string descriptor_channel = "aeron:ipc?term-length=4m";
  std::int32_t descriptor_stream_id = 1100;  ///< 0: by the number of the stream, as `tp` does
  Nanos announce_period = std::chrono::milliseconds(1000);
  Nanos hello_interval = std::chrono::milliseconds(1000);
  Nanos qos_interval = std::chrono::milliseconds(1000);
  Nanos freshness_window = {};  ///< greatest age of announces and activity; 0: 3 announce periods
  Nanos liveness_timeout = {};  ///< silence that ends a mapping; 0: 5 announce periods

  // Under a driver.
  bool create_stream = true;  ///< have the stream made where there is none (EXISTING_OR_CREATE)
  bool reattach = true;       ///< ask for another lease when one is lost

  MetadataLimits metadata = {};  ///< beyond which metadata are discarded

  /// Called on the thread that does the control work. May be empty. Must not call back into the
  /// library.
  std::function<void(const ConsumerEvent&)> on_event = {};
  /// As on_event, for each set that is not the one before.
  std::function<void(const MetadataSet&)> on_metadata = {};
  /// As on_event, for each blob that has arrived whole. Without it blobs take no memory.
  std::function<void(MetadataBlob)> on_blob = {};
};

/// What one poll came to.
struct PollResult {
  int frames = 0;  ///< handed out, the overwritten ones included
  int changed_after_use =
      0;  ///< of these: overwritten while they were in use; their results do not count (W172)
};

/// Reads the frames of one stream.
///
/// Thread contract: one thread at a time for poll, poll_progress, next, latest, counters. The
/// control work (announces, mapping) is done by the client.
class TENSORPOOL_EXPORT Consumer {
 public:
  Consumer(Consumer&&) noexcept;
  Consumer& operator=(Consumer&&) noexcept;
  ~Consumer();

  /// Calls `on_frame(const FrameView&)` for each frame that has arrived, oldest first, and checks
  /// after each call that the frame was not overwritten meanwhile; `on_changed(std::uint64_t seq)`
  /// is told of those that were. `limit` bounds the descriptors taken (in direct mode the frames);
  /// filling one gap from the ring may add up to nslots - 1 frames.
  template <class OnFrame, class OnChanged>
  PollResult poll(OnFrame&& on_frame, OnChanged&& on_changed, int limit = 64) {
    using Frames = std::remove_reference_t<OnFrame>;
    using Changes = std::remove_reference_t<OnChanged>;
    return poll_raw(
        {.on_frame = [](void* f, const FrameView& view) { (*static_cast<Frames*>(f))(view); },
         .on_changed = [](void* c, std::uint64_t seq) { (*static_cast<Changes*>(c))(seq); },
         .frame_context = const_cast<void*>(static_cast<const void*>(std::addressof(on_frame))),
         .changed_context =
             const_cast<void*>(static_cast<const void*>(std::addressof(on_changed)))},
        limit);
  }
  template <class OnFrame>
  PollResult poll(OnFrame&& on_frame, int limit = 64) {
    return poll(
        std::forward<OnFrame>(on_frame), [](std::uint64_t) {}, limit);
  }

  /// The next frame, or nothing. The view is valid until the next call that polls; the check after
  /// use is yours, by `still_valid()`, and is made by the library at the next poll for its
  /// counters.
  [[nodiscard]] std::optional<FrameView> next() noexcept;

  /// The newest frame that was not handed out yet, or nothing; older ones are passed over
  /// (`skipped_by_reader`).
  [[nodiscard]] std::optional<FrameView> latest() noexcept;

  /// Calls `on_prefix(const PrefixView&)` for each report of progress that has arrived, oldest
  /// first, and checks after each call that what could be read was not overwritten meanwhile;
  /// `on_changed(std::uint64_t seq)` is told where it was. Reports may be lost, and say nothing of
  /// frames that are given up: what counts are the frames of the other polls (W273). For
  /// ConsumerOptions::progress; else there are none. Counts as a poll for views that were lent.
  template <class OnPrefix, class OnChanged>
  ProgressResult poll_progress(OnPrefix&& on_prefix, OnChanged&& on_changed, int limit = 64) {
    using Prefixes = std::remove_reference_t<OnPrefix>;
    using Changes = std::remove_reference_t<OnChanged>;
    return poll_progress_raw(
        {.on_prefix = [](void* f, const PrefixView& view) { (*static_cast<Prefixes*>(f))(view); },
         .on_changed = [](void* c, std::uint64_t seq) { (*static_cast<Changes*>(c))(seq); },
         .prefix_context = const_cast<void*>(static_cast<const void*>(std::addressof(on_prefix))),
         .changed_context =
             const_cast<void*>(static_cast<const void*>(std::addressof(on_changed)))},
        limit);
  }
  template <class OnPrefix>
  ProgressResult poll_progress(OnPrefix&& on_prefix, int limit = 64) {
    return poll_progress(
        std::forward<OnPrefix>(on_prefix), [](std::uint64_t) {}, limit);
  }

  /// Waits until there is something to poll, by `ConsumerOptions::wait`, at most for `timeout`.
  /// Returns whether there is; now and then it is no frame of this stream. Counts as a poll for
  /// views that were lent. The control work is done elsewhere meanwhile: with Threading::kInvoked
  /// wait no longer than do_work may be late.
  [[nodiscard]] bool wait(Nanos timeout) noexcept;
  /// True when the producer of the present epoch wakes whoever sleeps, as the last wait found it.
  [[nodiscard]] bool can_park() const noexcept;

  /// A descriptor for poll, epoll and event loops, readable while there may be frames: then poll
  /// until there are none, which makes it quiet again. It is the consumer's: do not read, write or
  /// close it. The first call starts a thread, which waits in your stead: readable at the latest
  /// 100 ms after the last poll that found nothing, frame or not. Errors: kLimitReached,
  /// kOsFailure, kForked.
  [[nodiscard]] Result<int> event_descriptor();

  /// The newest metadata of the stream, which may be newer than the frames at hand
  /// (`FrameView::meta`); null before any has arrived. Takes a lock. Any thread.
  [[nodiscard]] std::shared_ptr<const MetadataSet> metadata() const;

  /// Another rate, from the next frames on. Any thread. kInvalidArgument above 65535.
  [[nodiscard]] Status set_delivery(DeliveryMode mode, std::uint32_t max_rate_hz);
  /// True while descriptors come on a stream of this consumer's own.
  [[nodiscard]] bool has_own_descriptors() const noexcept;
  /// Likewise for progress.
  [[nodiscard]] bool has_own_control() const noexcept;

  [[nodiscard]] MappingState state() const noexcept;
  /// Why frames do not come from shared memory, and where they are to be had, while state() is
  /// kFallback. Takes a lock. Any thread.
  [[nodiscard]] std::optional<Fallback> fallback() const;
  /// The mapped epoch, or 0.
  [[nodiscard]] std::uint64_t epoch() const noexcept;
  /// The stream's number; 0 while its name is being looked up.
  [[nodiscard]] std::uint32_t stream_id() const noexcept;
  /// The highest sequence that was accounted for, 0 before the first.
  [[nodiscard]] std::uint64_t last_seq() const noexcept;
  [[nodiscard]] ConsumerCounters counters() const noexcept;
  /// About leases, on any thread; zero without a driver.
  [[nodiscard]] AttachCounters attach_counters() const noexcept;

 private:
  friend class Client;
  struct Sinks {
    void (*on_frame)(void*, const FrameView&);
    void (*on_changed)(void*, std::uint64_t);
    void* frame_context;
    void* changed_context;
  };
  PollResult poll_raw(const Sinks& sinks, int limit);
  struct ProgressSinks {
    void (*on_prefix)(void*, const PrefixView&);
    void (*on_changed)(void*, std::uint64_t);
    void* prefix_context;
    void* changed_context;
  };
  ProgressResult poll_progress_raw(const ProgressSinks& sinks, int limit);

  explicit Consumer(std::unique_ptr<detail::ConsumerCore> core) noexcept;
  std::unique_ptr<detail::ConsumerCore> core_;
};

}  // namespace tensorpool::inline v0
