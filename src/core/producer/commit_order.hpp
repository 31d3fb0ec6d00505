// Decides what becomes of buffers that were handed to a device, and when.
//
// Frames are committed in the order of their claims (W181), whereas a device may return buffers in
// any order, or one of them never. So what was returned waits for what was handed out before it,
// but no longer than `reorder`: then those that are still out are given up, and the rest goes on.
//
// Pure: reads no clock, allocates when it is made and never again. Thread contract: one thread.
// `now` never decreases. Spec: §1.10.1 (W181, W182).
//
// Buffers are numbered from 0, in the order in which they are handed out. `step` ends the oldest:
//
// | oldest is            | and                                             | step says  | then    |
// | -------------------- | ----------------------------------------------- | ---------- | ------- |
// | filled               |                                                 | kCommit    | ended   |
// | returned empty       |                                                 | kGiveUp    | ended   |
// | out                  | none behind it was returned `reorder` ago       | kNothing   | out     |
// | out                  | one behind it was                               | kTooLate   | ended   |
// | ended, out till then | it comes back: on_returned answers false        |            |         |
//
// Invariants. (1) Every number is ended once, in order. (2) After `step` said kNothing, nothing
// that was returned `reorder` ago or earlier is waiting. (3) kTooLate only where something waits.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "tensorpool/types/error.hpp"
#include "tensorpool/types/time.hpp"

namespace tensorpool::inline v0::core::producer {

class CommitOrder {
 public:
  struct Options {
    std::uint32_t buffers_max = 0;  ///< that are not ended, at a time
    Nanos reorder{};                ///< longest wait of a buffer for those before it
  };
  enum class Verdict : std::uint8_t {
    kNothing,  ///< nothing to do before next_deadline, unless something is returned
    kCommit,   ///< its frame is to be committed
    kGiveUp,   ///< it came back without a frame
    kTooLate,  ///< it is still out and is not waited for any more
  };
  struct Step {
    Verdict verdict = Verdict::kNothing;
    std::uint64_t number = 0;
  };
  /// How a buffer came back.
  enum class Content : std::uint8_t { kFrame, kNothing };

  /// kInvalidArgument: no buffers, or a negative time.
  [[nodiscard]] static Result<CommitOrder> create(const Options& options) {
    if (options.buffers_max == 0) {
      return fail(Errc::kInvalidArgument, "buffers_max", 0, 1);
    }
    if (options.reorder < Nanos{0}) {
      return fail(Errc::kInvalidArgument, "reorder: not negative");
    }
    return CommitOrder(options);
  }

  [[nodiscard]] bool is_full() const noexcept { return next_ - oldest_ == entries_.size(); }
  /// Buffers that are not ended.
  [[nodiscard]] std::uint64_t size() const noexcept { return next_ - oldest_; }

  /// The next buffer was handed out. Returns its number. Precondition: !is_full().
  std::uint64_t on_handed_out() noexcept {
    at(next_) = {};
    return next_++;
  }

  /// A buffer came back. False where it is not out: it was ended as too late, or came back before.
  bool on_returned(std::uint64_t number, Content content, Nanos now) noexcept {
    if (number - oldest_ >= size() || at(number).state != State::kOut) {
      return false;
    }
    at(number) = {.state = content == Content::kFrame ? State::kFilled : State::kEmpty,
                  .returned_at = now};
    return true;
  }

  /// Ends the oldest buffer, where that is decided. To be called until it says kNothing.
  [[nodiscard]] Step step(Nanos now) noexcept {
    if (size() == 0) {
      return {};
    }
    Step step{.verdict = Verdict::kCommit, .number = oldest_};
    switch (at(oldest_).state) {
      case State::kFilled:
        break;
      case State::kEmpty:
        step.verdict = Verdict::kGiveUp;
        break;
      case State::kOut:
        if (now < next_deadline()) {
          return {};
        }
        step.verdict = Verdict::kTooLate;
        break;
    }
    ++oldest_;
    return step;
  }

  /// When the oldest buffer is given up; Nanos::max() where nothing waits for it.
  [[nodiscard]] Nanos next_deadline() const noexcept {
    Nanos first_return = Nanos::max();
    for (std::uint64_t number = oldest_; number != next_; ++number) {
      const Entry& entry = at(number);
      if (entry.state != State::kOut && entry.returned_at < first_return) {
        first_return = entry.returned_at;
      }
    }
    const bool some_day = first_return < Nanos::max() - options_.reorder;
    return some_day ? first_return + options_.reorder : Nanos::max();
  }

 private:
  enum class State : std::uint8_t { kOut, kFilled, kEmpty };
  struct Entry {
    State state = State::kOut;
    Nanos returned_at{};
  };

  explicit CommitOrder(const Options& options) : options_(options), entries_(options.buffers_max) {}
  [[nodiscard]] Entry& at(std::uint64_t number) noexcept {
    return entries_[number % entries_.size()];
  }
  [[nodiscard]] const Entry& at(std::uint64_t number) const noexcept {
    return entries_[number % entries_.size()];
  }

  Options options_;
  std::vector<Entry> entries_;
  std::uint64_t oldest_ = 0;  // that is not ended
  std::uint64_t next_ = 0;
};

}  // namespace tensorpool::inline v0::core::producer
