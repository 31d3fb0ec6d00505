// What producers and consumers show of themselves among the media driver's counters: the values,
// their numbers and their names. Spec: §1.14 (W281); decision: docs/adr/0034.
//
// A value has the type id `base + number`. Numbers below 60 only grow while their object lives;
// from 60 on they are readings of one moment. Those with `at_once` are there as soon as the object
// is; the others from when they are first other than 0. So one that is missing is 0.
//
// Thread contract: plain values.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "layout/counter_key.hpp"
#include "layout/messages_900.hpp"
#include "tensorpool/types/counters.hpp"
#include "tensorpool/types/mapping.hpp"

namespace tensorpool::inline v0::core::telemetry {

/// Beside those of the driver (54000), the supervisor (54100) and other roles, by hundreds.
inline constexpr std::int32_t kProducerTypeIdBase = 54800;
inline constexpr std::int32_t kConsumerTypeIdBase = 54900;
inline constexpr std::int32_t kNumberMax = 99;
inline constexpr std::int32_t kFirstGauge = 60;

struct ProducerReading : ProducerCounters {
  std::uint64_t epoch = 0;  ///< 0: there is none
};

struct ConsumerReading : ConsumerCounters {
  std::uint64_t epoch = 0;     ///< mapped; 0: none
  std::uint64_t last_seq = 0;  ///< the highest that was accounted for in this epoch
  /// How many frames the writer had begun after that one: the greatest of the last second.
  std::uint64_t behind = 0;
  /// Since the capture of the frame `last_seq`; 0: not known.
  std::uint64_t frame_age_ns = 0;
  /// CLOCK_MONOTONIC, when it last polled or waited; 0: never.
  std::uint64_t polled_at_ns = 0;
  std::uint64_t ways = 0;                   ///< ConsumerWays::packed
  std::uint64_t own_descriptor_stream = 0;  ///< Aeron stream of its own descriptors; 0: none
  std::uint64_t own_control_stream = 0;
};

/// How a consumer lets time pass between polls, as it was last seen to.
enum class Waits : std::uint8_t {
  kNot,  ///< it polls, and its program does the rest
  kSpin,
  kYield,
  kBackoff,
  kPark,
  kHybrid,
  kPause,  ///< as kPark and kHybrid do where the producer wakes nobody
  kEvent,  ///< by an event descriptor
};

/// How a consumer is served and what it does.
struct ConsumerWays {
  MappingState state = MappingState::kUnmapped;
  bool direct = false;
  layout::Mode mode = layout::Mode::kStream;
  Waits waits = Waits::kNot;
  std::uint16_t max_rate_hz = 0;

  friend bool operator==(const ConsumerWays&, const ConsumerWays&) = default;

