// What a waiting consumer does between two looks, by its strategy and the time it has waited. Pure.
//
// | strategy | words | waited          | next                                      |
// | spin     | any   | any             | spin                                      |
// | yield    | any   | any             | yield                                     |
// | backoff  | any   | any             | spin kSpins times, yield kYields, pause   |
// | park     | yes   | any             | park                                      |
// | park     | no    | any             | as hybrid                                 |
// | hybrid   | any   | below spin_for  | spin                                      |
// | hybrid   | yes   | from spin_for   | park                                      |
// | hybrid   | no    | from spin_for   | yield kYields times, pause                |
//
// A pause doubles from kPauseMin to kPauseMax; a park lasts at most kParkMax, so that a wake that
// was refused or lost to a hostile writer costs no more than that.
//
// Thread contract: one thread at a time.
#pragma once

#include <algorithm>
#include <cstdint>

#include "tensorpool/types/time.hpp"
#include "tensorpool/types/wait.hpp"

namespace tensorpool::inline v0::core::wake {

class WaitPlan {
 public:
  static constexpr std::uint32_t kSpins = 100;
  static constexpr std::uint32_t kYields = 20;
  static constexpr Nanos kPauseMin = std::chrono::microseconds(1);
  static constexpr Nanos kPauseMax = std::chrono::milliseconds(1);
  static constexpr Nanos kParkMax = std::chrono::milliseconds(10);

  enum class Action : std::uint8_t { kSpin, kYield, kPause, kPark };
  struct Step {
    Action action{};
    Nanos at_most{};  ///< of kPause and kPark
  };

  /// One wait: from the first look in vain to the frame, or to the end of its patience.
  explicit WaitPlan(const WaitStrategy& strategy) noexcept : strategy_(strategy) {}

  /// `waited`: since the first look. `can_park`: the words are there.
  [[nodiscard]] Step next(Nanos waited, bool can_park) noexcept {
    switch (strategy_.kind) {
      case WaitKind::kSpin:
        return {.action = Action::kSpin};
      case WaitKind::kYield:
        return {.action = Action::kYield};
      case WaitKind::kBackoff:
        return spun_ < kSpins ? spin() : back_off();
      case WaitKind::kPark:
        if (can_park) {
          return park();
        }
        break;
      case WaitKind::kHybrid:
        break;
    }
    if (waited < strategy_.spin_for) {
      return spin();
    }
    return can_park ? park() : back_off();
  }

 private:
  Step spin() noexcept {
    ++spun_;
    return {.action = Action::kSpin};
  }
  static Step park() noexcept { return {.action = Action::kPark, .at_most = kParkMax}; }
  Step back_off() noexcept {
    if (yielded_ < kYields) {
      ++yielded_;
      return {.action = Action::kYield};
    }
    const Nanos pause = pause_;
    pause_ = std::min(pause_ * 2, kPauseMax);
    return {.action = Action::kPause, .at_most = pause};
  }

  WaitStrategy strategy_;
  std::uint32_t spun_ = 0;
  std::uint32_t yielded_ = 0;
  Nanos pause_ = kPauseMin;
};

}  // namespace tensorpool::inline v0::core::wake
