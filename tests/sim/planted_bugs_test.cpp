// The simulator can fail: machines that are crippled in one place are found within a few seeds.
#include <gtest/gtest.h>

#include <string>

#include "world.hpp"

namespace tensorpool::sim {
namespace {

struct Case {
  PlantedBug bug;
  const char* name;
  Failure found_as;
};
constexpr Case kCases[] = {
    {PlantedBug::kNoFirstCheck, "no_first_check", Failure::kSafety},
    {PlantedBug::kNoSecondCheck, "no_closing_check", Failure::kSafety},
    {PlantedBug::kNoCheckAfterUse, "no_check_after_use", Failure::kSafety},
    {PlantedBug::kNoInProgress, "no_in_progress_word", Failure::kSafety},
    {PlantedBug::kForgetsGaps, "no_counting_of_gaps", Failure::kSafety},
    {PlantedBug::kKeepsMapping, "no_unmapping", Failure::kSafety},
    {PlantedBug::kBelievesAnnounces, "no_announce_gate", Failure::kSafety},
    {PlantedBug::kMuteAfterRestart, "no_announce_after_a_restart", Failure::kLiveness},
};

class PlantedBugs : public testing::TestWithParam<Case> {};

TEST_P(PlantedBugs, are_found_within_32_seeds_wherever_one_begins) {
  for (const std::uint64_t first : {0ULL, 0x5EEDULL, 0xFFFF'FFFF'0000'0000ULL}) {
    Failure found = Failure::kNone;
    std::uint64_t seed = first;
    for (; found != GetParam().found_as && seed < first + 32; ++seed) {
      World world(Scenario::draw(seed), GetParam().bug);
      world.run();
      found = world.verdict().failure();
    }
    EXPECT_EQ(found, GetParam().found_as) << "seeds from " << first;
  }
}

INSTANTIATE_TEST_SUITE_P(All, PlantedBugs, testing::ValuesIn(kCases),
                         [](const auto& tested) { return std::string(tested.param.name); });

}  // namespace
}  // namespace tensorpool::sim
