// What a client is willing to map: directories, permissions, sizes. Spec: §1.7 (W116..W119, W127,
// W128, W136).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/region/superblock.hpp"
#include "os/safe_open.hpp"
#include "os/syscalls.hpp"
#include "tensorpool/types/error.hpp"

namespace tensorpool::inline v0::os {

/// Bits that no region file may carry: writable by others (W127).
inline constexpr mode_t kForbiddenModeBitsDefault = 0002;

/// The canonical form of a base directory; `invalid_argument` when it is relative, does not exist,
/// is no directory or resolves to `/` (W116, W117).
[[nodiscard]] Result<std::string> canonical_base_dir(Syscalls& calls, std::string_view directory);

/// Made once, when the configuration is loaded; a value afterwards. There is no way to turn the
/// containment check off (W119). Thread contract: immutable.
class RegionPolicy {
 public:
  struct Options {
    std::vector<std::string> allowed_base_dirs = {"/dev/shm"};  ///< empty: nothing is mapped (W118)
    mode_t forbidden_mode_bits = kForbiddenModeBitsDefault;
    std::optional<uid_t> expected_uid = {};
    std::optional<gid_t> expected_gid = {};
    bool require_hugepages = false;  ///< also for URIs that do not say so (W112)
    bool forbid_hugepages = false;   ///< whatever the URI says (D123)
    std::uint64_t max_region_bytes = core::region::kMaxRegionBytesDefault;
    bool populate = false;                         ///< MAP_POPULATE
    bool lock = false;                             ///< mlock what is mapped (D209)
    std::optional<OpenVariant> open_variant = {};  ///< default: what the kernel has
  };
  [[nodiscard]] static Result<RegionPolicy> create(Syscalls& calls, Options options);

  [[nodiscard]] const Options& options() const noexcept { return options_; }
  [[nodiscard]] OpenVariant open_variant() const noexcept { return variant_; }
  /// Where a canonical path lies, or `path_rejected` (W118, W122). Views into both.
  [[nodiscard]] Result<CanonicalPath> contain(std::string_view canonical) const noexcept;

 private:
  RegionPolicy(Options options, std::vector<std::string> bases, OpenVariant variant)
      : options_(std::move(options)), bases_(std::move(bases)), variant_(variant) {}

  Options options_;
  std::vector<std::string> bases_;
  OpenVariant variant_;
};

}  // namespace tensorpool::inline v0::os
