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

/// Opens an existing directory and verifies that it is a real one, of this effective user and not
/// writable by others; else `path_rejected`, or `not_found` when it is absent (W151).
[[nodiscard]] Result<UniqueFd> open_own_directory(Syscalls& calls, int parent,
                                                  const std::string& name);

/// Creates a directory with exactly `mode`, whatever the umask (W150), and opens it;
/// `already_exists` when there is one. Nothing is left behind on failure.
[[nodiscard]] Result<UniqueFd> create_directory(Syscalls& calls, int parent,
                                                const std::string& name, mode_t mode);

/// Opens <base>/tensorpool-<user>/<namespace>/<streamId>; levels that are absent are created with
/// `create_mode`, or answered with `not_found` when there is none.
/// Precondition: `base` is canonical.
[[nodiscard]] Result<UniqueFd> open_stream_directory(Syscalls& calls, std::string_view base,
                                                     const core::region::StreamPlace& place,
                                                     std::optional<mode_t> create_mode);

}  // namespace tensorpool::inline v0::os
