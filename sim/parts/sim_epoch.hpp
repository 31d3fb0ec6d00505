// One mapped epoch, shared by the two sides of a consumer: the simulator's MappedEpoch.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "parts/sim_memory.hpp"
#include "parts/truth.hpp"
#include "tensorpool/types/mapping.hpp"

namespace tensorpool::inline v0::sim {

struct SimEpoch {
  std::uint64_t epoch = 0;
  std::shared_ptr<const SimMapping> mapping;
  const EpochTruth* truth = nullptr;
  /// Data side to control side: what the data path demands.
  std::optional<UnmapReason> unmap_wanted;
};

}  // namespace tensorpool::inline v0::sim
