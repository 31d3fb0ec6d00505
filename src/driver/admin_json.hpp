// A line of JSON, as the admin socket answers with it.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace tensorpool::inline v0::driver {

using Json = nlohmann::ordered_json;

/// What every answer begins with where nothing was refused.
[[nodiscard]] inline Json fine() {
  return {{"v", 1}, {"ok", true}};
}

/// Names may hold any bytes: those that are no UTF-8 are replaced.
[[nodiscard]] inline std::string to_line(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace tensorpool::inline v0::driver
