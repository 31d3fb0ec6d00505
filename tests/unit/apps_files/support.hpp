// Scratch files, and files of each format made without the code under test.
#pragma once

#include <gtest/gtest.h>
#include <stdlib.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

#include "apps/files/open.hpp"

namespace apps_files_test {

using tensorpool::apps::files::FrameSource;

using Bytes = std::vector<std::byte>;

/// A directory that goes with the test.
class Scratch {
 public:
  Scratch() {
    std::string pattern = (std::filesystem::temp_directory_path() / "tp-files-XXXXXX").string();
    path_ = ::mkdtemp(pattern.data());
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  ~Scratch() { std::filesystem::remove_all(path_); }

  [[nodiscard]] std::string operator/(std::string_view name) const {
    return (path_ / name).string();
  }

 private:
  std::filesystem::path path_;
};

inline Bytes to_bytes(std::string_view text) {
  const auto bytes = std::as_bytes(std::span(text));
  return {bytes.begin(), bytes.end()};
}

template <class T>
Bytes to_bytes(const std::vector<T>& values) {
  const auto bytes = std::as_bytes(std::span(values));
  return {bytes.begin(), bytes.end()};
}

inline void write_file(const std::string& path, std::span<const std::byte> bytes) {
  std::ofstream(path, std::ios::binary)
      .write(reinterpret_cast<const char*>(bytes.data()),
             static_cast<std::streamsize>(bytes.size()));
}

inline Bytes read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  const std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  return to_bytes(text);
}

/// An .npy file of version `major`, with the shortest header that NumPy accepts.
inline Bytes npy_file(std::string_view dictionary, const Bytes& elements, char major = 1) {
  std::string text = "\x93NUMPY";
  text.append({major, '\0', static_cast<char>(dictionary.size() + 1), '\0'});
  if (major > 1) {
    text.append({'\0', '\0'});
  }
  text.append(dictionary).append("\n");
  Bytes file = to_bytes(text);
  file.insert(file.end(), elements.begin(), elements.end());
  return file;
}

/// All frames of a source, one behind the other.
inline Bytes drain(FrameSource& source) {
  Bytes all;
  for (;;) {
    const auto frame = source.next();
    if (!frame) {
      ADD_FAILURE() << describe(frame.error());
      return all;
    }
    if (!*frame) {
      return all;
    }
    EXPECT_EQ((*frame)->size(), source.frame_bytes());
    all.insert(all.end(), (*frame)->begin(), (*frame)->end());
  }
}

inline std::vector<std::int32_t> shape_of(const FrameSource& source) {
  const auto shape = source.info().shape();
  return {shape.begin(), shape.end()};
}

}  // namespace apps_files_test
