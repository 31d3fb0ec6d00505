// A subscription of one consumer that goes over from the stream that all share to one of its own,
// and back, as ConsumerConfig says: for descriptors, and for progress. The machine that decides is
// core/registration/stream_move. Spec: §1.15.3 (W325..W332).
//
// Thread contract: the control thread, except `link().current()` and `own_id()`, which are the
// polling thread's.
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <utility>

#include "bus/link.hpp"
#include "core/registration/stream_move.hpp"

namespace tensorpool::inline v0::agents {

class AssignedStream {
 public:
  /// `own_id` is told the Aeron stream of the consumer's own, 0 on the shared one, before the
  /// polling thread can come to it; it outlives the object.
  AssignedStream(bus::Client& client, bus::Channel shared, std::int32_t shared_id,
                 std::atomic<std::uint32_t>& own_id)
      : shared_(std::move(shared)),
        shared_id_(shared_id),
        own_id_(own_id),
        link_(client, {.channel = shared_.untethered(), .stream_id = shared_id_}) {}

  /// What the newest config says; absent: the shared one.
  void assign(core::registration::OwnStream to);
  /// Keeps the subscription up.
  int do_work(Nanos now);

  /// An assigned stream that cannot be listened to, once (W326).
  [[nodiscard]] std::optional<core::registration::OwnStream> take_refused() {
    return std::exchange(refused_, {});
  }
  [[nodiscard]] bus::SubscriptionLink& link() noexcept { return link_; }

 private:
  void move_to(const core::registration::OwnStream& to);
  void stay();

  bus::Channel shared_;
  std::int32_t shared_id_;
  std::atomic<std::uint32_t>& own_id_;
  bus::SubscriptionLink link_;
  core::registration::StreamMove move_;
  std::optional<core::registration::OwnStream> refused_;
};

}  // namespace tensorpool::inline v0::agents
