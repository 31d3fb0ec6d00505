// What `tp top` shows, as JSON: what is not known is null. Pure.
//
// Thread contract: free functions.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "apps/top/model.hpp"

namespace tensorpool::inline v0::apps::top {

/// With `v`.
[[nodiscard]] nlohmann::ordered_json to_json(const View& view);
[[nodiscard]] nlohmann::ordered_json to_json(const StreamRow& row);
[[nodiscard]] nlohmann::ordered_json to_json(const ConsumerRow& row);

}  // namespace tensorpool::inline v0::apps::top
