// The directories of an owner, level by level. Spec: §1.8 (W137, W149..W151), 2-driver §2.11,
// §2.12.
//
// For owners and cleaners. Thread contract: any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "os/syscalls.hpp"
#include "os/unique_fd.hpp"
#include "tensorpool/types/error.hpp"

namespace tensorpool::inline v0::os {

/// An open directory, and the path that messages and URIs call it by.
struct Directory {
  UniqueFd fd;
  std::string path;

  [[nodiscard]] std::string operator/(std::string_view name) const {
    return std::string(path).append("/").append(name);
  }
};

/// Opens an existing directory and verifies that it is a real one, of this effective user and not
/// writable by others; else `path_rejected`, or `not_found` when it is absent (W151).
[[nodiscard]] Result<Directory> open_own_directory(Syscalls& calls, const Directory& parent,
                                                   const std::string& name);

/// Creates a directory with exactly `mode`, whatever the umask takes from others (W150), and opens
/// it; `already_exists` when there is one. Nothing is left behind on failure.
[[nodiscard]] Result<Directory> create_directory(Syscalls& calls, const Directory& parent,
                                                 const std::string& name, mode_t mode);

/// Opens `levels` below `base`, one after the other; those that are absent are created with
/// `create_mode`, or answered with `not_found` when there is none. Precondition: `base` is
/// canonical.
[[nodiscard]] Result<Directory> open_levels(Syscalls& calls, const std::string& base,
                                            std::span<const std::string> levels,
                                            std::optional<mode_t> create_mode);

/// The canonical form of `directory`, which is created with `mode` if nothing but its last level is
/// missing; `invalid_argument` like `canonical_base_dir`. Spec: D196.
[[nodiscard]] Result<std::string> create_base_directory(Syscalls& calls,
                                                        const std::string& directory, mode_t mode);

/// The directories in `parent` whose names are plain decimals from 1 to `most`, ascending. Symbolic
/// links are not followed (W416, D180), all other names are passed over (D181).
[[nodiscard]] Result<std::vector<std::uint64_t>> list_numbered(Syscalls& calls,
                                                               const Directory& parent,
                                                               std::uint64_t most);

/// A directory for this user alone, at `path`: made with mode 0700 where there is none; one that is
/// no real directory, of another user, or writable by others, is refused with `path_rejected`.
[[nodiscard]] Status ensure_private_directory(const std::string& path);

}  // namespace tensorpool::inline v0::os
