#include "driver/scenario.hpp"

#include <string>

#include "core/region/superblock.hpp"
#include "parts/announced_regions.hpp"

namespace tensorpool::inline v0::sim::driver {

using core::driver::Profile;
using core::driver::Settings;
using layout::Role;
using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

constexpr std::uint32_t kFirstStatic = 10'000;
constexpr std::uint32_t kFirstDynamic = 20'000;

Profile draw_profile(base::Random& random, std::string name) {
  const auto stream = stream_geometry(1, Geometry::draw(random));
  return {.name = std::move(name), .header_nslots = stream.nslots, .pools = stream.pools};
}

Settings draw_settings(base::Random& random) {
  Settings settings;
  settings.profiles = {draw_profile(random, "one"), draw_profile(random, "two")};
  const std::uint32_t statics = number(random, 1, 2);
  for (std::uint32_t k = 0; k < statics; ++k) {
    settings.streams.push_back({.name = "stream" + std::to_string(k),
                                .stream_id = kFirstStatic + k,
                                .profile = random.chance(1, 2) ? "one" : "two"});
  }
  auto& policies = settings.policies;
  if (random.chance(1, 2)) {
    policies.allow_dynamic_streams = true;
    settings.stream_ids = {{.first = kFirstDynamic, .last = kFirstDynamic + number(random, 0, 1)}};
  }
  policies.announce_period = log_between(random, milliseconds(50), milliseconds(1000));
  policies.lease_keepalive_interval = log_between(random, milliseconds(200), milliseconds(1000));
  policies.lease_expiry_grace_intervals = number(random, 2, 4);
  policies.epoch_gc_keep = number(random, 1, 3);
  policies.epoch_gc_min_age =
      random.chance(1, 2) ? Nanos{} : Nanos(milliseconds(number(random, 1, 2000)));
  policies.epoch_gc_on_startup = random.chance(1, 2);
  policies.cleanup_shm_on_exit = random.chance(1, 4);
  policies.shutdown_timeout = milliseconds(number(random, 0, 3000));
  policies.shutdown_token = "open sesame";
  policies.node_id_reuse_cooldown = milliseconds(number(random, 0, 2000));
  return settings;
}

ClientPlan draw_client(base::Random& random, Role role, std::uint32_t stream_id,
                       std::uint32_t index) {
  ClientPlan client{.role = role,
                    .stream_id = stream_id,
                    .client_id = random.chance(1, 4) ? 1000 + index : 0,
                    .node_id = random.chance(1, 4) ? 100 + index : 0,
                    .attach_timeout = log_between(random, milliseconds(500), seconds(5)),
                    .retry_interval = log_between(random, milliseconds(50), seconds(1)),
                    .detach_timeout = log_between(random, milliseconds(100), seconds(5)),
                    .control_interval = log_between(random, milliseconds(2), milliseconds(40)),
                    .producer = ProducerPlan::draw(random),
                    .consumer = ConsumerPlan::draw(random)};
  client.producer.frame_interval = log_between(random, milliseconds(5), milliseconds(40));
  client.consumer.poll_interval = log_between(random, milliseconds(4), milliseconds(60));
  return client;
}

Mishaps draw_mishaps(base::Random& random) {
  return {.driver_crashes = number(random, 0, 3),
          .driver_stops = maybe(random, number(random, 0, 2)),
          .client_crashes = number(random, 0, 5),
          .leaves = number(random, 0, 4),
          .revocations = maybe(random, number(random, 0, 5)),
          .reshapes = maybe(random, number(random, 0, 3)),
          .collections = maybe(random, number(random, 0, 3)),
          .lost_files = maybe(random, number(random, 0, 2)),
          .full_disks = maybe(random, number(random, 0, 3)),
          .pauses = number(random, 0, 5),
          .bus_blocks = maybe(random, number(random, 0, 8)),
          .clock_jumps = maybe(random, 2),
          .nonsense = maybe(random, number(random, 0, 20)),
          .configurations = maybe(random, number(random, 0, 3))};
}

/// Of one epoch of the largest profile, and a bit.
std::uint64_t epoch_bytes(const Settings& settings) {
  std::uint64_t most = 0;
  for (const Profile& profile : settings.profiles) {
    std::uint64_t bytes = 0;
    for (const auto& region : core::region::regions_of(
             {.stream_id = 1, .nslots = profile.header_nslots, .pools = profile.pools}, 1)) {
      bytes += region.bytes();
    }
    most = std::max(most, bytes);
  }
  return most;
}

}  // namespace

Scenario Scenario::draw(std::uint64_t seed) {
  base::Random random = random_for(seed, 1);
  Scenario run;
  run.seed = seed;
  run.settings = draw_settings(random);
  const auto add = [&](Role role, std::uint32_t stream_id, std::uint64_t count) {
    for (; count != 0; --count) {
      const auto index = static_cast<std::uint32_t>(run.clients.size());
      run.clients.push_back(draw_client(random, role, stream_id, index));
    }
  };
  for (const auto& stream : run.settings.streams) {
    run.stream_ids.push_back(stream.stream_id);
    add(Role::kProducer, stream.stream_id, random.between(1, 2));
    add(Role::kConsumer, stream.stream_id, random.between(1, 2));
  }
  for (const auto& range : run.settings.stream_ids) {
    for (std::uint32_t id = range.first; id <= range.last; ++id) {
      run.stream_ids.push_back(id);
    }
    add(Role::kProducer, range.first, 1);
    add(Role::kConsumer, range.first, 1);
    add(Role::kProducer, 0, range.last - range.first);  // has the other id
  }
  if (random.chance(1, 4)) {  // leases of the dead are in the way of the living
    run.settings.policies.max_leases = static_cast<std::uint32_t>(run.clients.size());
  }
  constexpr std::uint32_t kPeriods[] = {1, 5, 40, 1'000'000};
  run.shape_period = kPeriods[random.below(std::size(kPeriods))];
  run.mishaps = draw_mishaps(random);
  run.announces_apart = random.chance(1, 2);
  run.jobs_thread = random.chance(3, 4);
  run.same_pid = random.chance(1, 4);
  run.other_at_pid = random.chance(1, 8);
  run.links_linger = random.chance(1, 2);
  run.driver_interval = log_between(random, milliseconds(2), milliseconds(20));
  run.slow_max = random.chance(1, 2) ? Nanos{} : log_between(random, milliseconds(1), seconds(4));
  run.piece_bytes = 512U << random.below(6);
  run.call_fails_ppm = random.chance(1, 4) ? number(random, 1, 50'000) : 0;
  const std::uint64_t kept = run.settings.policies.epoch_gc_keep + random.between(1, 6);
  run.disk_bytes = epoch_bytes(run.settings) * run.stream_ids.size() * (kept + 2);
  run.descriptor_faults = BusFaults::draw(random, 20'000);
  run.control_faults = BusFaults::draw(random, 200'000);
  run.bus_window = 8U << random.below(8);
  run.preempt_steps = 64U << random.below(5);
  run.pause_min = random.chance(1, 2) ? Nanos{} : Nanos(seconds(1));
  run.pause_max = random.chance(1, 2) ? Nanos(seconds(2)) : Nanos(seconds(15));
  run.restart_max = log_between(random, milliseconds(1), seconds(4));
  run.faults_for = seconds(number(random, 8, 20));
  return run;
}

}  // namespace tensorpool::inline v0::sim::driver
