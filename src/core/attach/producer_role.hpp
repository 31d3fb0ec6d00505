// What a producer under a driver may do with the regions it was given. Spec: §2.20 (producer),
// D193.
//
// | state          | input                                       | next   |
// | -------------- | ------------------------------------------- | ------ |
// | Idle, Paused   | attached, regions mapped for writing        | Active |
// | Active         | lease lost, driver shutdown, newer epoch    | Paused |
// | Paused         | UNSUPPORTED or INVALID_PARAMS on reattach   | Idle   |
// | Active, Paused | close                                       | Idle   |
//
// In Active it publishes, beginning with sequence 0 in every epoch. Elsewhere it does nothing
// (D313).
//
// Pure. Thread contract: one thread at a time; the thread that writes frames is told by whoever
// owns the regions.
#pragma once

#include <cstdint>

#include "core/attach/attach_actions.hpp"

namespace tensorpool::inline v0::core::attach {

enum class ProducerState : std::uint8_t {
  kIdle,    ///< holds no lease and will get none by itself
  kActive,  ///< publishes
  kPaused,  ///< has lost its lease; another is being got
};

class ProducerRole {
 public:
  /// What the attach machine reported. `epoch`: of its grant, with kAttached.
  void on_report(const AttachReport& report, std::uint64_t epoch) noexcept {
    if (report.kind == AttachReport::Kind::kAttached) {
      state_ = ProducerState::kActive;
      epoch_ = epoch;
    } else if (!report.tries_again) {
      state_ = ProducerState::kIdle;
    } else if (state_ == ProducerState::kActive) {
      state_ = ProducerState::kPaused;
    }
  }
  void on_close() noexcept { state_ = ProducerState::kIdle; }

  [[nodiscard]] ProducerState state() const noexcept { return state_; }
  /// Frames, descriptors and progress (D313).
  [[nodiscard]] bool may_publish() const noexcept { return state_ == ProducerState::kActive; }
  /// Whether what was claimed in `epoch` may still be written (D314).
  [[nodiscard]] bool may_write(std::uint64_t epoch) const noexcept {
    return may_publish() && epoch == epoch_;
  }

 private:
  ProducerState state_ = ProducerState::kIdle;
  std::uint64_t epoch_ = 0;
};

}  // namespace tensorpool::inline v0::core::attach
