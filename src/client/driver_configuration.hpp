// The configuration that a driver started in this process runs with. For Driver, and for the verbs
// that start, show or check one.
//
// Thread contract: free functions, any thread; nobody changes the environment meanwhile.
#pragma once

#include <string>
#include <string_view>

#include "config/load.hpp"

namespace tensorpool::inline v0::detail {

/// Reads the file, or takes the built-in one where `path` is empty; then the environment of this
/// process. A file that cannot be read is a problem like any other (D319).
[[nodiscard]] tl::expected<config::Loaded, config::Refused> load_configuration(
    const std::string& path);
/// The same for a supervisor without a driver around it (config::Sources::supervisor_alone).
[[nodiscard]] tl::expected<config::Loaded, config::Refused> load_supervisor_configuration(
    const std::string& path);
/// The same for a text, of which `name` is said to people.
[[nodiscard]] tl::expected<config::Loaded, config::Refused> parse_configuration(std::string name,
                                                                                std::string text);

/// What is in effect, without secrets, for those who ask the driver.
[[nodiscard]] std::string effective_text(const config::Loaded& loaded);

}  // namespace tensorpool::inline v0::detail
