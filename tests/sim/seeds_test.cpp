// Properties of every run, in all worlds.
#include <gtest/gtest.h>

#include <sstream>

#include "driver/world.hpp"
#include "service/world.hpp"
#include "standalone/world.hpp"

namespace tensorpool::sim {
namespace {

/// Everything that a run is judged and reported by.
std::string outcome_of(World& world) {
  world.run();
  const RunStats stats = world.stats();
  std::ostringstream text;
  text << world.verdict().what() << ' ' << stats.events << ' ' << stats.steps << ' '
       << stats.preemptions << ' ' << stats.frames_published << ' ' << stats.frames_received << ' '
       << stats.crashes << ' ' << stats.laps << ' ' << stats.epochs << ' ' << stats.epochs_collected
       << ' ' << stats.leases << ' ' << stats.messages_lost << ' ' << stats.messages_doubled << ' '
       << stats.virtual_time.count();
  return text.str();
}
std::string outcome_of(std::uint64_t seed,
                       standalone::PlantedBug bug = standalone::PlantedBug::kNone) {
  standalone::World world(standalone::Scenario::draw(seed), bug);
  return outcome_of(world);
}
std::string outcome_with_driver(std::uint64_t seed,
                                driver::PlantedBug bug = driver::PlantedBug::kNone) {
  driver::World world(driver::Scenario::draw(seed), bug);
  return outcome_of(world);
}

std::string outcome_in_service(std::uint64_t seed) {
  service::World world(service::Scenario::draw(seed), service::PlantedBug::kNone);
  return outcome_of(world);
}

TEST(Seed, decides_a_whole_run) {
  for (std::uint64_t seed = 0; seed < 4; ++seed) {
    EXPECT_EQ(outcome_of(seed), outcome_of(seed));
    EXPECT_EQ(outcome_with_driver(seed), outcome_with_driver(seed));
  }
  for (std::uint64_t seed = 0; seed < 4; ++seed) {
    EXPECT_EQ(outcome_in_service(seed), outcome_in_service(seed));
  }
  EXPECT_NE(outcome_of(1), outcome_of(2));
  EXPECT_NE(outcome_with_driver(1), outcome_with_driver(2));
}

TEST(Seed, decides_a_failure_too) {
  EXPECT_EQ(outcome_of(7, standalone::PlantedBug::kNoCheckAfterUse),
            outcome_of(7, standalone::PlantedBug::kNoCheckAfterUse));
  EXPECT_EQ(outcome_with_driver(7, driver::PlantedBug::kSameEpoch),
            outcome_with_driver(7, driver::PlantedBug::kSameEpoch));
}

// Descriptors stay away from the very frame on that comes after a number that was given up: its
// slot remains as it is until the ring has come round.
TEST(Seed, of_a_gap_at_the_moment_when_descriptors_end_finds_nothing) {
  standalone::World world(standalone::Scenario::draw(0x790b69b5dfea8c78),
                          standalone::PlantedBug::kNone);
  world.run();
  EXPECT_EQ(world.verdict().what(), "");
}

TEST(Seed, gives_at_least_ten_virtual_seconds_and_2000_frames) {
  for (std::uint64_t seed = 0; seed < 8; ++seed) {
    standalone::World world(standalone::Scenario::draw(seed), standalone::PlantedBug::kNone);
    world.run();
    EXPECT_EQ(world.verdict().what(), "") << "seed " << seed;
    EXPECT_GE(world.stats().virtual_time, std::chrono::seconds(10));
    EXPECT_GE(world.stats().frames_published, 2000U);
  }
}

TEST(Seed, gives_leases_frames_and_virtual_seconds_with_a_driver_too) {
  for (std::uint64_t seed = 0; seed < 8; ++seed) {
    driver::World world(driver::Scenario::draw(seed), driver::PlantedBug::kNone);
    world.run();
    EXPECT_EQ(world.verdict().what(), "") << "seed " << seed;
    EXPECT_GE(world.stats().virtual_time, std::chrono::seconds(8));
    EXPECT_GE(world.stats().frames_published, 10U);
    EXPECT_GE(world.stats().leases, 2U);
  }
}

}  // namespace
}  // namespace tensorpool::sim
