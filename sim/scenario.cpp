#include "scenario.hpp"

namespace tensorpool::inline v0::sim {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;

/// Uniform in the exponent: small and large values are equally likely.
Nanos log_between(base::Random& random, Nanos low, Nanos high) {
  Nanos span = low;
  while (span < high && random.chance(4, 5)) {
    span *= 2;
  }
  const auto bound = static_cast<std::uint64_t>(span.count());
  const Nanos drawn{static_cast<std::int64_t>(random.between(bound / 2, bound))};
  return drawn < high ? drawn : high;
}

std::uint32_t number(base::Random& random, std::uint32_t low, std::uint32_t high) {
  return static_cast<std::uint32_t>(random.between(low, high));
}

/// `value` in half of all runs, else 0.
std::uint32_t maybe(base::Random& random, std::uint32_t value) {
  return random.chance(1, 2) ? value : 0;
}

BusFaults draw_faults(base::Random& random, std::uint32_t most_ppm) {
  return {.lost_ppm = maybe(random, number(random, 0, most_ppm)),
          .doubled_ppm = maybe(random, number(random, 0, most_ppm)),
          // A reordered descriptor costs a mapping, so it is rarer.
          .reordered_ppm = maybe(random, number(random, 0, most_ppm / 20)),
          .delayed_ppm = maybe(random, number(random, 0, most_ppm / 10)),
          .delay_max = log_between(random, milliseconds(1), seconds(2))};
}

ProducerPlan draw_producer(base::Random& random) {
  return {.frame_interval = microseconds(number(random, 3000, 5000)),
          .burst_permille = maybe(random, number(random, 1, 10)),
          .claim_permille = maybe(random, number(random, 1, 1000)),
          .claims_max = number(random, 1, 8),
          .abort_permille = maybe(random, number(random, 1, 200)),
          .refuse_permille = maybe(random, 20)};
}

ConsumerPlan draw_consumer(base::Random& random) {
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

}  // namespace

base::Random random_for(std::uint64_t seed, std::uint64_t purpose) noexcept {
  base::Random mixer(seed);
  return base::Random(mixer.next() ^ (purpose * 0x9E37'79B9'7F4A'7C15ULL));
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

Scenario Scenario::draw(std::uint64_t seed) {
  base::Random random = random_for(seed, 1);
  Scenario run;
  run.seed = seed;
  // The default of the specification now and then; shorter periods let more happen in ten seconds.
  run.announce_period = random.chance(1, 20)
                            ? Nanos(seconds(1))
                            : log_between(random, milliseconds(20), milliseconds(400));
  run.producer = draw_producer(random);
  const std::uint64_t consumers = random.between(1, 4);
  for (std::uint64_t k = 0; k < consumers; ++k) {
    run.consumers.push_back(draw_consumer(random));
  }
  run.descriptor_faults = draw_faults(random, 20'000);
  run.control_faults = draw_faults(random, 200'000);
  run.bus_window = 8U << random.below(8);
  run.preempt_steps = 128U << random.below(5);
  run.producer_crashes = number(random, 0, 3);
  run.consumer_crashes = number(random, 0, 2);
  run.pauses = number(random, 0, 4);
  run.pause_max = log_between(random, milliseconds(1), seconds(3));
  run.restart_max = log_between(random, milliseconds(1), seconds(1));
  run.bus_blocks = maybe(random, number(random, 1, 4));
  run.silent_end = random.chance(1, 8);
  run.clock_jumps = maybe(random, 2);
  run.configurations = maybe(random, number(random, 0, 4));
  run.nonsense = maybe(random, number(random, 0, 20));
  run.scribbles = random.chance(1, 8) ? 1 : 0;
  run.faults_for = milliseconds(9800);
  run.frames_under_faults = 2000;
  return run;
}

}  // namespace tensorpool::inline v0::sim
