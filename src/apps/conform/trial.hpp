// How a program under test comes to life, and how long things may take.
#pragma once

#include <atomic>
#include <functional>
#include <string_view>

#include "apps/conform/program.hpp"
#include "tensorpool/types/error.hpp"
#include "tensorpool/types/time.hpp"

namespace tensorpool::inline v0::apps::conform {

/// Thread contract: a plain value.
struct Trial {
  std::function<Result<Program>()> start;
  Nanos patience = std::chrono::seconds(10);   ///< for the first sign of the program
  Nanos watch = std::chrono::seconds(4);       ///< of looking on without disturbing it
  Nanos period = std::chrono::seconds(1);      ///< of announces, hellos and QoS
  const std::atomic<bool>* stop = nullptr;     ///< Ctrl-C
  std::function<void(std::string_view)> tell;  ///< what is done now

  [[nodiscard]] bool is_stopped() const noexcept {
    return stop != nullptr && stop->load(std::memory_order_relaxed);
  }
};

/// From SIGTERM to SIGKILL.
inline constexpr Nanos kStopPatience = std::chrono::seconds(5);

}  // namespace tensorpool::inline v0::apps::conform
