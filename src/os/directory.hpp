// The directories of an owner, level by level. Spec: §1.8 (W137, W149..W151).
//
// For create_region and clean_epochs. Thread contract: any thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "core/region/directories.hpp"
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

/// Opens <base>/tensorpool-<user>/<namespace>/<streamId>; levels that are absent are created with
/// `create_mode`, or answered with `not_found` when there is none.
/// Precondition: `base` is canonical.
[[nodiscard]] Result<Directory> open_stream_directory(Syscalls& calls, const std::string& base,
                                                      const core::region::StreamPlace& place,
                                                      std::optional<mode_t> create_mode);

}  // namespace tensorpool::inline v0::os
