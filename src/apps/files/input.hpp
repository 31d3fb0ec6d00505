// Bytes of an input file: mapped, or held in memory, behind one view.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "os/unique_fd.hpp"
#include "tensorpool/types/error.hpp"

namespace tensorpool::inline v0::apps::files {

/// Opens a regular file for reading; never waits for a FIFO. `bytes`: its size.
struct InputFile {
  os::UniqueFd file;
  std::size_t bytes = 0;
};
[[nodiscard]] Result<InputFile> open_input(const std::string& path);

/// Read-only bytes that live as long as this object, also when it is moved. Move-only.
///
/// A mapped file that another process cuts short while it is read raises SIGBUS: publish from a
/// file that is complete.
class FileBytes {
 public:
  [[nodiscard]] static Result<FileBytes> map(const InputFile& file, const std::string& name);
  [[nodiscard]] static FileBytes own(std::vector<std::byte> bytes) noexcept;

  FileBytes(FileBytes&& other) noexcept;
  FileBytes& operator=(FileBytes&& other) noexcept;
  ~FileBytes();

  [[nodiscard]] std::span<const std::byte> view() const noexcept { return view_; }

 private:
  FileBytes() = default;

  std::span<const std::byte> view_;
  std::vector<std::byte> owned_;  // empty when `view_` is a mapping
};

}  // namespace tensorpool::inline v0::apps::files
