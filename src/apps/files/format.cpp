#include "apps/files/format.hpp"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <limits>
#include <string>

namespace tensorpool::inline v0::apps::files {
namespace {

template <class Word, class Swap>
void copy_words(FrameBytes from, std::span<std::byte> to, Word flip, Swap swap) noexcept {
  for (std::size_t at = 0; at + sizeof(Word) <= from.size(); at += sizeof(Word)) {
    Word word;
    std::memcpy(&word, from.data() + at, sizeof(word));
    word = static_cast<Word>(swap(word) ^ flip);
    std::memcpy(to.data() + at, &word, sizeof(word));
  }
}

}  // namespace

Result<Stack> split_frames(Dtype dtype, MajorOrder order, std::vector<std::uint64_t> shape,
                           Arrangement arrangement, std::string_view name) {
  Stack stack;
  stack.frames = 1;
  const bool is_stack =
      arrangement == Arrangement::kStack || (arrangement == Arrangement::kAuto && shape.size() > 2);
  if (is_stack && !shape.empty()) {
    const auto slowest = order == MajorOrder::kColumn ? shape.end() - 1 : shape.begin();
    stack.frames = *slowest;
    shape.erase(slowest);
  }
  if (stack.frames == 0) {
    return fail(file_error(Errc::kFileFormat, name, "it holds no frame"));
  }
  if (shape.empty()) {
    shape.push_back(1);  // a single number; a tensor has at least one dimension
  }
  auto frame = frame_format(dtype, order, shape, name);
  if (!frame) {
    return fail(frame.error());
  }
  std::uint64_t total = 0;
  if (__builtin_mul_overflow(stack.frames, std::uint64_t{frame->bytes}, &total)) {
    return fail(file_error(Errc::kFileFormat, name, "the shape exceeds 64 bits", stack.frames));
  }
  stack.frame = *frame;
  return stack;
}

Result<FrameFormat> frame_format(Dtype dtype, MajorOrder order,
                                 std::span<const std::uint64_t> shape, std::string_view name) {
  constexpr std::uint64_t kExtentMax = std::numeric_limits<std::int32_t>::max();
  if (shape.empty() || shape.size() > kMaxDims) {
    return fail(
        file_error(Errc::kFileFormat, name, "dimensions of a frame", shape.size(), kMaxDims));
  }
  FrameFormat format;
  format.info.dtype = dtype;
  format.info.order = order;
  format.info.ndims = static_cast<std::uint8_t>(shape.size());
  format.bytes = element_bytes(dtype);
  for (std::size_t k = 0; k < shape.size(); ++k) {
    if (shape[k] > kExtentMax) {
      return fail(file_error(Errc::kFileFormat, name, "extent of a frame", shape[k], kExtentMax));
    }
    if (__builtin_mul_overflow(format.bytes, shape[k], &format.bytes)) {
      return fail(file_error(Errc::kFileFormat, name, "the shape exceeds 64 bits", shape[k]));
    }
    format.info.dims[k] = static_cast<std::int32_t>(shape[k]);
  }
  return format;
}

Result<std::vector<std::uint64_t>> parse_shape(std::string_view text) {
  std::vector<std::uint64_t> shape;
  const char* at = text.data();
  const char* const end = at + text.size();
  for (;;) {
    std::uint64_t extent = 0;
    const auto [stop, status] = std::from_chars(at, end, extent);
    if (status != std::errc{} || extent == 0) {
      return fail(file_error(Errc::kInvalidArgument, text, "a shape is written 480,640,3"));
    }
    shape.push_back(extent);
    if (stop == end) {
      return shape;
    }
    if (*stop != ',' && *stop != 'x') {
      return fail(file_error(Errc::kInvalidArgument, text, "a shape is written 480,640,3"));
    }
    at = stop + 1;
  }
}

Result<Dtype> parse_dtype(std::string_view text) {
  const Dtype dtype = dtype_from_string(text);
  if (dtype == Dtype::kUnknown) {
    return fail(file_error(Errc::kInvalidArgument, text, "a type is u1 i1 u2 ... f4 f8 b1"));
  }
  return dtype;
}

Result<Arrangement> parse_arrangement(std::string_view text) {
  if (text == "auto") {
    return Arrangement::kAuto;
  }
  if (text == "one") {
    return Arrangement::kOne;
  }
  if (text == "stack") {
    return Arrangement::kStack;
  }
  return fail(file_error(Errc::kInvalidArgument, text, "--as takes auto, one or stack"));
}

Error file_error(Errc code, std::string_view name, std::string_view what, std::uint64_t value,
                 std::uint64_t limit) {
  constexpr std::string_view kCut = "...";
  constexpr std::size_t kNameMin = 24;  // of the name, at least this much is worth to be seen
  const std::size_t room = sizeof(Error::subject) - 1 - std::string_view(": ").size();
  const std::size_t name_max = std::max(kNameMin, room - std::min(room, what.size()));
  std::string subject;
  if (name.size() > name_max) {
    name.remove_prefix(name.size() - (name_max - kCut.size()));
    subject = kCut;
  }
  subject.append(name).append(": ").append(what);
  return make_error(code, subject, value, limit);
}

Error file_os_error(std::string_view name, std::string_view what, int os_errno) {
  const bool full = os_errno == ENOSPC || os_errno == EDQUOT || os_errno == EFBIG;
  const Errc code = full ? Errc::kNoSpace : os_errno == ENOENT ? Errc::kNotFound : Errc::kOsFailure;
  Error error = file_error(code, name, what);
  error.os_errno = os_errno;
  return error;
}

void copy_swapped(FrameBytes from, std::span<std::byte> to, std::size_t element,
                  bool flip_sign) noexcept {
  // The most significant byte is the first one after the swap: 0x80 in the lowest byte of a word.
  switch (element) {
    case 2:
      return copy_words<std::uint16_t>(from, to, flip_sign ? 0x80 : 0,
                                       [](std::uint16_t word) { return __builtin_bswap16(word); });
    case 4:
      return copy_words<std::uint32_t>(from, to, flip_sign ? 0x80 : 0,
                                       [](std::uint32_t word) { return __builtin_bswap32(word); });
    case 8:
      return copy_words<std::uint64_t>(from, to, flip_sign ? 0x80 : 0,
                                       [](std::uint64_t word) { return __builtin_bswap64(word); });
    default:
      return copy_words<std::uint8_t>(from, to, flip_sign ? 0x80 : 0,
                                      [](std::uint8_t word) { return word; });
  }
}

}  // namespace tensorpool::inline v0::apps::files