  /// Never 0.
  [[nodiscard]] constexpr std::uint64_t packed() const noexcept {
    return static_cast<std::uint64_t>(state) | std::uint64_t{direct} << 8U |
           static_cast<std::uint64_t>(mode) << 16U | static_cast<std::uint64_t>(waits) << 24U |
           std::uint64_t{max_rate_hz} << 32U;
  }
  /// Nothing where `bits` are no consumer's.
  [[nodiscard]] static constexpr std::optional<ConsumerWays> unpack(std::uint64_t bits) noexcept {
    const auto byte = [bits](unsigned shift) {
      return static_cast<std::uint8_t>(bits >> shift & 0xFFU);
    };
    const ConsumerWays ways{.state = static_cast<MappingState>(byte(0)),
                            .direct = byte(8) == 1,
                            .mode = static_cast<layout::Mode>(byte(16)),
                            .waits = static_cast<Waits>(byte(24)),
                            .max_rate_hz = static_cast<std::uint16_t>(bits >> 32U)};
    const bool known =
        ways.state <= MappingState::kFallback && ways.waits <= Waits::kEvent &&
        (ways.mode == layout::Mode::kStream || ways.mode == layout::Mode::kRateLimited);
    return known && ways.packed() == bits ? std::optional(ways) : std::nullopt;
  }
};

[[nodiscard]] constexpr std::string_view to_string(Waits waits) noexcept {
  switch (waits) {
    case Waits::kNot:
      return "poll";
    case Waits::kSpin:
      return "spin";
    case Waits::kYield:
      return "yield";
    case Waits::kBackoff:
      return "backoff";
    case Waits::kPark:
      return "park";
    case Waits::kHybrid:
      return "hybrid";
    case Waits::kPause:
      return "pause";
    case Waits::kEvent:
      return "event";
  }
  return "unknown";
}

template <class Reading>
struct Row {
  std::int32_t number;
  std::string_view name;
  std::uint64_t Reading::*value;
  bool at_once = false;
};

/// By number, which never changes its meaning.
inline constexpr auto kProducerRows = [] {
  using R = ProducerReading;
  return std::to_array<Row<R>>({
      {1, "frames_published", &R::frames_published, true},
      {2, "claims_aborted", &R::claims_aborted},
      {3, "claims_dropped", &R::claims_dropped},
      {4, "drops_no_pool", &R::drops_no_pool},
      {5, "invalid_params", &R::invalid_params},
      {6, "descriptor_not_connected", &R::descriptor_not_connected},
      {7, "descriptor_backpressured", &R::descriptor_backpressured},
      {8, "descriptor_admin_action", &R::descriptor_admin_action},
      {9, "descriptor_closed", &R::descriptor_closed},
      {10, "descriptor_error", &R::descriptor_error},
      {11, "announces_sent", &R::announces_sent},
      {12, "announces_failed", &R::announces_failed},
      {13, "wakes", &R::wakes},
      {14, "wakes_put_off", &R::wakes_put_off},
      {15, "progress_sent", &R::progress_sent},
      {16, "progress_unsent", &R::progress_unsent},
      {60, "epoch", &R::epoch, true},
  });
}();
static_assert(sizeof(ProducerReading) == kProducerRows.size() * sizeof(std::uint64_t),
              "every value has its number");

inline constexpr auto kConsumerRows = [] {
  using R = ConsumerReading;
  return std::to_array<Row<R>>({
      {1, "frames_ok", &R::frames_ok, true},
      {2, "drops_gap", &R::drops_gap, true},
      {3, "drops_late", &R::drops_late, true},
      {4, "drops_in_progress", &R::drops_in_progress},
      {5, "drops_seq_mismatch", &R::drops_seq_mismatch},
      {6, "drops_changed", &R::drops_changed},
      {7, "drops_header_invalid", &R::drops_header_invalid},
      {8, "drops_payload_invalid", &R::drops_payload_invalid},
      {9, "drops_epoch_mismatch", &R::drops_epoch_mismatch},
      {10, "drops_unmapped", &R::drops_unmapped},
      {11, "drops_rate_limited", &R::drops_rate_limited},
      {12, "drops_duplicate", &R::drops_duplicate},
      {13, "rate_skips", &R::rate_skips},
      {14, "seq_regressions", &R::seq_regressions},
      {15, "resyncs", &R::resyncs},
      {16, "remaps", &R::remaps},
      {17, "malformed_messages", &R::malformed_messages},
      {18, "unsupported_version", &R::unsupported_version},
      {19, "progress_rejected", &R::progress_rejected},
      {20, "recovered", &R::recovered},
      {21, "skipped_by_reader", &R::skipped_by_reader},
      {22, "changed_after_use", &R::changed_after_use},
      {23, "implausible", &R::implausible},
      {24, "descriptors_behind", &R::descriptors_behind},
      {25, "discontinuities", &R::discontinuities},
      {26, "sleeps", &R::sleeps},
      {27, "wakes", &R::wakes},
      {28, "progress_reports", &R::progress_reports},
      {29, "prefixes_changed", &R::prefixes_changed},
      {60, "epoch", &R::epoch},
      {61, "last_seq", &R::last_seq},
      {62, "behind", &R::behind},
      {63, "frame_age_ns", &R::frame_age_ns},
      {64, "polled_at_ns", &R::polled_at_ns},
      {65, "ways", &R::ways, true},
      {66, "own_descriptor_stream", &R::own_descriptor_stream},
      {67, "own_control_stream", &R::own_control_stream},
  });
}();
static_assert(sizeof(ConsumerReading) == kConsumerRows.size() * sizeof(std::uint64_t),
              "every value has its number");

}  // namespace tensorpool::inline v0::core::telemetry
