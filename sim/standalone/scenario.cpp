#include "standalone/scenario.hpp"

namespace tensorpool::inline v0::sim::standalone {

using std::chrono::milliseconds;
using std::chrono::seconds;

Scenario Scenario::draw(std::uint64_t seed) {
  base::Random random = random_for(seed, 1);
  Scenario run;
  run.seed = seed;
  // The default of the specification now and then; shorter periods let more happen in ten seconds.
  run.announce_period = random.chance(1, 20)
                            ? Nanos(seconds(1))
                            : log_between(random, milliseconds(20), milliseconds(400));
  run.producer = ProducerPlan::draw(random);
  const std::uint64_t consumers = random.between(1, 4);
  for (std::uint64_t k = 0; k < consumers; ++k) {
    run.consumers.push_back(ConsumerPlan::draw(random));
  }
  run.descriptor_faults = BusFaults::draw(random, 20'000);
  run.control_faults = BusFaults::draw(random, 200'000);
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

}  // namespace tensorpool::inline v0::sim::standalone
