// The counters of producers and consumers as JSON and as sentences.
//
// Thread contract: free functions.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "tensorpool/types/counters.hpp"

namespace tensorpool::inline v0::apps {

/// Every counter under its own name.
[[nodiscard]] nlohmann::ordered_json counters_json(const ProducerCounters& counters);
[[nodiscard]] nlohmann::ordered_json counters_json(const ConsumerCounters& counters);
[[nodiscard]] nlohmann::ordered_json counters_json(const AttachCounters& counters);
[[nodiscard]] nlohmann::ordered_json counters_json(const BufferQueueCounters& counters);

/// Frames that were lost and counted. Frames that the reader passed over itself are not among them,
/// nor what was published before it came.
[[nodiscard]] std::uint64_t frames_lost(const ConsumerCounters& counters) noexcept;

/// `now` without the losses that `before` had counted already.
[[nodiscard]] ConsumerCounters without_losses_of(ConsumerCounters now,
                                                 const ConsumerCounters& before) noexcept;

/// One line for each counter that tells of a loss or of trouble and is not 0, with what it means.
[[nodiscard]] std::vector<std::string> troubles(const ProducerCounters& counters);
[[nodiscard]] std::vector<std::string> troubles(const ConsumerCounters& counters);

}  // namespace tensorpool::inline v0::apps
