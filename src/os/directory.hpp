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

/// What a directory of an owner is to be like.
struct DirectoryAccess {
  enum class Existing : std::uint8_t {
    kLeave,  ///< one that exists stays as it is
    kWiden,  ///< gets the bits that it lacks, and the group
    kExact,  ///< gets mode and group
  };
  mode_t mode = 0700;
  std::optional<gid_t> group = {};  ///< none: whatever the system gives
  Existing existing = Existing::kLeave;
};

/// Opens an existing directory and verifies that it is a real one, of this effective user and not
/// writable by others; else `path_rejected`, or `not_found` when it is absent (W151).
[[nodiscard]] Result<Directory> open_own_directory(Syscalls& calls, const Directory& parent,
                                                   const std::string& name);

/// Creates a directory with exactly the mode and the group, whatever the umask takes from others
/// (W150), and opens it; `already_exists` when there is one. Nothing is left behind on failure.
[[nodiscard]] Result<Directory> create_directory(Syscalls& calls, const Directory& parent,
                                                 const std::string& name,
                                                 const DirectoryAccess& access);

/// One level: opened, and created where it is absent and `create` is given. Verified in any case.
[[nodiscard]] Result<Directory> open_level(Syscalls& calls, const Directory& parent,
                                           const std::string& name,
                                           const std::optional<DirectoryAccess>& create);

/// Opens `levels` below `base`, one after the other; those that are absent are created with
/// `create`, or answered with `not_found` when there is none. Precondition: `base` is canonical.
[[nodiscard]] Result<Directory> open_levels(Syscalls& calls, const std::string& base,
                                            std::span<const std::string> levels,
                                            const std::optional<DirectoryAccess>& create);

/// The canonical form of `directory`, which is created with `access` if nothing but its last level
/// is missing; `invalid_argument` like `canonical_base_dir`. Spec: D196.
[[nodiscard]] Result<std::string> create_base_directory(Syscalls& calls,
                                                        const std::string& directory,
                                                        const DirectoryAccess& access);

/// Whether everybody may put things into the directory and take out what others put there: writable
/// by others, and no sticky bit. An error counts as no.
[[nodiscard]] bool lets_others_exchange(Syscalls& calls, const std::string& directory);

/// The directories in `parent` whose names are plain decimals from 1 to `most`, ascending. Symbolic
/// links are not followed (W416, D180), all other names are passed over (D181).
[[nodiscard]] Result<std::vector<std::uint64_t>> list_numbered(Syscalls& calls,
                                                               const Directory& parent,
                                                               std::uint64_t most);

/// A directory that nobody but this user may write to, at `path`: made where there is none. It has
/// mode 0700; with a group 0710, so that its members may use what they know the name of. One that
/// is no real directory, of another user, or writable by others, is refused with `path_rejected`,
/// and so is one in a directory where others could exchange it.
[[nodiscard]] Status ensure_private_directory(const std::string& path,
                                              std::optional<gid_t> group = {});

}  // namespace tensorpool::inline v0::os
