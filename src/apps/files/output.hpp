// Bytes of an output: a file that appears whole or not at all, and a descriptor that takes
// everything.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "apps/files/format.hpp"
#include "apps/files/input.hpp"
#include "tensorpool/types/error.hpp"

namespace tensorpool::inline v0::apps::files {

/// Writes all of `bytes`, through interruptions; `written`, where given, grows by what the file
/// took. A broken pipe is Errc::kClosed; so is a signal once `*stop` is set.
/// Precondition: SIGPIPE is ignored or blocked where a pipe may break.
[[nodiscard]] Status write_all(int fd, FrameBytes bytes, std::string_view name,
                               std::uint64_t* written = nullptr,
                               const std::atomic<bool>* stop = nullptr);

/// A file that is written as `PATH.part` beside its place and renamed when it is complete: whatever
/// stood at `path` stays there until then, also when this process is killed. A `.part` left behind
/// by a killed process is reused; one that another process is writing is Errc::kAlreadyExists.
class PartFile {
 public:
  /// A symbolic link at `path` stays, and the file that it names is replaced.
  [[nodiscard]] static Result<PartFile> create(const std::string& path);

  PartFile(PartFile&&) noexcept = default;
  PartFile& operator=(PartFile&&) = delete;
  /// Removes the `.part` unless it was renamed or is to be kept.
  ~PartFile();

  /// Adds bytes at the end, through a buffer.
  [[nodiscard]] Status append(FrameBytes bytes);
  [[nodiscard]] Status flush();
  /// Bytes that the file system has taken so far; the buffer's are not among them.
  [[nodiscard]] std::uint64_t size() const noexcept { return size_; }

  /// Replaces bytes at `offset`, which must have been flushed.
  [[nodiscard]] Status overwrite(std::uint64_t offset, FrameBytes bytes);
  /// Cuts the flushed file.
  [[nodiscard]] Status truncate(std::uint64_t bytes);
  /// Flushes, and puts the file in its place; `durable`: not before its bytes are on the disk.
  [[nodiscard]] Status publish(bool durable);
  /// Leaves the `.part` behind, for what could not be published but is worth keeping.
  void keep() noexcept { keep_ = true; }

 private:
  PartFile(std::string path, os::UniqueFd file);

  std::string path_;
  os::UniqueFd file_;
  std::vector<std::byte> buffer_;
  std::uint64_t size_ = 0;
  bool keep_ = false;
};

}  // namespace tensorpool::inline v0::apps::files
