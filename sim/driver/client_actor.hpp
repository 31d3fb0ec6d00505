// A client's process, whatever its role: what the world may do with it.
#pragma once

#include <string>

#include "driver/attach_side.hpp"
#include "parts/actor.hpp"

namespace tensorpool::inline v0::sim::driver {

class ClientActor : public Actor {
 public:
  virtual void leave() = 0;
  /// A ConsumerConfig arrives.
  virtual void reconfigure() {}
  [[nodiscard]] virtual const AttachSide& lease() const = 0;
  /// Mode and present state, for a person who has to understand a failure.
  [[nodiscard]] virtual std::string describe() const = 0;

  PlantedBug bug = PlantedBug::kNone;
};

}  // namespace tensorpool::inline v0::sim::driver
