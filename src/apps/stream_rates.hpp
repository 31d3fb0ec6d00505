// How fast streams run, from outside: two looks at the newest frame of each header ring, some time
// apart. Nobody is asked and nothing is subscribed to. Thread contract: free functions.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "tensorpool/types/time.hpp"

namespace tensorpool::inline v0::apps {

struct StreamRate {
  std::uint64_t newest_seq = 0;
  std::optional<Nanos> age;     ///< of the newest frame, where it has a time
  double hz = 0;                ///< frames a second
  double bytes_per_second = 0;  ///< of payload, if all were as large as the newest
};

/// One for each ring of `ring_uris`, in that order; nothing for one that cannot be read, or that
/// has had no frame. Takes `span` and the time that the looks take.
[[nodiscard]] std::vector<std::optional<StreamRate>> measure_rates(
    const std::vector<std::string>& ring_uris, Nanos span);

}  // namespace tensorpool::inline v0::apps
