// Bugs that are planted, to see that the simulator finds them.
#pragma once

#include <cstdint>

#include "parts/named_bug.hpp"

namespace tensorpool::inline v0::sim::service {

enum class PlantedBug : std::uint8_t {
  kNone,
  kConfigBeforeOpen,   ///< a config names a publication that is not open yet
  kKeepsPublication,   ///< of a consumer that is silent
  kForgetsRate,        ///< a changed rate has no effect on a stream of one's own
  kNoGate,             ///< nothing is thinned on the shared stream
  kOldSet,             ///< versions of sets are not looked at
  kSkipsChecksum,      ///< blobs are delivered whatever came
  kProgressForNobody,  ///< progress is told although nobody wants it
  kProgressUnchecked,  ///< what progress says is believed
  kHastySupervisor,    ///< consumers are called silent too early
};

inline constexpr NamedBug<PlantedBug> kPlantedBugs[] = {
    {"config-before-open", PlantedBug::kConfigBeforeOpen},
    {"keeps-publication", PlantedBug::kKeepsPublication},
    {"forgets-rate", PlantedBug::kForgetsRate},
    {"no-gate", PlantedBug::kNoGate},
    {"old-set", PlantedBug::kOldSet},
    {"skips-checksum", PlantedBug::kSkipsChecksum},
    {"progress-for-nobody", PlantedBug::kProgressForNobody},
    {"progress-unchecked", PlantedBug::kProgressUnchecked},
    {"hasty-supervisor", PlantedBug::kHastySupervisor},
};

}  // namespace tensorpool::inline v0::sim::service
