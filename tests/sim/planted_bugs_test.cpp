// The simulator can fail: processes that are crippled in one place are found within a few seeds.
#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "driver/world.hpp"
#include "service/world.hpp"
#include "standalone/world.hpp"

namespace tensorpool::sim {
namespace {

/// `said`: what the verdict speaks of, where several checkers might find something.
template <class Bug>
struct Case {
  Bug bug;
  const char* name;
  Failure found_as;
  std::string_view said = {};
};

/// Whether the bug is found as it should be, by one of 32 seeds from `first` on.
template <class World, class Scenario, class Bug>
bool is_found(const Case<Bug>& planted, std::uint64_t first) {
  for (std::uint64_t seed = first; seed < first + 32; ++seed) {
    World world(Scenario::draw(seed), planted.bug);
    world.run();
    if (world.verdict().failure() == planted.found_as &&
        world.verdict().what().find(planted.said) != std::string::npos) {
      return true;
    }
  }
  return false;
}
constexpr std::uint64_t kFirstSeeds[] = {0ULL, 0x5EEDULL, 0xFFFF'FFFF'0000'0000ULL};

namespace alone = standalone;
using AloneCase = Case<alone::PlantedBug>;
constexpr AloneCase kAlone[] = {
    {alone::PlantedBug::kNoFirstCheck, "no_first_check", Failure::kSafety},
    {alone::PlantedBug::kNoSecondCheck, "no_closing_check", Failure::kSafety},
    {alone::PlantedBug::kNoCheckAfterUse, "no_check_after_use", Failure::kSafety},
    {alone::PlantedBug::kNoInProgress, "no_in_progress_word", Failure::kSafety},
    {alone::PlantedBug::kForgetsGaps, "no_counting_of_gaps", Failure::kSafety},
    {alone::PlantedBug::kKeepsMapping, "no_unmapping", Failure::kSafety},
    {alone::PlantedBug::kBelievesAnnounces, "no_announce_gate", Failure::kSafety},
    {alone::PlantedBug::kMuteAfterRestart, "no_announce_after_a_restart", Failure::kLiveness},
};

class PlantedBugs : public testing::TestWithParam<AloneCase> {};

TEST_P(PlantedBugs, are_found_within_32_seeds_wherever_one_begins) {
  for (const std::uint64_t first : kFirstSeeds) {
    EXPECT_TRUE((is_found<alone::World, alone::Scenario>(GetParam(), first)))
        << "seeds from " << first;
  }
}

INSTANTIATE_TEST_SUITE_P(All, PlantedBugs, testing::ValuesIn(kAlone),
                         [](const auto& tested) { return std::string(tested.param.name); });

using Bug = driver::PlantedBug;
using DriverCase = Case<Bug>;
constexpr DriverCase kWithDriver[] = {
    {Bug::kSameEpoch, "same_epoch", Failure::kSafety, "not above all before it"},
    {Bug::kEarlyEpoch, "epoch_too_early", Failure::kSafety, "not complete"},
    {Bug::kForgetsReferences, "collection_of_what_is_referenced", Failure::kSafety,
     "removed that is referenced"},
    {Bug::kKeepsTooFew, "collection_of_what_is_of_rank", Failure::kSafety,
     "removed that is of rank"},
    {Bug::kCollectsYoung, "collection_of_what_is_young", Failure::kSafety,
     "removed that is too young"},
    {Bug::kNeverCollects, "no_collection", Failure::kSafety, "left that nothing keeps"},
    {Bug::kTwoProducers, "two_producers", Failure::kSafety, "two producers"},
    {Bug::kSameNodeId, "one_node_id_for_all", Failure::kSafety, "same node id"},
    {Bug::kNoExpiry, "leases_that_live_for_ever", Failure::kSafety, "lives on that has expired"},
    {Bug::kEarlyExpiry, "leases_that_end_too_early", Failure::kSafety, "expires too early"},
    {Bug::kHastyAnnounce, "an_announce_too_early", Failure::kSafety, "overtakes"},
    {Bug::kDeafAfterRestart, "no_attach_after_a_restart", Failure::kLiveness, "gets no lease"},
    {Bug::kBusyActivity, "activity_beside_a_producer", Failure::kSafety, "writes activity"},
    {Bug::kWritesOn, "a_producer_that_goes_on", Failure::kSafety, "goes on long after"},
    {Bug::kReadsOn, "a_consumer_that_goes_on", Failure::kSafety, "lost epoch is handed out"},
    {Bug::kStaysInEpoch, "a_consumer_that_stays_in_its_epoch", Failure::kSafety,
     "lost epoch is handed out"},
    {Bug::kBeginsLate, "no_frame_0_of_an_epoch_that_is_followed_into", Failure::kSafety,
     "first of an epoch that was followed into"},
    {Bug::kForgetsGaps, "no_counting_of_gaps", Failure::kSafety, "account"},
};

class PlantedBugsWithDriver : public testing::TestWithParam<DriverCase> {};

TEST_P(PlantedBugsWithDriver, are_found_within_32_seeds_wherever_one_begins) {
  for (const std::uint64_t first : kFirstSeeds) {
    EXPECT_TRUE((is_found<driver::World, driver::Scenario>(GetParam(), first)))
        << "seeds from " << first;
  }
}

INSTANTIATE_TEST_SUITE_P(All, PlantedBugsWithDriver, testing::ValuesIn(kWithDriver),
                         [](const auto& tested) { return std::string(tested.param.name); });

using ServiceCase = Case<service::PlantedBug>;
constexpr ServiceCase kInService[] = {
    {service::PlantedBug::kConfigBeforeOpen, "config_before_its_publication", Failure::kSafety,
     "not open"},
    {service::PlantedBug::kKeepsPublication, "a_publication_that_stays", Failure::kSafety,
     "silent consumer"},
    {service::PlantedBug::kForgetsRate, "a_rate_that_stays", Failure::kSafety,
     "faster than its rate"},
    {service::PlantedBug::kNoGate, "no_gate", Failure::kSafety, "faster than it wanted"},
    {service::PlantedBug::kOldSet, "an_older_set", Failure::kLiveness, "metadata in force"},
    {service::PlantedBug::kSkipsChecksum, "a_blob_without_its_checksum", Failure::kSafety,
     "a blob is delivered"},
    {service::PlantedBug::kProgressForNobody, "progress_for_nobody", Failure::kSafety,
     "nobody wants it"},
    {service::PlantedBug::kProgressUnchecked, "progress_that_is_believed", Failure::kSafety,
     "a prefix"},
    {service::PlantedBug::kHastySupervisor, "a_hasty_supervisor", Failure::kSafety,
     "calls a consumer silent"},
};

class PlantedBugsInService : public testing::TestWithParam<ServiceCase> {};

TEST_P(PlantedBugsInService, are_found_within_32_seeds_wherever_one_begins) {
  for (const std::uint64_t first : kFirstSeeds) {
    EXPECT_TRUE((is_found<service::World, service::Scenario>(GetParam(), first)))
        << "seeds from " << first;
  }
}

INSTANTIATE_TEST_SUITE_P(All, PlantedBugsInService, testing::ValuesIn(kInService),
                         [](const auto& tested) { return std::string(tested.param.name); });

}  // namespace
}  // namespace tensorpool::sim
