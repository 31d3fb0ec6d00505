// How verbs talk to a running driver: over its admin socket (docs/adr/0020).
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "admin/request.hpp"
#include "apps/console.hpp"
#include "apps/stream_lookup.hpp"
#include "tensorpool/client.hpp"
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

/// What a person is told of an answer that is a refusal: its `message`, else all of `line`.
[[nodiscard]] std::string answer_text(const nlohmann::ordered_json& answer,
                                      const std::string& line);

/// What the driver has answered, without `v` and `ok`; or why it has not, told on `console`, which
/// is what nothing means.
[[nodiscard]] std::optional<nlohmann::ordered_json> ask_driver(const DriverAddress& address,
                                                               const admin::Request& request,
                                                               Console& console);

/// A stream as people name it: a number is one, anything else a name. Fills `name` or `stream_id`.
void set_stream(admin::Request& request, const std::string& stream);

/// Who is to own the files.
enum class Deployment : std::uint8_t {
  kWhatIsThere,  ///< the driver where one answers on its admin socket, else the publishers
  kDriver,       ///< the driver, which is waited for
  kStandalone,   ///< the publishers, also where a driver runs
};

/// Puts --driver and --standalone on the command line of a verb that streams.
void add_deployment(CLI::App& verb, Deployment& deployment);

/// How a verb comes to streams.
[[nodiscard]] ClientOptions choose_client(const std::string& aeron_dir, Deployment deployment);

/// The stream by the number that the driver has for its name, where there is one.
[[nodiscard]] StreamRef resolve_at_driver(const std::string& aeron_dir, StreamRef stream);

}  // namespace tensorpool::inline v0::apps
