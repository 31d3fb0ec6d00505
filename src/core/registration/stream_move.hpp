// On which stream a consumer listens: the shared one or one of its own, as ConsumerConfig says, and
// how it gets from one to another without missing what lies between. One for descriptors, one for
// progress. Spec: §1.15.3 (W325..W332).
//
// Pure: decides, subscribes to nothing. `assign` answers what to do now; an addition that was begun
// is answered by `on_added`. `place()` absent stands for the shared stream.
//
// | state        | input                    | answer   | next         |
// | ------------ | ------------------------ | -------- | ------------ |
// | at A         | assigned A               | kNothing | at A         |
// | at A         | assigned B               | kAdd     | at A, adds B |
// | at A, adds B | assigned B               | kNothing | at A, adds B |
// | at A, adds B | assigned A               | kCancel  | at A         |
// | at A, adds B | assigned C               | kAdd     | at A, adds C |
// | at A, adds B | on_added(true): close A  |          | at B         |
// | at A, adds B | on_added(false): report  |          | at A         |
// | at A         | assigned B, once refused | kNothing | at A         |
//
// Thread contract: one thread at a time. Allocates: the channels.
#pragma once

#include <cstdint>
#include <optional>
#include <utility>

#include "core/registration/own_stream.hpp"

namespace tensorpool::inline v0::core::registration {

class StreamMove {
 public:
  enum class [[nodiscard]] Step : std::uint8_t{
      kNothing,
      kAdd,     ///< a subscription to `target()`; the present one stays until that is there (W325)
      kCancel,  ///< the addition that was begun: the present one stays
  };

  /// What the newest config says of this stream; absent: the shared one (W327, W330). The same
  /// config again changes nothing, even after a refusal (W332).
  Step assign(OwnStream to) {
    if (assigned_ == to) {
      return Step::kNothing;
    }
    assigned_ = to;
    if (to == place_) {
      const bool was_moving = target_.has_value();
      target_.reset();
      return was_moving ? Step::kCancel : Step::kNothing;
    }
    target_ = std::move(to);
    return Step::kAdd;
  }

  /// Whether the addition has succeeded; without success everything stays as it is (W326).
  void on_added(bool added) {
    if (target_ && added) {
      place_ = std::move(*target_);
    }
    target_.reset();
  }

  [[nodiscard]] const OwnStream& place() const noexcept { return place_; }
  [[nodiscard]] bool is_moving() const noexcept { return target_.has_value(); }
  /// Precondition: is_moving().
  [[nodiscard]] const OwnStream& target() const noexcept { return *target_; }

 private:
  OwnStream assigned_;
  OwnStream place_;
  std::optional<OwnStream> target_;
};

}  // namespace tensorpool::inline v0::core::registration
