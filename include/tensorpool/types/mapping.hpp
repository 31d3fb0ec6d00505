// Where a consumer stands with the regions of its stream. Spec: §1.11.3.
#pragma once

#include <cstdint>
#include <string_view>

#include "tensorpool/export.hpp"

namespace tensorpool::inline v0 {

/// State of a consumer (W243).
enum class MappingState : std::uint8_t {
  kUnmapped,  ///< waiting for an announce that passes
  kMapped,    ///< all regions of one epoch are mapped and checked
  kFallback,  ///< told not to use shared memory, or refused its regions; payloads come elsewhere
};

/// Why a mapping was given up. What was lost around it cannot be counted: a discontinuity.
enum class UnmapReason : std::uint8_t {
  kNone,
  kHigherEpochAnnounced,  ///< the producer has made new regions
  kHigherEpochDescribed,  ///< a descriptor of a later epoch arrived before its announce
  kSequenceRegression,    ///< numbers went back: the producer has started anew (W262)
  kRegionMismatch,    ///< a superblock or the set of pools no longer matches the announce (W234)
  kAnnounceRejected,  ///< the owner announces regions that are refused (W230)
  kRegionShrunk,      ///< a mapped file has become smaller (W241)
  kPidChanged,        ///< another process owns the regions now (W237)
  kActivityStale,     ///< the producer has been silent for the liveness timeout
  kConfigured,        ///< a ConsumerConfig forbids shared memory
  kClosed,            ///< the consumer was closed
  // Under a driver.
  kLeaseLost,           ///< the consumer has lost its own lease (D145)
  kProducerLeaseEnded,  ///< the producer has lost its lease; the next epoch follows (D170)
  kProducerDetached,    ///< the producer has given its lease back; likewise
};

[[nodiscard]] TENSORPOOL_EXPORT std::string_view to_string(MappingState state) noexcept;
[[nodiscard]] TENSORPOOL_EXPORT std::string_view to_string(UnmapReason reason) noexcept;

}  // namespace tensorpool::inline v0
