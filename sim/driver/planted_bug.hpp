// Bugs that are planted, to see that the simulator finds them. Each cripples a process in one
// place, and one checker finds it.
#pragma once

#include <cstdint>

#include "parts/named_bug.hpp"

namespace tensorpool::inline v0::sim::driver {

enum class PlantedBug : std::uint8_t {
  kNone,
  // The driver
  kSameEpoch,          ///< takes a number that it knows
  kEarlyEpoch,         ///< hands an epoch out before its superblocks are stored
  kForgetsReferences,  ///< collects what leases refer to
  kKeepsTooFew,        ///< collects what is of rank
  kCollectsYoung,      ///< collects what is too young
  kNeverCollects,
  kTwoProducers,      ///< grants what it has to refuse
  kSameNodeId,        ///< for every lease
  kNoExpiry,          ///< leases live for ever
  kEarlyExpiry,       ///< they end before their time
  kHastyAnnounce,     ///< overtakes the end of the producer's lease
  kDeafAfterRestart,  ///< hears no attach
  kBusyActivity,      ///< writes activity while there is a producer
  // Clients
  kWritesOn,      ///< a producer does not look at its deadline
  kReadsOn,       ///< a consumer does not look at its deadline, and seldom does control work
  kStaysInEpoch,  ///< a consumer goes on with an epoch that is over
  kForgetsGaps,   ///< a consumer does not count what is lost
  kBeginsLate,    ///< a consumer does not begin an epoch that it follows into with frame 0
};

inline constexpr NamedBug<PlantedBug> kPlantedBugs[] = {
    {"same-epoch", PlantedBug::kSameEpoch},
    {"early-epoch", PlantedBug::kEarlyEpoch},
    {"forgets-references", PlantedBug::kForgetsReferences},
    {"keeps-too-few", PlantedBug::kKeepsTooFew},
    {"collects-young", PlantedBug::kCollectsYoung},
    {"never-collects", PlantedBug::kNeverCollects},
    {"two-producers", PlantedBug::kTwoProducers},
    {"same-node-id", PlantedBug::kSameNodeId},
    {"no-expiry", PlantedBug::kNoExpiry},
    {"early-expiry", PlantedBug::kEarlyExpiry},
    {"hasty-announce", PlantedBug::kHastyAnnounce},
    {"deaf-after-restart", PlantedBug::kDeafAfterRestart},
    {"busy-activity", PlantedBug::kBusyActivity},
    {"writes-on", PlantedBug::kWritesOn},
    {"reads-on", PlantedBug::kReadsOn},
    {"stays-in-epoch", PlantedBug::kStaysInEpoch},
    {"forgets-driver-gaps", PlantedBug::kForgetsGaps},
    {"begins-late", PlantedBug::kBeginsLate},
};

}  // namespace tensorpool::inline v0::sim::driver
