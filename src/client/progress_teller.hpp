// hot-path: is_quiet() is 2 loads of lines that are seldom written. The rest runs only while
// somebody wants it: an exchange, a clock read by the caller, and per message and stream a claim in
// Aeron's log. No allocation, no system call.
//
// Tells the consumers of one producer how far its frames are. When is decided by
// core/progress/progress_sender; who listens is the control thread's to say (agents/own_streams).
// Spec: §1.17.1.
//
// Thread contract: the producer's thread. Allocates: at its making.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>

#include "agents/own_streams.hpp"
#include "core/progress/progress_sender.hpp"
#include "tensorpool/types/counters.hpp"

namespace tensorpool::inline v0::detail {

class ProgressTeller {
 public:
  using Answer = core::progress::ProgressSender::Answer;

  /// `streams` outlives the object.
  ProgressTeller(agents::OwnStreams& streams, core::progress::ProgressSender sender)
      : streams_(streams), sender_(std::move(sender)) {}

  /// True while there is nobody to tell and no frame of which something was told. Then nothing else
  /// need be called.
  [[nodiscard]] bool is_quiet() const noexcept {
    return !streams_.progress.any() && !sender_.is_following();
  }

  /// What is spoken of from now on; nothing more of frames before (W357).
  void begin_epoch(std::uint32_t stream_id, std::uint64_t epoch) noexcept {
    stream_id_ = stream_id;
    epoch_ = epoch;
    sender_.forget_frames();
  }

  // Each answers whether something was sent.
  bool on_claimed(std::uint64_t seq, Nanos now, ProducerCounters& counters) noexcept {
    return tell(now, counters, [&] { return sender_.on_claimed(seq, now); });
  }
  /// `unit_bytes` of a row or column; 0: it is told in neither.
  bool on_filled(std::uint64_t seq, std::uint64_t bytes, std::uint32_t unit_bytes, Nanos now,
                 ProducerCounters& counters) noexcept {
    const ProgressUnit unit = unit_bytes == 0 ? ProgressUnit::kNone : ProgressUnit::kRows;
    return tell(now, counters,
                [&] { return sender_.on_filled(seq, bytes, unit, unit_bytes, now); });
  }
  /// Its descriptor has been sent (W346).
  bool on_committed(std::uint64_t seq, std::uint64_t payload_bytes, Nanos now,
                    ProducerCounters& counters) noexcept {
    return tell(now, counters, [&] { return sender_.on_committed(seq, payload_bytes); });
  }
  void on_aborted(std::uint64_t seq) noexcept { sender_.on_aborted(seq); }

  /// How much of a frame was told: it must not become shorter (W345).
  [[nodiscard]] std::uint64_t told_bytes(std::uint64_t seq) const noexcept {
    return sender_.told_bytes(seq);
  }

 private:
  /// `event()` gives the machine its input; what it answers, and what it has held back and may be
  /// told by now, is sent.
  template <class Event>
  bool tell(Nanos now, ProducerCounters& counters, Event&& event) noexcept {
    const std::uint64_t sent_before = counters.progress_sent;
    bool heard = false;
    streams_.progress.use([&](agents::ProgressAudience& audience) noexcept {
      heard = true;
      follow(&audience);
      if (const Answer now_due = event()) {
        send(audience, *now_due, counters);
      }
      while (const Answer held_back = sender_.poll(now)) {
        send(audience, *held_back, counters);
      }
    });
    if (!heard) {
      follow(nullptr);
      static_cast<void>(event());
    }
    return counters.progress_sent != sent_before;
  }
  void follow(const agents::ProgressAudience* audience) noexcept;
  void send(agents::ProgressAudience& audience, const core::progress::ProgressSender::Report& what,
            ProducerCounters& counters) const noexcept;

  agents::OwnStreams& streams_;
  core::progress::ProgressSender sender_;
  std::uint64_t audience_ = 0;  // the number of the one that the machine knows; 0: none
  std::uint32_t stream_id_ = 0;
  std::uint64_t epoch_ = 0;
};

}  // namespace tensorpool::inline v0::detail
