// One epoch directory that a cleaner looks at and perhaps removes.
//
// For clean_epochs (standalone) and collect_epochs (driver), which decide by rules of their own.
// Files are unlinked, never truncated, so existing mappings live on (W422). Spec: §1.21, 2-driver
// §2.14.
//
// Thread contract: an object with one owner.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "layout/superblock.hpp"
#include "os/directory.hpp"
#include "os/syscalls.hpp"

namespace tensorpool::inline v0::os {

class OldEpoch {
 public:
  /// Opens <stream_directory>/<name> without following links and looks at what is in it.
  /// `path_rejected` when it is no real directory of this user, `os_failure`.
  /// `calls` and `stream_directory` outlive it.
  [[nodiscard]] static Result<OldEpoch> open(Syscalls& calls, const Directory& stream_directory,
                                             std::string name);

  /// Modification times, CLOCK_REALTIME: of the directory, and the newest in it (W420, D226).
  [[nodiscard]] std::uint64_t directory_changed_ns() const noexcept {
    return directory_changed_ns_;
  }
  [[nodiscard]] std::uint64_t newest_change_ns() const noexcept { return newest_change_ns_; }
  /// The names of what is no region file: everything but regular files called `header.ring` or
  /// `<number>.pool` (W421, D232).
  [[nodiscard]] const std::vector<std::string>& foreign() const noexcept { return foreign_; }

  /// The superblock of the header ring, whatever it holds; nothing when there is no such file or it
  /// is too short for one. An error when it cannot be read.
  [[nodiscard]] Result<std::optional<layout::Superblock>> superblock() const;

  struct Removal {
    struct Refused {
      std::string name;  ///< empty: the directory itself
      int os_errno = 0;
    };
    bool complete = false;  ///< the directory is gone
    std::vector<Refused> refused;
  };
  /// Removes the region files, and the directory when it is empty then.
  [[nodiscard]] Removal remove() const;

 private:
  OldEpoch(Syscalls& calls, const Directory& stream_directory, Directory directory,
           std::string name)
      : calls_(&calls),
        stream_directory_(&stream_directory),
        directory_(std::move(directory)),
        name_(std::move(name)) {}
  [[nodiscard]] Status look();

  Syscalls* calls_;
  const Directory* stream_directory_;
  Directory directory_;
  std::string name_;
  std::uint64_t directory_changed_ns_ = 0;
  std::uint64_t newest_change_ns_ = 0;
  std::vector<std::string> removable_;
  std::vector<std::string> foreign_;
};

}  // namespace tensorpool::inline v0::os
