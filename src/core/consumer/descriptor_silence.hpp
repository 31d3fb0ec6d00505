// Tells when descriptors stay away although frames arrive: somebody else's stopped reader may block
// their stream. Pure. Design §4 (recover_gaps).
//
// | state     | idle poll                                        | next      |
// | listening | the next frame is in the ring                    | waiting   |
// | waiting   | the next frame is not (any more) in the ring     | listening |
// | waiting   | it has been there for `patience`                 | blocked   |
// | blocked   | -: the ring is read at once                      | blocked   |
// | any       | a descriptor of a frame that was not read yet    | listening |
//
// A frame is committed a moment before its descriptor is sent. Waiting for `patience` keeps a slow
// stream from being read ahead of its descriptors, which carry trace id and publish time.
//
// Thread contract: one thread at a time.
#pragma once

#include <cstdint>

#include "tensorpool/types/time.hpp"

namespace tensorpool::inline v0::core::consumer {

class DescriptorSilence {
 public:
  explicit DescriptorSilence(Nanos patience) noexcept : patience_(patience) {}

  /// A poll found no descriptor. True when the ring is to be read instead.
  [[nodiscard]] bool on_idle(bool frame_in_ring, Nanos now) noexcept {
    if (state_ == State::kBlocked) {
      return true;
    }
    if (!frame_in_ring) {
      state_ = State::kListening;
      return false;
    }
    if (state_ == State::kListening) {
      state_ = State::kWaiting;
      since_ = now;
    }
    if (now - since_ < patience_) {
      return false;
    }
    state_ = State::kBlocked;
    return true;
  }

  /// A descriptor of a new frame arrived, or there is a new mapping.
  void on_progress() noexcept { state_ = State::kListening; }

  [[nodiscard]] bool blocked() const noexcept { return state_ == State::kBlocked; }

 private:
  enum class State : std::uint8_t { kListening, kWaiting, kBlocked };
  Nanos patience_;
  State state_ = State::kListening;
  Nanos since_{};
};

}  // namespace tensorpool::inline v0::core::consumer
