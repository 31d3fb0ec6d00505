// Type, shape and size of frames in files, and the words in which a command line gives them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "tensorpool/types/dtype.hpp"
#include "tensorpool/types/error.hpp"
#include "tensorpool/types/tensor_info.hpp"

namespace tensorpool::inline v0::apps::files {

/// The payload of one frame.
using FrameBytes = std::span<const std::byte>;

/// A dense tensor and its size.
struct FrameFormat {
  TensorInfo info;
  std::size_t bytes = 0;
};

/// How an array becomes frames (`--as`).
enum class Arrangement : std::uint8_t {
  kAuto,   ///< up to two dimensions are one frame, more are a stack
  kOne,    ///< the whole array is one frame
  kStack,  ///< the slowest dimension counts the frames, however many there are
};

/// An array of a file, split into frames.
struct Stack {
  FrameFormat frame;
  std::uint64_t frames = 0;
};

/// Splits an array of `shape` into frames: along the first axis when it is row-major, along the
/// last when it is column-major, so that a frame is always one run of bytes. `name` is for
/// messages. An array without frames, and one that no TensorInfo can describe, is refused.
[[nodiscard]] Result<Stack> split_frames(Dtype dtype, MajorOrder order,
                                         std::vector<std::uint64_t> shape, Arrangement arrangement,
                                         std::string_view name);

/// Checks a shape of 1 to kMaxDims extents and computes its size. `name` is for messages.
[[nodiscard]] Result<FrameFormat> frame_format(Dtype dtype, MajorOrder order,
                                               std::span<const std::uint64_t> shape,
                                               std::string_view name);

/// `480,640,3` or `480x640x3`.
[[nodiscard]] Result<std::vector<std::uint64_t>> parse_shape(std::string_view text);
/// A name that dtype_from_string knows.
[[nodiscard]] Result<Dtype> parse_dtype(std::string_view text);
/// `auto`, `one` or `stack`.
[[nodiscard]] Result<Arrangement> parse_arrangement(std::string_view text);

/// An error about a file: the subject is `what`, after as much of the end of `name` as fits.
[[nodiscard]] Error file_error(Errc code, std::string_view name, std::string_view what,
                               std::uint64_t value = 0, std::uint64_t limit = 0);
/// A system call on a file failed; ENOENT becomes Errc::kNotFound, a full disk Errc::kNoSpace.
[[nodiscard]] Error file_os_error(std::string_view name, std::string_view what, int os_errno);

/// Copies elements of `element` bytes with their bytes reversed. `flip_sign` inverts the most
/// significant bit as well: the offset by which FITS stores unsigned numbers.
/// Precondition: the spans have the same size, and are the same or do not overlap.
void copy_swapped(FrameBytes from, std::span<std::byte> to, std::size_t element,
                  bool flip_sign = false) noexcept;

}  // namespace tensorpool::inline v0::apps::files
