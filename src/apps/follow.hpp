// What the verbs that read a stream have in common: finding it, telling what happens to it, and
// knowing when it has ended.
//
// Thread contract: one thread; events are told from the client's thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "apps/console.hpp"
#include "apps/counters.hpp"
#include "apps/driver_link.hpp"
#include "apps/stream_lookup.hpp"
#include "tensorpool/client.hpp"
#include "tensorpool/consumer.hpp"
#include "tensorpool/types/wait.hpp"

namespace CLI {
class App;
}

namespace tensorpool::inline v0::apps {

struct FollowOptions {
  std::string stream;
  bool direct = false;
  WaitStrategy wait = {.kind = WaitKind::kPark};
  std::uint32_t max_rate_hz = 0;  ///< 0: all frames
  std::optional<std::int32_t> descriptor_stream_id;
  double timeout_s = 0;  ///< 0: as long as it takes
  std::string shm_dir = "/dev/shm";
  std::string aeron_dir;
  Deployment deployment = Deployment::kWhatIsThere;
};

/// Puts NAME, --direct, --wait and --max-rate on the command line.
void add_follow_options(CLI::App& verb, FollowOptions& options);
/// Puts --timeout and where to find what behind the options of the verb itself.
void add_follow_places(CLI::App& verb, FollowOptions& options);

/// Tells people what happens to a consumer.
/// Thread contract: on_event on the client's thread, look on any.
class EventNotes {
 public:
  explicit EventNotes(Console& console) noexcept : console_(console) {}

  void on_event(const ConsumerEvent& event);
  /// For what is worth telling only when it lasts.
  void look(Nanos now);
  /// When the producer has given its lease back; 0: it has not, or another one publishes.
  [[nodiscard]] Nanos detached_at() const noexcept { return detached_at_.load(); }
  void on_frame() noexcept { detached_at_.store(Nanos{0}); }

 private:
  Console& console_;
  std::atomic<Nanos> detached_at_{};
  std::atomic<Nanos> lost_at_{};  // of the media driver; 0: there is one
  std::atomic<bool> told_lost_{false};
};

/// A client with one consumer of one stream.
///
/// A publisher sees subscriptions of descriptors and nothing else, so a direct reader, too, has one
/// until its first frame is there: `tp pub` waits for somebody to begin with.
class Follower {
 public:
  /// Waits for the stream as await_stream does.
  /// Precondition: `stop` and `console` outlive the follower.
  [[nodiscard]] static Result<Follower> create(const FollowOptions& options,
                                               const std::atomic<bool>& stop, Console& console);
  /// A client and the stream that it has found.
  struct Found {
    Client client;
    StreamInfo stream;
  };
  /// As await_stream, through the driver where one runs, or is started meanwhile.
  [[nodiscard]] static Result<Found> find(const StreamRef& wanted, const FollowOptions& options,
                                          const std::atomic<bool>& stop, Console& console);

  /// The next frame, or the newest, of those published since the follower came. The view is valid
  /// until the next call.
  [[nodiscard]] std::optional<FrameView> next(bool latest = false);

  /// Waits for a frame, as the options say how; see Consumer::wait.
  [[nodiscard]] bool wait(Nanos timeout) noexcept { return consumer_.wait(timeout); }

  /// Losses are those since the first frame that `next` gave. A subscription begins with
  /// descriptors left over from the subscriber before it; then they, and all that was published in
  /// between, for nobody, are tracked and count as lost (W258, W260, W264).
  [[nodiscard]] ConsumerCounters counters() const noexcept {
    return without_losses_of(consumer_.counters(), before_first_);
  }
  [[nodiscard]] std::optional<Fallback> fallback() const { return consumer_.fallback(); }
  [[nodiscard]] AttachCounters attach_counters() const noexcept {
    return consumer_.attach_counters();
  }
  /// As it was announced when it was found.
  [[nodiscard]] const StreamInfo& stream() const noexcept { return stream_; }

  /// Tells what is worth telling only when it lasts. To be called now and then.
  void look_around(Nanos now) { notes_->look(now); }

  /// True when whoever published the stream has closed it: the files that the consumer has mapped
  /// are gone, or under a driver the lease was given back, and no others have come in their place
  /// for a while. A publisher that was killed
  /// leaves its files behind and is waited for. Makes system calls: for when nothing comes.
  [[nodiscard]] bool has_ended(Nanos now);

 private:
  Follower(std::unique_ptr<EventNotes> notes, Client client, Consumer consumer,
           std::optional<Consumer> presence, StreamInfo stream,
           std::uint64_t newest_at_start) noexcept
      : notes_(std::move(notes)),
        client_(std::move(client)),
        consumer_(std::move(consumer)),
        presence_(std::move(presence)),
        stream_(std::move(stream)),
        epoch_at_start_(stream_.epoch),
        newest_at_start_(newest_at_start) {}

  std::unique_ptr<EventNotes> notes_;  // goes after those who call it
  Client client_;
  Consumer consumer_;                 // goes before the client
  std::optional<Consumer> presence_;  // of a direct reader without a frame so far
  StreamInfo stream_;
  std::uint64_t epoch_at_start_;
  std::uint64_t newest_at_start_;
  bool any_frame_ = false;
  ConsumerCounters before_first_;
  Nanos gone_since_{};  // 0: not gone
};

}  // namespace tensorpool::inline v0::apps
