// NumPy's .npy files, versions 1, 2 and 3: one array behind a header that is a Python dictionary.
//
//   "\x93NUMPY" major minor length(u16 in version 1, u32 later; little-endian)
//   {'descr': '<u2', 'fortran_order': False, 'shape': (5, 512, 640), }   spaces   "\n"   elements
//
// Reading: the file is mapped, frames are views into it; big-endian elements are converted. A stack
// counts its frames along the first axis, one in Fortran order along the last, where each frame is
// column-major and still one run of bytes.
// Writing: the header leaves room for the number of frames to grow and is written again at the end.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "apps/files/frame_source.hpp"
#include "apps/files/input.hpp"
#include "apps/files/stack_sink.hpp"

namespace tensorpool::inline v0::apps::files {

inline constexpr std::string_view kNpyMagic = "\x93NUMPY";

/// What the header says.
struct NpyHeader {
  Dtype dtype = Dtype::kUnknown;
  MajorOrder order = MajorOrder::kRow;
  bool big_endian = false;
  std::vector<std::uint64_t> shape;
  std::size_t data_offset = 0;
};

/// Reads the header at the start of `file`. Complex, structured, object, text and half-precision
/// arrays are refused. `name` is for messages.
[[nodiscard]] Result<NpyHeader> parse_npy_header(FrameBytes file, std::string_view name);

[[nodiscard]] Result<std::unique_ptr<FrameSource>> read_npy(FileBytes bytes,
                                                            Arrangement arrangement,
                                                            std::string_view name);

/// The header of one array of `info`, or of a stack of `frames` of them; its length does not depend
/// on `frames`. Bits have no type in NumPy: Errc::kDtypeMismatch. Precondition: `info` is dense.
[[nodiscard]] Result<std::string> npy_header(const TensorInfo& info,
                                             std::optional<std::uint64_t> frames);

/// The writer of a stack.
extern const StackFormat kNpyStack;

}  // namespace tensorpool::inline v0::apps::files
