// Bugs that are planted, to see that the simulator finds them.
#pragma once

#include <cstdint>

#include "parts/named_bug.hpp"

namespace tensorpool::inline v0::sim::standalone {

enum class PlantedBug : std::uint8_t {
  kNone,
  kNoFirstCheck,
  kNoSecondCheck,
  kNoCheckAfterUse,
  kNoInProgress,
  kForgetsGaps,
  kKeepsMapping,
  kBelievesAnnounces,
  kMuteAfterRestart,
  kCrash,  ///< of the simulated code itself
};

inline constexpr NamedBug<PlantedBug> kPlantedBugs[] = {
    {"no-first-check", PlantedBug::kNoFirstCheck},
    {"no-second-check", PlantedBug::kNoSecondCheck},
    {"no-check-after-use", PlantedBug::kNoCheckAfterUse},
    {"no-in-progress", PlantedBug::kNoInProgress},
    {"forgets-gaps", PlantedBug::kForgetsGaps},
    {"keeps-mapping", PlantedBug::kKeepsMapping},
    {"believes-announces", PlantedBug::kBelievesAnnounces},
    {"mute-after-restart", PlantedBug::kMuteAfterRestart},
    {"crash", PlantedBug::kCrash},
};

}  // namespace tensorpool::inline v0::sim::standalone
