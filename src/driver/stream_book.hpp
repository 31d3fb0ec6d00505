// Which number a stream's name has: kept in a file, so that `cam1` stays the same stream when its
// producer or the driver dies.
//
// The file holds one line for each name, `cam1 20000`, and is replaced as a whole. What cannot be
// read in it is left out and said; a file that cannot be written makes names forgetful, and is
// said, too. Thread contract: the driver's thread. Design §9 (admin plane).
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "tensorpool/types/error.hpp"

namespace tensorpool::inline v0::driver {

/// Lines that are none, and names and numbers that come twice, are left out: the first one counts.
[[nodiscard]] std::map<std::string, std::uint32_t, std::less<>> parse_stream_book(
    std::string_view text);

class StreamBook {
 public:
  /// Reads the file, if there is one. Errors: kOsFailure for one that cannot be read.
  [[nodiscard]] static Result<StreamBook> open(std::string path);

  [[nodiscard]] std::optional<std::uint32_t> find(std::string_view name) const;
  /// Of the stream, or "".
  [[nodiscard]] std::string_view name_of(std::uint32_t stream_id) const noexcept;
  /// Remembers it, in memory also where the file cannot be written (kOsFailure, kNoSpace).
  [[nodiscard]] Status put(std::string_view name, std::uint32_t stream_id);

 private:
  explicit StreamBook(std::string path) noexcept : path_(std::move(path)) {}
  [[nodiscard]] Status write() const;

  std::string path_;
  std::map<std::string, std::uint32_t, std::less<>> ids_;
};

}  // namespace tensorpool::inline v0::driver
