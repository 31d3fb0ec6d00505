// JSON that somebody else has written.
#pragma once

#include <nlohmann/json.hpp>
#include <string_view>

namespace tensorpool::inline v0::apps {

inline constexpr int kJsonDepthMax = 100;

/// Discarded (`is_discarded()`) where it is no JSON, or is nested deeper than kJsonDepthMax: values
/// are copied and written by recursion.
[[nodiscard]] nlohmann::ordered_json parse_json(std::string_view text);

}  // namespace tensorpool::inline v0::apps
