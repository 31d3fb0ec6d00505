// The counters of a media driver and its clients, read from the file that it shows them in: nobody
// has to answer, or even to be well.
//
// Thread contract: any thread. Spec: 2-driver.md §2.22 (D336).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tensorpool/types/error.hpp"

namespace tensorpool::inline v0::bus {

struct CounterReading {
  std::int32_t type_id = 0;
  std::string key =
      {};  ///< up to its trailing zeros, of which Aeron stores as many as there is room
  std::string label = {};  ///< at most 380 bytes
  std::int64_t value = 0;
};

/// Those with type ids from `first` to `last`, the oldest first: what a program that was killed has
/// left, which stays for some seconds, comes before what its successor has made. The values are of
/// one instant each, not together. Errors: those of a directory without a media driver that is
/// alive.
[[nodiscard]] Result<std::vector<CounterReading>> read_counters(const std::string& aeron_dir,
                                                                std::int32_t first,
                                                                std::int32_t last);

}  // namespace tensorpool::inline v0::bus
