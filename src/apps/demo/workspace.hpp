// A directory of a demo's own below /dev/shm: its media driver and its frames live there, so a demo
// meets no other stream and leaves nothing behind.
//
// The directory goes with its owner. What a killed demo left is removed by the next one: the lock
// on a directory is dropped with the process that holds it.
// Thread contract: one thread.
#pragma once

#include <filesystem>
#include <string>

#include "os/unique_fd.hpp"
#include "tensorpool/types/error.hpp"

namespace tensorpool::inline v0::apps {

class DemoWorkspace {
 public:
  /// Removes what killed demos of this user have left, and makes a new directory.
  [[nodiscard]] static Result<DemoWorkspace> create();

  DemoWorkspace(DemoWorkspace&&) noexcept = default;
  DemoWorkspace& operator=(DemoWorkspace&&) = delete;
  /// Removes the directory with everything in it.
  ~DemoWorkspace();

  [[nodiscard]] const std::string& path() const noexcept { return path_; }
  /// Of the media driver, below a workspace at `path`.
  [[nodiscard]] static std::string aeron_dir(const std::string& path) { return path + "/aeron"; }
  /// For whoever outlives the owner. Removes nothing but a workspace of this user.
  static void remove(const std::filesystem::path& path);

 private:
  DemoWorkspace(std::string path, os::UniqueFd lock) noexcept
      : path_(std::move(path)), lock_(std::move(lock)) {}

  std::string path_;
  os::UniqueFd lock_;
};

}  // namespace tensorpool::inline v0::apps
