// A configuration that a verb can run with, its problems told to people.
#pragma once

#include <optional>
#include <string>
#include <utility>

#include "apps/console.hpp"
#include "config/load.hpp"

namespace tensorpool::inline v0::apps {

/// Every problem as a line; nothing when the configuration cannot be used. `aeron_dir` takes the
/// place of the one in the file, unless it is empty.
[[nodiscard]] inline std::optional<config::Loaded> usable_configuration(
    tl::expected<config::Loaded, config::Refused> loaded, const std::string& aeron_dir,
    Console& console) {
  for (const config::Problem& warning : loaded ? loaded->warnings : loaded.error().warnings) {
    console.warn(config::to_text(warning));
  }
  if (!loaded) {
    for (const config::Problem& problem : loaded.error().errors) {
      console.error(config::to_text(problem));
    }
    return std::nullopt;
  }
  if (!aeron_dir.empty()) {
    loaded->settings.aeron_dir = aeron_dir;
  }
  return std::move(*loaded);
}

}  // namespace tensorpool::inline v0::apps
