// Names of directories and files that an owner creates:
//
//   <base>/tensorpool-<user>/<namespace>/<streamId>/<epoch>/header.ring
//   <base>/tensorpool-<user>/<namespace>/<streamId>/<epoch>/<poolId>.pool
//
// For owners and cleaners only: clients never derive a path (W114). Pure.
// Spec: §1.8 (W137..W140), §1.21 (W409, W410, W413). Thread contract: free functions.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/region/superblock.hpp"
#include "tensorpool/types/error.hpp"
#include "tensorpool/types/time.hpp"

namespace tensorpool::inline v0::core::region {

/// The user's name as it stands in a directory name: bytes outside [A-Za-z0-9_-] become `_`; the
/// decimal uid when there is no name (W139).
[[nodiscard]] std::string sanitized_user(std::string_view name, std::uint32_t uid);

/// Refuses a namespace that is not [A-Za-z0-9_-]+ with `invalid_argument` (W140).
[[nodiscard]] Status check_namespace(std::string_view name) noexcept;

/// Where the epochs of one stream lie.
struct StreamPlace {
  std::string user = {};  ///< as `sanitized_user` gives it
  std::string name_space = "default";
  std::uint32_t stream_id = 0;

  /// The directories below the base, outermost first: tensorpool-<user>, <namespace>, <streamId>.
  [[nodiscard]] std::array<std::string, 3> levels() const;
};

/// `header.ring` or `<poolId>.pool`.
[[nodiscard]] std::string region_file_name(const ExpectedRegion& region);

/// True for `header.ring` and `<number>.pool` (W421).
[[nodiscard]] bool is_region_file_name(std::string_view name) noexcept;

/// A plain decimal without leading zeros (W138) that fits 64 bits.
[[nodiscard]] std::optional<std::uint64_t> parse_decimal(std::string_view text) noexcept;

/// The epoch of a standalone owner: the larger of `highest_existing + 1` and now_real (W410);
/// `epoch_exhausted` when there is none left (W409, W413). `highest_existing` is 0 for none.
[[nodiscard]] Result<std::uint64_t> choose_epoch(std::uint64_t highest_existing,
                                                 Nanos now_real) noexcept;

}  // namespace tensorpool::inline v0::core::region
