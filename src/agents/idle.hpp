// What a thread does between two duty cycles that found nothing to do.
//
// kSpin has the shortest reaction and takes a whole processor; kYield takes it only while nobody
// else wants it; kBackoff goes from spinning over yielding to sleeping for at most park_max, which
// is then the longest delay of an input.
//
// Thread contract: one thread.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <thread>

#include "base/relax.hpp"
#include "tensorpool/types/time.hpp"

namespace tensorpool::inline v0::agents {

enum class IdleKind : std::uint8_t { kSpin, kYield, kBackoff };

class Idle {
 public:
  struct Options {
    IdleKind kind = IdleKind::kBackoff;
    std::uint32_t spins = 10;   ///< kBackoff: cycles before the first yield.
    std::uint32_t yields = 20;  ///< kBackoff: cycles before the first sleep.
    Nanos park_min = std::chrono::microseconds(1);
    Nanos park_max = std::chrono::milliseconds(1);
  };
  /// What the next idle cycle would do.
  enum class Action : std::uint8_t { kSpin, kYield, kPark };

  explicit Idle(Options options) noexcept : options_(options), park_(options.park_min) {}

  /// `work` is the answer of do_work: any work starts the back-off anew.
  void idle(int work) noexcept {
    if (work > 0) {
      idle_cycles_ = 0;
      park_ = options_.park_min;
      return;
    }
    switch (next_action()) {
      case Action::kSpin:
        base::relax();
        break;
      case Action::kYield:
        std::this_thread::yield();
        break;
      case Action::kPark:
        std::this_thread::sleep_for(park_);
        park_ = std::min(park_ * 2, options_.park_max);
        return;  // the count stays where it is
    }
    ++idle_cycles_;
  }

  [[nodiscard]] Action next_action() const noexcept {
    switch (options_.kind) {
      case IdleKind::kSpin:
        return Action::kSpin;
      case IdleKind::kYield:
        return Action::kYield;
      case IdleKind::kBackoff:
        break;
    }
    if (idle_cycles_ < options_.spins) {
      return Action::kSpin;
    }
    return idle_cycles_ - options_.spins < options_.yields ? Action::kYield : Action::kPark;
  }
  [[nodiscard]] Nanos next_park() const noexcept { return park_; }

 private:
  Options options_;
  std::uint32_t idle_cycles_ = 0;
  Nanos park_;
};

}  // namespace tensorpool::inline v0::agents
