#include "apps/files/directory.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <filesystem>
#include <span>

#include "apps/files/npy.hpp"
#include "apps/files/output.hpp"

namespace tensorpool::inline v0::apps::files {
namespace {

namespace fs = std::filesystem;

bool is_wanted(const fs::directory_entry& entry, const std::vector<std::string_view>& extensions) {
  std::error_code ignored;
  const std::string name = entry.path().filename().string();
  std::string extension = entry.path().extension().string();
  std::transform(extension.begin(), extension.end(), extension.begin(), [](unsigned char letter) {
    return static_cast<char>(letter >= 'A' && letter <= 'Z' ? letter - 'A' + 'a' : letter);
  });
  return !name.starts_with('.') && extension != ".part" && entry.is_regular_file(ignored) &&
         (extensions.empty() ||
          std::find(extensions.begin(), extensions.end(), extension) != extensions.end());
}

/// The wanted files of a directory, sorted by name.
[[nodiscard]] Result<std::vector<std::string>> list_files(
    const std::string& directory, const std::vector<std::string_view>& extensions) {
  std::vector<std::string> paths;
  std::error_code error;
  fs::directory_iterator entry(directory, error);
  for (; !error && entry != fs::directory_iterator(); entry.increment(error)) {
    if (is_wanted(*entry, extensions)) {
      paths.push_back(entry->path().string());
    }
  }
  if (error) {
    return fail(file_os_error(directory, "cannot list it", error.value()));
  }
  std::sort(paths.begin(), paths.end());
  return paths;
}

}  // namespace

Result<std::unique_ptr<FrameSource>> DirectorySource::create(
    const std::string& directory, const std::vector<std::string_view>& extensions, Open open) {
  auto paths = list_files(directory, extensions);
  if (!paths) {
    return fail(paths.error());
  }
  if (paths->empty()) {
    return fail(file_error(Errc::kNotFound, directory, "no file of a known format in it"));
  }
  auto first = open(paths->front());
  if (!first) {
    return first;
  }
  return std::unique_ptr<FrameSource>(
      new DirectorySource(std::move(*paths), std::move(open), std::move(*first)));
}

DirectorySource::DirectorySource(std::vector<std::string> paths, Open open,
                                 std::unique_ptr<FrameSource> first)
    : FrameSource({.info = first->info(), .bytes = first->frame_bytes()}),
      paths_(std::move(paths)),
      open_(std::move(open)),
      file_(std::move(first)) {}

Status DirectorySource::open_file(std::size_t index) {
  auto file = open_(paths_[index]);
  if (!file) {
    return fail(file.error());
  }
  if ((*file)->info() != info()) {
    return fail(file_error(Errc::kShapeChanged, paths_[index], "differs from the first file",
                           (*file)->frame_bytes(), frame_bytes()));
  }
  file_ = std::move(*file);
  index_ = index;
  return {};
}

Result<std::optional<FrameBytes>> DirectorySource::next() {
  for (;;) {
    auto frame = file_->next();
    if (!frame || *frame || index_ + 1 == paths_.size()) {
      return frame;
    }
    if (const Status opened = open_file(index_ + 1); !opened) {
      return fail(opened.error());
    }
  }
}

Status DirectorySource::rewind() {
  return index_ == 0 ? file_->rewind() : open_file(0);
}

Result<std::unique_ptr<FrameSink>> DirectorySink::create(const std::string& directory) {
  std::error_code error;
  fs::create_directory(directory, error);
  if (error) {
    return fail(file_os_error(directory, "cannot make the directory", error.value()));
  }
  const auto present = list_files(directory, {".npy"});
  if (!present) {
    return fail(present.error());
  }
  if (!present->empty()) {
    return fail(file_error(Errc::kAlreadyExists, directory, "holds .npy files", present->size()));
  }
  return std::unique_ptr<FrameSink>(new DirectorySink(directory));
}

Status DirectorySink::write(const TensorInfo& info, FrameBytes bytes, std::uint64_t sequence) {
  const auto packed = packer_.pack(info, bytes);
  if (!packed) {
    return fail(packed.error());
  }
  const auto header = npy_header(packed->info, std::nullopt);
  if (!header) {
    return fail(header.error());
  }
  std::array<char, 32> name{};
  std::snprintf(name.data(), name.size(), "%09llu.npy", static_cast<unsigned long long>(sequence));
  const std::string path = (fs::path(directory_) / name.data()).string();
  std::error_code ignored;
  if (fs::exists(path, ignored)) {
    return fail(file_error(Errc::kAlreadyExists, path, "the stream began anew"));
  }
  auto file = PartFile::create(path);
  if (!file) {
    return fail(file.error());
  }
  return file->append(std::as_bytes(std::span(*header)))
      .and_then([&] { return file->append(packed->bytes); })
      .and_then([&] { return file->publish(false); });
}

}  // namespace tensorpool::inline v0::apps::files
