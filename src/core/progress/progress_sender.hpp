// What a producer says of the frames that it is filling. Spec: §1.17.1.
//
// | state of frame seq | event                                    | report              | next     |
// | ------------------ | ---------------------------------------- | ------------------- | -------- |
// | IDLE               | slot claimed, progress wanted            | STARTED, 0          | STARTED  |
// | IDLE               | one-shot publish done, progress wanted   | COMPLETE, length    | DONE     |
// | STARTED, PROGRESS  | bytes grew and the throttle allows       | PROGRESS, bytes     | PROGRESS |
// | STARTED, PROGRESS  | bytes grew, throttle refuses             | none; remembered    | same     |
// | STARTED, PROGRESS  | throttle allows the remembered value     | PROGRESS, latest    | PROGRESS |
// | STARTED, PROGRESS  | slot committed                           | COMPLETE, length    | DONE     |
// | STARTED, PROGRESS  | claim aborted                            | none                | DONE     |
// | any                | nobody wants progress (any more)         | none                | same     |
//
// A claim that was taken while nobody wanted progress is not followed; its commit is reported like
// a one-shot publish (W342).
//
// Every event answers with what is to be sent now, if anything; a report that cannot be sent is
// lost, for the next one says more. COMPLETE goes out after the descriptor of its frame (W346),
// hence after the commit (W160).
//
// Pure. Thread contract: one thread at a time, the producer's. Allocates: at its making.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "core/progress/throttle.hpp"
#include "layout/messages_900.hpp"

namespace tensorpool::inline v0::core::progress {

using State = layout::FrameProgressState;

class ProgressSender {
 public:
  struct Options {
    Settings settings = {};
    std::size_t frames_max = 64;  ///< followed at a time; what is claimed beyond only completes
  };
  /// What is to be sent.
  struct Report {
    std::uint64_t seq = 0;
    std::uint64_t bytes = 0;
    State state = State::kUnknown;

    friend bool operator==(const Report&, const Report&) = default;
  };
  using Answer = std::optional<Report>;

  [[nodiscard]] static Result<ProgressSender> create(const Options& options);

  /// The hints of all live consumers that want progress; empty when nobody does (W343, W351).
  void set_wishes(std::span<const Hints> live) noexcept;
  [[nodiscard]] bool wanted() const noexcept { return wanted_; }
  /// Frames were told of that have not ended: their ends are to be given as well, wanted or not.
  [[nodiscard]] bool is_following() const noexcept { return !frames_.empty(); }

  [[nodiscard]] Answer on_claimed(std::uint64_t seq, Nanos now) noexcept;
  /// `bytes` of the payload are there for good, in units of `unit` and `stride_bytes`. Fewer than
  /// before change nothing (W345).
  [[nodiscard]] Answer on_filled(std::uint64_t seq, std::uint64_t bytes, ProgressUnit unit,
                                 std::uint32_t stride_bytes, Nanos now) noexcept;
  /// A remembered value whose time has come (W353); none when there is no more.
  [[nodiscard]] Answer poll(Nanos now) noexcept;
  /// A claim or a one-shot publish was committed, and its descriptor offered.
  [[nodiscard]] Answer on_committed(std::uint64_t seq, std::uint64_t values_len_bytes) noexcept;
  void on_aborted(std::uint64_t seq) noexcept;
  /// Another epoch: no frame of the last one is spoken of any more.
  void forget_frames() noexcept { frames_.clear(); }

  /// How much of a frame has been told; the frame must not become shorter (W345).
  [[nodiscard]] std::uint64_t told_bytes(std::uint64_t seq) const noexcept;
  /// When `poll` may have something next; `Nanos::max()` for never.
  [[nodiscard]] Nanos next_deadline() const noexcept;

 private:
  struct Frame {
    std::uint64_t seq;
    std::uint64_t told = 0;    // bytes
    std::uint64_t filled = 0;  // bytes, at least `told`
    ProgressUnit unit = ProgressUnit::kNone;
    std::uint32_t stride_bytes = 0;
    Nanos told_at{};
  };

  ProgressSender(const Options& options) : options_(options), cap_(options.settings.max_rate_hz) {
    frames_.reserve(options.frames_max);
  }
  [[nodiscard]] std::vector<Frame>::iterator find(std::uint64_t seq) noexcept;
  [[nodiscard]] Nanos due_at(const Frame& frame) const noexcept;
  [[nodiscard]] Answer tell(Frame& frame, Nanos now) noexcept;

  Options options_;
  Effective effective_ = {};
  RateCap cap_;
  std::vector<Frame> frames_;
  bool wanted_ = false;
};

}  // namespace tensorpool::inline v0::core::progress
