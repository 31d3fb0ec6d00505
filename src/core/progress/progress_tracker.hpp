// What a consumer makes of FrameProgress. Spec: §1.17.2.
//
// | message                                                    | slot of its frame  | verdict     |
// | ---------------------------------------------------------- | ------------------ | ----------- |
// | while progress was not asked for, or of another stream     |                    | ignored     |
// | state UNKNOWN, or seq of 2^63 and more                     |                    | malformed   |
// | of another epoch, or while nothing is mapped               |                    | ignored     |
// | more bytes than the largest stride                         |                    | rejected    |
// | older frame of the slot, lower state, fewer bytes          |                    | rejected    |
// | any                                                        | IN_PROGRESS(seq)   | information |
// | any                                                        | later frame        | rejected    |
// | STARTED                                                    | earlier frame      | information |
// | PROGRESS, COMPLETE                                         | earlier frame      | rejected    |
// | at most as many bytes as the frame has                     | readable, seq      | prefix      |
// | more bytes than that                                       | readable, seq      | rejected    |
// | any                                                        | header refused     | rejected    |
//
// Readable is a slot COMMITTED for the frame, and with `early_header` one IN_PROGRESS for it, whose
// header passed (core/progress/prefix). What is rejected changes nothing that is tracked. Frames,
// losses and lastSeqSeen are none of its business (W368, W273).
//
// Pure. Thread contract: one thread at a time. Allocates: one entry per slot, when attached.
#pragma once

#include <cstdint>
#include <vector>

#include "core/progress/prefix.hpp"
#include "layout/messages_900.hpp"

namespace tensorpool::inline v0::core::progress {

class ProgressTracker {
 public:
  struct Options {
    std::uint32_t stream_id = 0;
    bool wants_progress = false;  ///< supportsProgress of the hello (W356)
  };
  enum class Verdict : std::uint8_t { kIgnored, kMalformed, kRejected, kInformation, kPrefix };
  /// With kPrefix, `bytes` of `prefix.payload` may be read, if that is not 0 (W366, W367).
  struct Outcome {
    Verdict verdict = Verdict::kIgnored;
    Prefix prefix = {};
    std::uint64_t bytes = 0;
  };

  explicit ProgressTracker(const Options& options) noexcept : options_(options) {}

  /// Frames of `epoch` can be spoken of from now on.
  void attach(std::uint64_t epoch, std::uint32_t nslots, std::uint32_t largest_stride_bytes) {
    epoch_ = epoch;
    largest_stride_bytes_ = largest_stride_bytes;
    slots_.assign(nslots, Tracked{});
  }
  void detach() noexcept { epoch_ = 0; }

  /// `look(seq, filled_bytes)` gives the Prefix of a frame; it is asked for only when the message
  /// alone says nothing against it.
  template <class Look>
  [[nodiscard]] Outcome on_message(const layout::FrameProgress& message, Look&& look) {
    Outcome outcome{.verdict = judge_message(message)};
    if (outcome.verdict != Verdict::kInformation) {
      return outcome;
    }
    outcome.prefix = look(message.seq, message.payload_bytes_filled);
    outcome.verdict = judge_slot(message, outcome.prefix);
    if (outcome.verdict == Verdict::kRejected) {
      return outcome;
    }
    if (outcome.verdict == Verdict::kPrefix) {
      outcome.bytes = readable_bytes(*outcome.prefix.tensor, message.payload_bytes_filled);
    }
    track(message);
    return outcome;
  }

 private:
  struct Tracked {
    std::uint64_t seq = 0;
    std::uint64_t bytes = 0;
    layout::FrameProgressState state = layout::FrameProgressState::kUnknown;  // nothing yet
  };

  /// kInformation: nothing against it so far.
  [[nodiscard]] Verdict judge_message(const layout::FrameProgress& message) const noexcept;
  [[nodiscard]] static Verdict judge_slot(const layout::FrameProgress& message,
                                          const Prefix& prefix) noexcept;
  void track(const layout::FrameProgress& message) noexcept;
  [[nodiscard]] std::size_t index_of(std::uint64_t seq) const noexcept {
    return static_cast<std::size_t>(seq & (slots_.size() - 1));
  }

  Options options_;
  std::uint64_t epoch_ = 0;  // 0: nothing is mapped
  std::uint32_t largest_stride_bytes_ = 0;
  std::vector<Tracked> slots_;
};

}  // namespace tensorpool::inline v0::core::progress
