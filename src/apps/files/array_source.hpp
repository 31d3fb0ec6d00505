// Frames that lie one behind the other in memory: the end of the npy, raw, PGM and PNG readers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "apps/files/frame_source.hpp"
#include "apps/files/input.hpp"

namespace tensorpool::inline v0::apps::files {

class ArraySource final : public FrameSource {
 public:
  struct Options {
    Stack stack;
    std::size_t offset = 0;   ///< of the first frame
    bool big_endian = false;  ///< swap the bytes of each element
    std::string_view name;    ///< for messages
  };

  /// Errc::kTruncatedInput when `bytes` is shorter than the frames need; longer is fine.
  [[nodiscard]] static Result<std::unique_ptr<FrameSource>> create(const Options& options,
                                                                   FileBytes bytes);

  [[nodiscard]] Result<std::optional<FrameBytes>> next() override;
  [[nodiscard]] Status rewind() override;
  [[nodiscard]] std::optional<std::uint64_t> frame_count() const noexcept override {
    return frames_;
  }

 private:
  ArraySource(const Options& options, FileBytes bytes);

  FileBytes bytes_;
  std::size_t offset_;
  std::uint64_t frames_;
  std::uint64_t position_ = 0;
  std::vector<std::byte> swapped_;  // one frame; empty when the bytes go as they are
};

}  // namespace tensorpool::inline v0::apps::files
