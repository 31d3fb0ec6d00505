// How verbs talk to a running driver: over its admin socket (docs/adr/0020).
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "admin/request.hpp"
#include "apps/console.hpp"
#include "tensorpool/types/error.hpp"

namespace CLI {
class App;
}

namespace tensorpool::inline v0::apps {

/// Which driver.
struct DriverAddress {
  std::string aeron_dir;
  std::uint32_t control_stream_id = 1000;
};
void add_driver_address(CLI::App& verb, DriverAddress& address);

/// What the driver has answered, without `v` and `ok`; or why it has not, told on `console`, which
/// is what nothing means.
[[nodiscard]] std::optional<nlohmann::ordered_json> ask_driver(const DriverAddress& address,
                                                               const admin::Request& request,
                                                               Console& console);

/// A stream as people name it: a number is one, anything else a name. Fills `name` or `stream_id`.
void set_stream(admin::Request& request, const std::string& stream);

}  // namespace tensorpool::inline v0::apps
