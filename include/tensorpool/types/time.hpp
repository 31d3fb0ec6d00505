// Time as this library counts it.
#pragma once

#include <chrono>

namespace tensorpool::inline v0 {

/// A duration, or an instant as the time since the epoch of its clock (CLOCK_MONOTONIC unless a
/// name says `real`). Signed, so that differences never wrap (W428).
using Nanos = std::chrono::nanoseconds;

}  // namespace tensorpool::inline v0
