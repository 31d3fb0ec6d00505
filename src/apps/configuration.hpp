// The configuration that a driver started here would run with. For `tp config`, and for the verbs
// that start a driver.
#pragma once

#include <string>

#include "config/load.hpp"

namespace tensorpool::inline v0::apps {

/// Reads the file, or takes the built-in one where `path` is empty; then the environment of this
/// process. A file that cannot be read is a problem like any other (D319).
[[nodiscard]] tl::expected<config::Loaded, config::Refused> load_configuration(
    const std::string& path);

}  // namespace tensorpool::inline v0::apps
