// What is wrong with the settings of a driver, all of it at once, and before anything is touched.
//
// For settings from a file as for those made in code: every rule of the tables of §2.21 is checked
// here, except what no value of `Settings` can break. Pure: what only the file system knows (links,
// huge pages, whether a directory exists) is asked later.
// Spec: §2.21 (D320, D330, D331), D20, D237, D238. Thread contract: free functions, any thread.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/driver/settings.hpp"
#include "tensorpool/types/error.hpp"

namespace tensorpool::inline v0::core::driver {

/// One thing that is wrong, or that is likely not to be meant.
struct Finding {
  enum class Severity : std::uint8_t { kError, kWarning };
  Severity severity = Severity::kError;
  std::string key;      ///< to blame, in full: `profiles.small.header_nslots`
  std::string partner;  ///< the key that it does not go together with; empty: it is wrong by itself
  std::string message;  ///< what is wrong, and what would be right
};

/// Everything that is wrong, in the order of the spec's tables. `user` is the name in the driver's
/// directories, as `region::sanitized_user` gives it: it decides how long URIs get (D20).
[[nodiscard]] std::vector<Finding> check_settings(const Settings& settings, std::string_view user);

/// The first error among the findings (`invalid_argument`), or success.
[[nodiscard]] Status first_error(std::span<const Finding> findings) noexcept;

}  // namespace tensorpool::inline v0::core::driver
