// What the producer of the simulated stream really did, for the checkers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "tensorpool/types/metadata.hpp"

namespace tensorpool::inline v0::sim::service {

struct FrameTruth {
  std::uint64_t filled_bytes = 0;
  std::uint64_t total_bytes = 0;
  bool committed = false;
};

struct StreamTruth {
  std::uint64_t epoch = 0;                         ///< of the present producer, or of the last one
  std::uint64_t frames = 0;                        ///< committed, of all epochs
  std::map<std::uint64_t, FrameTruth> taken = {};  ///< numbers of this epoch

  /// Everything that was ever in force: (epoch, version).
  std::map<std::pair<std::uint64_t, std::uint32_t>, std::vector<Attribute>> sets = {};
  std::uint32_t set_version = 0;  ///< in force; 0 for none

  std::map<std::uint32_t, std::vector<std::byte>> blobs = {};  ///< by type, each of its own

  void begin_epoch() {
    ++epoch;
    taken.clear();
    set_version = 0;
  }
  [[nodiscard]] const std::vector<Attribute>* set_in_force() const {
    const auto found = sets.find({epoch, set_version});
    return found == sets.end() ? nullptr : &found->second;
  }
  /// Whether `attributes` were ever announced as `version`, in whatever epoch: a set does not say
  /// which one it belongs to.
  [[nodiscard]] bool was_ever(std::uint32_t version,
                              const std::vector<Attribute>& attributes) const {
    for (const auto& [key, set] : sets) {
      if (key.second == version && set == attributes) {
        return true;
      }
    }
    return false;
  }
};

}  // namespace tensorpool::inline v0::sim::service
