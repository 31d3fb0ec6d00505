// How far frames are while they are being filled: who wants to know it, how often it is told.
// Spec: §1.17, §1.24.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

#include "tensorpool/types/time.hpp"

namespace tensorpool::inline v0 {

/// What a producer said of a frame.
enum class ProgressState : std::uint8_t {
  kStarted = 1,   ///< its slot was claimed
  kProgress = 2,  ///< some of its bytes are there
  kComplete = 3,  ///< it is committed; its descriptor says so, too
};

/// How often a consumer would like to be told (W349). Producers follow the keenest of all, down to
/// their own floors.
struct ProgressHints {
  std::optional<std::uint32_t> interval_us = {};        ///< time between two messages of a frame
  std::optional<std::uint32_t> bytes_delta = {};        ///< growth between them
  std::optional<std::uint32_t> major_delta_units = {};  ///< rows or columns; 0 counts as none
};

/// What a consumer wants to know of frames that are being filled.
struct ProgressOptions {
  bool wanted = false;  ///< then call `Consumer::poll_progress` besides the other polls
  ProgressHints hints = {};
  /// Read the beginning of frames before they are committed (W369). Only where all producers of the
  /// stream are known to have `StreamOptions::early_header`: otherwise shape and length would be
  /// those of an older frame, and nothing tells.
  bool early_header = false;
};

/// How often a producer tells, where consumers have no hint, and the most that it does for any.
struct ProgressSettings {
  Nanos interval = std::chrono::microseconds(250);
  Nanos interval_floor = std::chrono::microseconds(200);
  std::uint32_t bytes_delta = 65'536;
  std::uint32_t bytes_delta_floor = 4'096;
  std::uint32_t major_delta_units = 0;  ///< 0: unset
  std::uint32_t major_delta_units_floor = 1;
  std::uint32_t max_rate_hz = 2'000;  ///< of a stream, start and end of frames aside
};

}  // namespace tensorpool::inline v0
