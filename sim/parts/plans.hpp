// What a seed decides about single processes and buses, in whichever world they live.
#pragma once

#include <cstdint>
#include <vector>

#include "base/random.hpp"
#include "tensorpool/types/time.hpp"

namespace tensorpool::inline v0::sim {

/// A stream of random numbers of its own for each purpose, so that one does not disturb another.
[[nodiscard]] base::Random random_for(std::uint64_t seed, std::uint64_t purpose) noexcept;

/// Uniform in the exponent: small and large values are equally likely.
[[nodiscard]] Nanos log_between(base::Random& random, Nanos low, Nanos high);
/// `value` in half of all runs, else 0.
[[nodiscard]] std::uint32_t maybe(base::Random& random, std::uint32_t value);
[[nodiscard]] inline std::uint32_t number(base::Random& random, std::uint32_t low,
                                          std::uint32_t high) {
  return static_cast<std::uint32_t>(random.between(low, high));
}
/// Uniform from 0 to `most`.
[[nodiscard]] inline Nanos up_to(base::Random& random, Nanos most) {
  return Nanos(
      static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(most.count()) + 1)));
}
/// Half of `mean` to one and a half.
[[nodiscard]] inline Nanos around(base::Random& random, Nanos mean) {
  const auto ns = static_cast<std::uint64_t>(mean.count());
  return Nanos(static_cast<std::int64_t>(random.between(ns / 2, ns + ns / 2)));
}

/// Slots and pools of one epoch.
struct Geometry {
  std::uint32_t nslots = 1;
  std::vector<std::uint32_t> strides;  ///< of the pools, in bytes; pool ids are index + 1
  std::uint32_t shape_period = 1;      ///< frames until the tensor description changes

  [[nodiscard]] static Geometry draw(base::Random& random);
};

struct ProducerPlan {
  Nanos frame_interval{};
  std::uint32_t burst_permille = 0;   ///< of duty cycles, that publish up to two rings at once
  std::uint32_t claim_permille = 0;   ///< of frames, that are claimed and filled by the caller
  std::uint32_t claims_max = 1;       ///< open at a time
  std::uint32_t abort_permille = 0;   ///< of claims
  std::uint32_t refuse_permille = 0;  ///< of duty cycles, in which something invalid is tried

  [[nodiscard]] static ProducerPlan draw(base::Random& random);
};

enum class ConsumerMode : std::uint8_t { kDescriptor, kRecovering, kDirect };

struct ConsumerPlan {
  ConsumerMode mode = ConsumerMode::kDescriptor;
  std::uint32_t latest_permille = 0;  ///< of calls, that want the newest frame
  std::uint32_t next_permille = 0;    ///< of the others, that want one frame
  Nanos poll_interval{};
  int poll_limit = 1;
  std::uint64_t max_outstanding_seq_gap = 0;
  Nanos patience{};                   ///< recovering: silence until the ring itself is looked at
  std::uint32_t keep_permille = 0;    ///< of frames, that are kept and judged later
  std::uint32_t resubscribe_ppm = 0;  ///< of polls, that change the subscription
  bool control_thread = false;        ///< for control work; else the polling thread does it
  std::uint32_t without_shm_permille = 0;  ///< of lives, that begin configured not to use it

  [[nodiscard]] static ConsumerPlan draw(base::Random& random);
  /// Each descriptor is read on its own, so that in calm times only numbers that were aborted are
  /// missing.
  [[nodiscard]] bool reads_each_descriptor() const noexcept {
    return mode == ConsumerMode::kDescriptor && latest_permille == 0;
  }
};

/// Of a million messages.
struct BusFaults {
  std::uint32_t lost_ppm = 0;
  std::uint32_t doubled_ppm = 0;
  std::uint32_t reordered_ppm = 0;
  std::uint32_t delayed_ppm = 0;
  Nanos delay_max{};

  [[nodiscard]] static BusFaults draw(base::Random& random, std::uint32_t most_ppm);
};

}  // namespace tensorpool::inline v0::sim
