// Names of directories and files that an owner creates:
//
//   <base>/tensorpool-<user>/<namespace>/<streamId>/<epoch>/header.ring
//   <base>/tensorpool-<user>/<namespace>/<streamId>/<epoch>/<poolId>.pool
//
// For owners and cleaners only: clients never derive a path (W114). Pure.
// Spec: §1.8 (W137..W140, W150), §1.21 (W409, W410, W413), 2-driver §2.11, §2.12. Thread contract:
// free functions.
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

/// The highest epoch of a driver (D179); that of a standalone owner is layout::kEpochMax.
inline constexpr std::uint64_t kDriverEpochMax = (1ULL << 63U) - 1;

/// The larger of `highest_known + 1` and `now`, which is now_real for a standalone owner (W410) and
/// now_mono for a driver (D178); `epoch_exhausted` beyond `epoch_max` (W409, W413, D179).
/// `highest_known` is 0 for none.
[[nodiscard]] Result<std::uint64_t> choose_epoch(
    std::uint64_t highest_known, Nanos now, std::uint64_t epoch_max = layout::kEpochMax) noexcept;

/// The mode of directories around files of `file_mode`: who may read may enter, and what a readable
/// group creates belongs to it (W150, D196).
[[nodiscard]] constexpr std::uint32_t directory_mode(std::uint32_t file_mode) noexcept {
  constexpr std::uint32_t kReadable = 0444;
  constexpr std::uint32_t kSetGroup = 02000;
  return file_mode | ((file_mode & kReadable) >> 2U) | ((file_mode & 0040) != 0 ? kSetGroup : 0);
}

}  // namespace tensorpool::inline v0::core::region
