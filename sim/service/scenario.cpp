#include "service/scenario.hpp"

#include <algorithm>

namespace tensorpool::inline v0::sim::service {

using core::registration::OwnStream;
using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

/// A stream of one's own that is asked for: mostly one that is allowed, out of few ids.
[[nodiscard]] OwnStream draw_request(base::Random& random, std::uint32_t first_id) {
  if (random.chance(1, 3)) {
    return {};
  }
  OwnStream wanted{.channel = "aeron:ipc", .stream_id = first_id + number(random, 0, 5)};
  if (random.chance(1, 12)) {
    wanted.channel = "aeron:udp?endpoint=localhost:40123";
  } else if (random.chance(1, 12)) {
    wanted.stream_id = 1000 + number(random, 0, 2);  // shared by everybody
  }
  return wanted;
}

[[nodiscard]] ConsumerPlan draw_consumer(base::Random& random) {
  ConsumerPlan plan;
  core::registration::ConsumerWish& wish = plan.wish;
  wish.mode = random.chance(1, 2) ? layout::Mode::kRateLimited : layout::Mode::kStream;
  wish.max_rate_hz = random.chance(1, 5) ? 0 : number(random, 5, 400);
  wish.supports_shm = !random.chance(1, 10);
  wish.supports_progress = random.chance(1, 2);
  if (wish.supports_progress) {
    wish.progress_interval_us =
        random.chance(1, 2) ? std::optional(number(random, 0, 20'000)) : std::nullopt;
    wish.progress_major_delta_units =
        random.chance(1, 2) ? std::optional(number(random, 0, 8)) : std::nullopt;
  }
  wish.descriptors = draw_request(random, 31'000);
  wish.control = draw_request(random, 32'000);
  plan.poll_interval = log_between(random, milliseconds(1), milliseconds(20));
  plan.rate_changes = maybe(random, number(random, 0, 6));
  plan.same_id_permille = maybe(random, 500);
  return plan;
}

[[nodiscard]] bool is_allowed(const OwnStream& wanted) {
  return wanted.is_complete() && wanted.channel == "aeron:ipc" && wanted.stream_id >= 31'000;
}

}  // namespace

Scenario Scenario::draw(std::uint64_t seed) {
  base::Random random = random_for(seed, 1);
  Scenario run;
  run.seed = seed;
  run.interval = log_between(random, milliseconds(50), milliseconds(1000));
  run.stale_timeout = 5 * run.interval;
  run.supervised = random.chance(1, 2);
  run.hands_out_ids = random.chance(1, 4);
  run.producer = {.frame_interval = microseconds(number(random, 2000, 6000)),
                  .rows = number(random, 1, 64),
                  .row_bytes = 64U << random.below(8),
                  .claim_permille = maybe(random, number(random, 1, 1000)),
                  .abort_permille = maybe(random, number(random, 1, 300)),
                  .attributes = number(random, 0, 6),
                  .set_changes = maybe(random, number(random, 0, 12)),
                  .blobs = maybe(random, number(random, 0, 6)),
                  .blob_bytes_max = 1U << random.below(18)};
  const std::uint64_t consumers = random.between(1, 6);
  for (std::uint64_t k = 0; k < consumers; ++k) {
    run.consumers.push_back(draw_consumer(random));
  }
  for (ConsumerPlan& plan : run.consumers) {
    const OwnStream& wanted = plan.wish.descriptors;
    const auto rivals =
        std::count_if(run.consumers.begin(), run.consumers.end(),
                      [&](const ConsumerPlan& other) { return other.wish.descriptors == wanted; });
    plan.grantable = is_allowed(wanted) && (run.hands_out_ids || rivals == 1);
  }
  run.capacity = random.chance(1, 8) ? random.between(1, consumers) : 256;
  run.faults = BusFaults::draw(random, 200'000);
  run.private_faults = {.bus = {.lost_ppm = maybe(random, number(random, 0, 100'000)),
                                .doubled_ppm = maybe(random, number(random, 0, 20'000)),
                                .delayed_ppm = maybe(random, number(random, 0, 20'000)),
                                .delay_max = log_between(random, milliseconds(1), seconds(1))},
                        .slow_max = log_between(random, milliseconds(1), milliseconds(500)),
                        .failing_permille = maybe(random, number(random, 0, 300))};
  run.producer_crashes = number(random, 0, 3);
  run.supervisor_crashes = run.supervised ? number(random, 0, 2) : 0;
  run.consumer_crashes = number(random, 0, 4);
  run.pauses = number(random, 0, 4);
  run.pause_max = log_between(random, milliseconds(1), 8 * run.interval);
  run.restart_max = log_between(random, milliseconds(1), seconds(1));
  run.policies = run.supervised ? maybe(random, number(random, 0, 5)) : 0;
  run.nonsense = maybe(random, number(random, 0, 30));
  run.knows_supervisor = run.supervised && random.chance(1, 2);
  run.early_header = random.chance(1, 3);
  run.faults_for = seconds(10);
  return run;
}

}  // namespace tensorpool::inline v0::sim::service
