// A process with many leases: one connection, one control bus, one group.
//
// Orders: `attach W` and `detach W` do so for all leases, W at a time, and answer with the time
// that each took; `cycle N` attaches and detaches the first lease N times; `report` tells what has
// happened since the last one.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "layout/messages_901.hpp"
#include "role.hpp"

namespace tensorpool::bench {

struct FleetOptions {
  struct Lease {
    std::uint32_t stream_id = 0;
    layout::Role role = layout::Role::kConsumer;
  };
  std::string aeron_dir;
  std::string base_dir;
  std::vector<Lease> leases;
  bool map = true;  ///< the regions, as a program would
};

void run_fleet(const FleetOptions& options, Orders& orders);

}  // namespace tensorpool::bench
