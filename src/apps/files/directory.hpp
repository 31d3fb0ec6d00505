// A directory of files: read as the frames of all of them, in the order of their names; written as
// one .npy per frame, named by its sequence number (`000000123.npy`).
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "apps/files/frame_sink.hpp"
#include "apps/files/frame_source.hpp"
#include "apps/files/packer.hpp"

namespace tensorpool::inline v0::apps::files {

/// Reads files with `open`, one at a time; all have to hold frames of one kind
/// (Errc::kShapeChanged).
class DirectorySource final : public FrameSource {
 public:
  /// Opens one file of the directory.
  using Open = std::function<Result<std::unique_ptr<FrameSource>>(const std::string& path)>;

  /// Takes the files of `directory` whose extension is in `extensions` (with dot, lower case), or
  /// all where that is empty; hidden ones and unfinished ones (`.part`) never.
  [[nodiscard]] static Result<std::unique_ptr<FrameSource>> create(
      const std::string& directory, const std::vector<std::string_view>& extensions, Open open);

  [[nodiscard]] Result<std::optional<FrameBytes>> next() override;
  [[nodiscard]] Status rewind() override;
  [[nodiscard]] std::optional<std::uint64_t> frame_count() const noexcept override {
    return std::nullopt;
  }

 private:
  DirectorySource(std::vector<std::string> paths, Open open, std::unique_ptr<FrameSource> first);
  [[nodiscard]] Status open_file(std::size_t index);

  std::vector<std::string> paths_;  // sorted, never empty
  Open open_;
  std::unique_ptr<FrameSource> file_;
  std::size_t index_ = 0;  // of file_ in paths_
};

/// Frames may differ in type and shape.
class DirectorySink final : public FrameSink {
 public:
  /// Makes the directory if it is missing. One that holds .npy files is Errc::kAlreadyExists:
  /// frames of two runs would be mixed.
  [[nodiscard]] static Result<std::unique_ptr<FrameSink>> create(const std::string& directory);

  [[nodiscard]] Status write(const TensorInfo& info, FrameBytes bytes,
                             std::uint64_t sequence) override;
  [[nodiscard]] Status finish() override { return {}; }

 private:
  explicit DirectorySink(std::string directory) : directory_(std::move(directory)) {}

  std::string directory_;
  Packer packer_;
};

}  // namespace tensorpool::inline v0::apps::files
