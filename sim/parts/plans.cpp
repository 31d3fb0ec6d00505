#include "parts/plans.hpp"

#include <chrono>

namespace tensorpool::inline v0::sim {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;

base::Random random_for(std::uint64_t seed, std::uint64_t purpose) noexcept {
  base::Random mixer(seed);
  return base::Random(mixer.next() ^ (purpose * 0x9E37'79B9'7F4A'7C15ULL));
}

Nanos log_between(base::Random& random, Nanos low, Nanos high) {
  Nanos span = low;
  while (span < high && random.chance(4, 5)) {
    span *= 2;
  }
  const auto bound = static_cast<std::uint64_t>(span.count());
  const Nanos drawn{static_cast<std::int64_t>(random.between(bound / 2, bound))};
  return drawn < high ? drawn : high;
}

std::uint32_t maybe(base::Random& random, std::uint32_t value) {
  return random.chance(1, 2) ? value : 0;
}

Geometry Geometry::draw(base::Random& random) {
  Geometry geometry{.nslots = 1U << random.below(7), .strides = {}, .shape_period = 0};
  const std::uint64_t pools = random.between(1, 3);
  for (std::uint64_t k = 0; k < pools; ++k) {
    geometry.strides.push_back(64U << random.below(3));
  }
  constexpr std::uint32_t kPeriods[] = {1, 5, 40, 1'000'000};
  geometry.shape_period = kPeriods[random.below(std::size(kPeriods))];
  return geometry;
}

BusFaults BusFaults::draw(base::Random& random, std::uint32_t most_ppm) {
  return {.lost_ppm = maybe(random, number(random, 0, most_ppm)),
          .doubled_ppm = maybe(random, number(random, 0, most_ppm)),
          // A reordered descriptor costs a mapping, so it is rarer.
          .reordered_ppm = maybe(random, number(random, 0, most_ppm / 20)),
          .delayed_ppm = maybe(random, number(random, 0, most_ppm / 10)),
          .delay_max = log_between(random, milliseconds(1), seconds(2))};
}

ProducerPlan ProducerPlan::draw(base::Random& random) {
  return {.frame_interval = microseconds(number(random, 3000, 5000)),
          .burst_permille = maybe(random, number(random, 1, 10)),
          .claim_permille = maybe(random, number(random, 1, 1000)),
          .claims_max = number(random, 1, 8),
          .abort_permille = maybe(random, number(random, 1, 200)),
          .refuse_permille = maybe(random, 20)};
}

ConsumerPlan ConsumerPlan::draw(base::Random& random) {
  return {.mode = static_cast<ConsumerMode>(random.below(3)),
          .latest_permille = maybe(random, random.chance(1, 2) ? 1000 : number(random, 1, 300)),
          .next_permille = maybe(random, number(random, 1, 1000)),
          .poll_interval = log_between(random, milliseconds(1), milliseconds(60)),
          .poll_limit = static_cast<int>(random.between(1, 64)),
          .max_outstanding_seq_gap = random.chance(1, 3) ? random.between(0, 8) : 256,
          .patience = log_between(random, milliseconds(1), milliseconds(50)),
          .keep_permille = maybe(random, number(random, 1, 300)),
          .resubscribe_ppm = maybe(random, number(random, 100, 3000)),
          .control_thread = random.chance(1, 2),
          .without_shm_permille = random.chance(1, 8) ? 500U : 0U};
}

}  // namespace tensorpool::inline v0::sim
