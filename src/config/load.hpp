// From a configuration file and the environment to the settings of a driver, or to everything that
// is wrong with them.
//
//     const auto loaded = config::load({.file = &file, .environment = variables, .user = user});
//     if (!loaded) { for (const config::Problem& p : loaded.error().errors) … to_text(p) … }
//     driver.start(loaded->settings);
//
// Pure: reading the file and the environment is the caller's. Spec: §2.21 (D319..D333).
// Thread contract: free functions, any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "config/document.hpp"
#include "core/driver/settings.hpp"
#include "tensorpool/types/error.hpp"

namespace tensorpool::inline v0::config {

/// A configuration file that was read.
struct File {
  std::string name;  ///< as people are told it
  std::string text;
};

/// Environment variables by name.
using Environment = std::map<std::string, std::string, std::less<>>;

struct Sources {
  const File* file = nullptr;  ///< none: the built-in configuration
  Environment environment = {};
  std::string user;  ///< as `region::sanitized_user` gives it
  /// For a supervisor without a driver around it: the table [supervisor] counts as present, and
  /// neither profiles nor streams are needed.
  bool supervisor_alone = false;
};

/// Where a value comes from.
struct Origin {
  enum class Kind : std::uint8_t { kDefault, kFile, kVariable };
  Kind kind = Kind::kDefault;
  std::string name = {};  ///< of the file or of the variable
  Place place = {};       ///< in the file
};

/// `default`, `driver.toml:3:5`, `DRIVER_QOS_STREAM_ID`.
[[nodiscard]] std::string to_text(const Origin& origin);

/// Why a value, or the file as a whole, is refused; or what a warning says.
struct Problem {
  Origin origin;        ///< a file without a place: something is missing
  std::string key;      ///< in full; empty: the file is no TOML
  std::string message;  ///< with value, limit and fix
};

/// `driver.toml:3:5: driver.qos_stream_id: 0 is out of range: use 1 to 2147483647`.
[[nodiscard]] std::string to_text(const Problem& problem);

/// `invalid_argument`, as far as an Error can tell it.
[[nodiscard]] Error to_error(const Problem& problem);

/// A configuration that can be used.
struct Loaded {
  core::driver::Settings settings;  ///< has passed check_settings; no default is left open
  std::vector<Problem> warnings;
  /// Of every key that was given, in full (`profiles.small.payload_pools[0].pool_id`), and of the
  /// tables they stand in. What is not here has its default.
  std::map<std::string, Origin, std::less<>> origins;

  [[nodiscard]] Origin origin_of(std::string_view key) const;
};

/// One that cannot. Both lists are in the order of the file.
struct Refused {
  std::vector<Problem> errors;  ///< everything that is wrong: at least one
  std::vector<Problem> warnings;
};

/// A file beyond this is none that anybody wrote.
inline constexpr std::size_t kFileBytesMax = std::size_t{1} << 20U;

[[nodiscard]] tl::expected<Loaded, Refused> load(const Sources& sources);

}  // namespace tensorpool::inline v0::config
