// How often a producer may speak of a frame that it is filling: what consumers would like, what the
// producer allows, and the cap of a stream. Spec: §1.17.1 (W347..W352).
//
// Pure. Thread contract: one thread at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "tensorpool/types/dtype.hpp"
#include "tensorpool/types/error.hpp"
#include "tensorpool/types/progress.hpp"
#include "tensorpool/types/time.hpp"

namespace tensorpool::inline v0::core::progress {

/// What one live consumer that wants progress has asked for in its hello (§1.5.6).
using Hints = ProgressHints;
/// The producer's own (§1.24).
using Settings = ProgressSettings;
/// Refuses what can never be kept: negative intervals, a rate of 0.
[[nodiscard]] Status check_settings(const Settings& settings) noexcept;

/// What holds for all consumers together.
struct Effective {
  Nanos interval{};
  std::uint64_t bytes_delta = 0;
  std::uint32_t major_delta_units = 0;  ///< 0: bytes alone decide

  friend bool operator==(const Effective&, const Effective&) = default;
};
/// The smallest hint of each kind, not below the floor; the default where there is none (W349,
/// W350).
[[nodiscard]] Effective combine(std::span<const Hints> live, const Settings& settings) noexcept;

/// Bytes by which a frame has to grow between two messages (W348). `unit` and `stride_bytes` are
/// those of the frame.
[[nodiscard]] std::uint64_t threshold_bytes(const Effective& effective, ProgressUnit unit,
                                            std::uint32_t stride_bytes) noexcept;

/// At most so many events in any second (W352): remembers the last ones.
class RateCap {
 public:
  /// Precondition: per_second > 0. Allocates: here and never again.
  explicit RateCap(std::uint32_t per_second) : times_(per_second, Nanos::min()) {}

  /// From when on the next event is allowed.
  [[nodiscard]] Nanos allowed_at() const noexcept {
    const Nanos oldest = times_[next_];
    return oldest == Nanos::min() ? oldest : oldest + std::chrono::seconds(1);
  }
  void on_event(Nanos now) noexcept {
    times_[next_] = now;
    next_ = next_ + 1 == times_.size() ? 0 : next_ + 1;
  }

 private:
  std::vector<Nanos> times_;
  std::size_t next_ = 0;
};

}  // namespace tensorpool::inline v0::core::progress
