// Opens a path without following a symbolic link in any of its components.
//
// Two variants of the same contract: openat2 where the kernel has it, else component by component
// with O_NOFOLLOW. For region_policy, open_region and directory. Spec: §1.7 step 5 (W124, W125).
// Thread contract: any thread.
#pragma once

#include <string_view>

#include "os/syscalls.hpp"
#include "os/unique_fd.hpp"
#include "tensorpool/types/error.hpp"

namespace tensorpool::inline v0::os {

enum class OpenVariant : std::uint8_t {
  kOpenat2,        ///< RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS
  kComponentWalk,  ///< one openat with O_NOFOLLOW for each component
};

/// kComponentWalk when openat2 answers ENOSYS, EPERM (seccomp) or EINVAL.
[[nodiscard]] OpenVariant probe_open_variant(Syscalls& calls);

/// A canonical path, cut behind the base directory it lies in.
struct CanonicalPath {
  std::string_view base;  ///< absolute, not "/"
  std::string_view rest;  ///< relative to it; empty for the base itself
};

/// Opens `path`; O_CLOEXEC and O_NOFOLLOW are added to `flags`. The base is opened from `/` and the
/// rest beneath the base. `path_rejected`, or `limit_reached` when descriptors have run out.
[[nodiscard]] Result<UniqueFd> open_canonical(Syscalls& calls, OpenVariant variant,
                                              CanonicalPath path, int flags);

/// The error of an open that failed with `os_errno`: `limit_reached` with the limit when
/// descriptors ran out, else `path_rejected`.
[[nodiscard]] Error open_error(std::string_view path, int os_errno) noexcept;

}  // namespace tensorpool::inline v0::os
