// Properties of every run, and seeds that once failed.
#include <gtest/gtest.h>

#include <sstream>

#include "world.hpp"

namespace tensorpool::sim {
namespace {

/// Everything that a run is judged and reported by.
std::string outcome_of(std::uint64_t seed, PlantedBug bug = PlantedBug::kNone) {
  World world(Scenario::draw(seed), bug);
  world.run();
  const RunStats stats = world.stats();
  std::ostringstream text;
  text << world.verdict().what() << ' ' << stats.events << ' ' << stats.steps << ' '
       << stats.preemptions << ' ' << stats.frames_published << ' ' << stats.frames_received << ' '
       << stats.crashes << ' ' << stats.laps << ' ' << stats.messages_lost << ' '
       << stats.messages_doubled << ' ' << stats.virtual_time.count();
  return text.str();
}

TEST(Seed, decides_a_whole_run) {
  for (std::uint64_t seed = 0; seed < 4; ++seed) {
    EXPECT_EQ(outcome_of(seed), outcome_of(seed));
  }
  EXPECT_NE(outcome_of(1), outcome_of(2));
}

TEST(Seed, decides_a_failure_too) {
  EXPECT_EQ(outcome_of(7, PlantedBug::kNoCheckAfterUse),
            outcome_of(7, PlantedBug::kNoCheckAfterUse));
}

TEST(Seed, gives_at_least_ten_virtual_seconds_and_2000_frames) {
  for (std::uint64_t seed = 0; seed < 8; ++seed) {
    World world(Scenario::draw(seed), PlantedBug::kNone);
    world.run();
    EXPECT_EQ(world.verdict().what(), "") << "seed " << seed;
    EXPECT_GE(world.stats().virtual_time, std::chrono::seconds(10));
    EXPECT_GE(world.stats().frames_published, 2000U);
  }
}

}  // namespace
}  // namespace tensorpool::sim
