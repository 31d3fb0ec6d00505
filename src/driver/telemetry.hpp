// The histograms of a driver: how long things take, over the last interval. Spec: §2.22 (D339 to
// D342).
//
// Recording is a store into memory that is there from the start. When an interval is over, each
// duty cycle sums up one histogram and empties it, so that the export of all of them holds up no
// cycle for longer than one takes (docs/adr/0024).
//
// Thread contract: the driver's thread. Allocates: in create.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agents/histogram.hpp"
#include "core/driver/settings.hpp"
#include "tensorpool/types/error.hpp"
#include "tensorpool/types/time.hpp"

namespace tensorpool::inline v0::driver {

enum class Measure : std::uint8_t {
  kDriverPoll,
  kAttachLatency,
  kDetachLatency,
  kKeepaliveDelta,
  kLeaseExpireDelay,
  kAnnounceDelta,
};

/// By Measure.
inline constexpr auto kMeasureNames = std::to_array<std::string_view>(
    {"driver_poll_ns", "attach_latency_ns", "detach_latency_ns", "keepalive_delta_ns",
     "lease_expire_delay_ns", "announce_delta_ns"});

class Telemetry {
 public:
  static constexpr Nanos kHighest = std::chrono::seconds(60);  ///< D339

  using Summaries = std::array<agents::Histogram::Summary, kMeasureNames.size()>;

  /// Records nothing unless the settings want it.
  [[nodiscard]] static Result<Telemetry> create(const core::driver::TelemetrySettings& settings,
                                                Nanos now);

  [[nodiscard]] bool enabled() const noexcept { return !histograms_.empty(); }
  void record(Measure measure, Nanos span) noexcept {
    if (enabled()) {
      histograms_[static_cast<std::size_t>(measure)].record(span);
    }
  }

  /// The summaries of an interval, in the cycle in which the last of them is there.
  [[nodiscard]] std::optional<Summaries> do_work(Nanos now) noexcept;
  /// Of the last interval that is over; all 0 before.
  [[nodiscard]] const Summaries& last() const noexcept { return last_; }
  [[nodiscard]] Nanos interval() const noexcept { return interval_; }

 private:
  Telemetry(std::vector<agents::Histogram> histograms, Nanos interval, Nanos now) noexcept
      : histograms_(std::move(histograms)), interval_(interval), next_at_(now + interval) {}

  std::vector<agents::Histogram> histograms_;  ///< by Measure; none: disabled
  Nanos interval_;
  Nanos next_at_;
  std::size_t exported_ = kMeasureNames.size();  ///< of the interval that is over
  Summaries pending_{};
  Summaries last_{};
};

/// `attach_latency_ns count 12 p50 8123 p90 9001 p99 12001 p99.9 12001 max 12001`.
[[nodiscard]] std::string summary_line(Measure measure, const agents::Histogram::Summary& summary);

}  // namespace tensorpool::inline v0::driver
