// One run of `tp pub`, from the open source to the summary.
//
// A stream that ends (a file without --loop, standard input) begins when its first subscriber is
// there, and stays for a moment after its last frame: so two commands that are typed one after the
// other lose nothing. A camera runs whether anybody looks or not, and so does a simulated one.
//
// Thread contract: one thread; `tell` is called on the client's, `show_progress` on the ticker's.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "apps/console.hpp"
#include "apps/files/frame_source.hpp"
#include "apps/options.hpp"
#include "apps/sources/v4l2_camera.hpp"
#include "apps/stream_lookup.hpp"
#include "apps/ticker.hpp"
#include "apps/verbs.hpp"
#include "apps/verbs/pub/metadata_desk.hpp"
#include "apps/verbs/pub/options.hpp"
#include "os/clock.hpp"
#include "tensorpool/buffer_queue.hpp"
#include "tensorpool/client.hpp"

namespace tensorpool::inline v0::apps::pub {

class Publishing {
 public:
  /// Of `source` or of `camera`, whichever is not null. Everything outlives the object.
  Publishing(const Options& options, files::FrameSource* source, sources::V4l2Camera* camera,
             const std::atomic<bool>& stop, Console& console)
      : options_(options), source_(source), camera_(camera), stop_(stop), console_(console) {}

  [[nodiscard]] ExitCode run();

 private:
  /// What the live line shows.
  struct Progress {
    std::uint64_t frames = 0;
    std::uint64_t bytes = 0;  ///< of their payloads
    Nanos at{};
    bool subscribed = false;
    ProducerCounters counters;
  };

  [[nodiscard]] bool is_stopped() const noexcept { return stop_.load(std::memory_order_relaxed); }
  [[nodiscard]] double hz() const noexcept;
  [[nodiscard]] const TensorInfo& info() const noexcept {
    return camera_ != nullptr ? camera_->info() : source_->info();
  }
  /// Published so far.
  [[nodiscard]] std::uint64_t payload_bytes() const noexcept {
    return camera_ != nullptr ? camera_->counters().bytes : frames_ * source_->frame_bytes();
  }
  /// Room that a frame needs.
  [[nodiscard]] std::size_t frame_bytes() const noexcept {
    return camera_ != nullptr ? camera_->buffer_bytes() : source_->frame_bytes();
  }

  [[nodiscard]] Status open_stream();
  [[nodiscard]] Status connect();
  /// Nothing where nothing was given: frames then bear no version.
  [[nodiscard]] Status tell_metadata();
  /// Lets `tp meta set` change it.
  void open_desk();
  /// Between frames.
  void tend_desk() {
    if (desk_) {
      desk_->tend(*producer_);
    }
  }
  /// Waits for the driver, and for the end of a lease that a killed publisher has left.
  [[nodiscard]] Status await_lease();
  void tell(const ProducerEvent& event);
  /// False when it was stopped.
  [[nodiscard]] bool wait_for_subscriber();

  [[nodiscard]] Status publish_all();
  /// The camera fills the slots; nobody paces it.
  [[nodiscard]] Status publish_camera();
  [[nodiscard]] Status take_turn(const sources::Fed& fed);
  [[nodiscard]] Status publish_next();
  [[nodiscard]] PublishStatus publish_frame(files::FrameBytes frame, Nanos now);
  [[nodiscard]] Error why_not(PublishStatus published);
  /// The frame is kept for the next lease, unless there will be none.
  [[nodiscard]] bool waits_for_lease(PublishStatus status) const;
  void note_reached();
  /// Lets readers come to the end of what was published.
  void linger();

  void offer_progress(Nanos now);
  void show_progress();
  void summarise();

  const Options& options_;
  files::FrameSource* source_;
  sources::V4l2Camera* camera_;
  const std::atomic<bool>& stop_;
  Console& console_;
  const os::SystemClock clock_;
  StreamRef stream_;
  bool has_driver_ = false;
  std::string told_;  // the last refusal that was told; on the client's thread
  std::optional<Client> client_;
  std::optional<Producer> producer_;  // goes before the client
  std::vector<Attribute> attributes_;
  std::unique_ptr<MetadataDesk> desk_;
  std::uint64_t frames_ = 0;
  std::uint64_t slipped_ = 0;
  BufferQueueCounters buffers_;  // of a camera
  bool done_ = false;
  bool reached_ = false;
  std::uint64_t closed_at_start_ = 0;
  Nanos started_{};
  Nanos finished_{};
  Nanos offered_{};
  Snapshot<Progress> progress_;
  Progress shown_;
};

}  // namespace tensorpool::inline v0::apps::pub
