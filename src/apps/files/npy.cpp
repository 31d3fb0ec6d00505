#include "apps/files/npy.hpp"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <limits>

#include "apps/files/array_source.hpp"

namespace tensorpool::inline v0::apps::files {
namespace {

constexpr std::size_t kHeaderBytesMax = 65'536;  // longer ones belong to structured types
constexpr std::size_t kDimsMax = 32;             // NumPy's own limit
constexpr std::size_t kAlignment = 64;           // of the first element, as NumPy writes it

/// Reads the few Python literals that a header is made of.
class Literal {
 public:
  explicit Literal(std::string_view text) : rest_(text) {}

  /// The next character that is no white space, 0 at the end.
  [[nodiscard]] char peek() {
    rest_.remove_prefix(std::min(rest_.find_first_not_of(" \t\r\n"), rest_.size()));
    return rest_.empty() ? '\0' : rest_.front();
  }
  [[nodiscard]] bool take(std::string_view token) {
    static_cast<void>(peek());
    if (!rest_.starts_with(token)) {
      return false;
    }
    rest_.remove_prefix(token.size());
    return true;
  }
  [[nodiscard]] std::optional<std::string_view> quoted() {
    const char quote = peek();
    const std::size_t end = rest_.find(quote, 1);
    if ((quote != '\'' && quote != '"') || end == std::string_view::npos) {
      return std::nullopt;
    }
    const std::string_view text = rest_.substr(1, end - 1);
    rest_.remove_prefix(end + 1);
    return text;
  }
  [[nodiscard]] std::optional<bool> boolean() {
    if (take("True")) {
      return true;
    }
    return take("False") ? std::optional(false) : std::nullopt;
  }
  [[nodiscard]] std::optional<std::vector<std::uint64_t>> tuple() {
    std::vector<std::uint64_t> numbers;
    if (!take("(")) {
      return std::nullopt;
    }
    while (!take(")")) {
      std::uint64_t number = 0;
      static_cast<void>(peek());
      const auto [end, status] = std::from_chars(rest_.data(), rest_.data() + rest_.size(), number);
      if (status != std::errc{} || numbers.size() == kDimsMax) {
        return std::nullopt;
      }
      rest_.remove_prefix(static_cast<std::size_t>(end - rest_.data()));
      static_cast<void>(take("L"));  // Python 2 wrote long numbers so
      numbers.push_back(number);
      if (!take(",") && peek() != ')') {
        return std::nullopt;
      }
    }
    return numbers;
  }

 private:
  std::string_view rest_;
};

/// The dictionary's text, and where it ends.
struct Prologue {
  std::string_view dictionary;
  std::size_t data_offset = 0;
};

[[nodiscard]] Result<Prologue> read_prologue(FrameBytes file, std::string_view name) {
  const std::string_view text(reinterpret_cast<const char*>(file.data()), file.size());
  if (!text.starts_with(kNpyMagic)) {
    return fail(file_error(Errc::kFileFormat, name, "not an npy file"));
  }
  const std::size_t length_at = kNpyMagic.size() + 2;
  if (text.size() < length_at) {
    return fail(
        file_error(Errc::kTruncatedInput, name, "bytes of the npy header", text.size(), length_at));
  }
  const auto major = static_cast<unsigned char>(text[kNpyMagic.size()]);
  if (major < 1 || major > 3) {
    return fail(file_error(Errc::kFileFormat, name, "npy version", major, 3));
  }
  const std::size_t length_bytes = major == 1 ? 2 : 4;
  std::uint32_t length = 0;
  if (text.size() >= length_at + length_bytes) {
    std::memcpy(&length, text.data() + length_at, length_bytes);  // little-endian, as we are
  }
  if (length > kHeaderBytesMax) {
    return fail(
        file_error(Errc::kFileFormat, name, "length of the npy header", length, kHeaderBytesMax));
  }
  Prologue prologue;
  prologue.data_offset = length_at + length_bytes + length;
  if (text.size() < prologue.data_offset) {
    return fail(file_error(Errc::kTruncatedInput, name, "bytes of the npy header", text.size(),
                           prologue.data_offset));
  }
  prologue.dictionary = text.substr(length_at + length_bytes, length);
  return prologue;
}

[[nodiscard]] Status read_descr(Literal& literal, NpyHeader& header, std::string_view name) {
  const char first = literal.peek();
  if (first == '[' || first == '(') {
    return fail(file_error(Errc::kFileFormat, name, "structured arrays have no tensor type"));
  }
  const auto descr = literal.quoted();
  if (!descr || descr->empty()) {
    return fail(file_error(Errc::kFileFormat, name, "npy header without a type"));
  }
  header.big_endian = descr->front() == '>';
  header.dtype = dtype_from_string(descr->substr(header.big_endian ? 1 : 0));
  if (header.dtype == Dtype::kUnknown || header.dtype == Dtype::kBit) {
    const std::string what = "no tensor type for npy type " + std::string(descr->substr(0, 16)) +
                             ": convert to u1..u8, i1..i8, f4, f8, b1";
    return fail(file_error(Errc::kFileFormat, name, what));
  }
  return {};
}

/// `<u2`, `|b1`, …; empty where NumPy has no such type.
std::string npy_descr(Dtype dtype) {
  const char kind = [dtype] {
    switch (dtype) {
      case Dtype::kUint8:
      case Dtype::kUint16:
      case Dtype::kUint32:
      case Dtype::kUint64:
        return 'u';
      case Dtype::kInt8:
      case Dtype::kInt16:
      case Dtype::kInt32:
      case Dtype::kInt64:
        return 'i';
      case Dtype::kFloat32:
      case Dtype::kFloat64:
        return 'f';
      case Dtype::kBoolean:
        return 'b';
      case Dtype::kBytes:
        return 'V';
      case Dtype::kUnknown:
      case Dtype::kBit:
        break;
    }
    return '\0';
  }();
  if (kind == '\0') {
    return {};
  }
  const std::size_t bytes = element_bytes(dtype);
  return std::string(bytes == 1 ? "|" : "<") + kind + std::to_string(bytes);
}

}  // namespace

Result<NpyHeader> parse_npy_header(FrameBytes file, std::string_view name) {
  const auto prologue = read_prologue(file, name);
  if (!prologue) {
    return fail(prologue.error());
  }
  const auto malformed = [name] {
    return fail(file_error(Errc::kFileFormat, name, "malformed npy header"));
  };
  NpyHeader header;
  header.data_offset = prologue->data_offset;
  std::optional<std::vector<std::uint64_t>> shape;
  std::optional<bool> fortran_order;
  Literal literal(prologue->dictionary);
  if (!literal.take("{")) {
    return malformed();
  }
  while (!literal.take("}")) {
    const auto key = literal.quoted();
    if (!key || !literal.take(":")) {
      return malformed();
    }
    if (*key == "descr") {
      if (const Status descr = read_descr(literal, header, name); !descr) {
        return fail(descr.error());
      }
    } else if (*key == "fortran_order") {
      fortran_order = literal.boolean();
    } else if (*key == "shape") {
      shape = literal.tuple();
    } else {
      return malformed();
    }
    if (!literal.take(",") && literal.peek() != '}') {
      return malformed();
    }
  }
  if (header.dtype == Dtype::kUnknown || !fortran_order || !shape) {
    return malformed();
  }
  header.order = *fortran_order ? MajorOrder::kColumn : MajorOrder::kRow;
  header.shape = std::move(*shape);
  return header;
}

Result<std::unique_ptr<FrameSource>> read_npy(FileBytes bytes, Arrangement arrangement,
                                              std::string_view name) {
  const auto header = parse_npy_header(bytes.view(), name);
  if (!header) {
    return fail(header.error());
  }
  const auto stack = split_frames(header->dtype, header->order, header->shape, arrangement, name);
  if (!stack) {
    return fail(stack.error());
  }
  return ArraySource::create({.stack = *stack,
                              .offset = header->data_offset,
                              .big_endian = header->big_endian,
                              .name = name},
                             std::move(bytes));
}

Result<std::string> npy_header(const TensorInfo& info, std::optional<std::uint64_t> frames) {
  const std::string descr = npy_descr(info.dtype);
  if (descr.empty()) {
    return fail(Errc::kDtypeMismatch, "npy has no type for packed bits: write raw bytes, to -");
  }
  const bool column = info.order == MajorOrder::kColumn;
  const auto dictionary = [&](std::optional<std::uint64_t> count) {
    std::vector<std::string> extents;
    for (const std::int32_t extent : info.shape()) {
      extents.push_back(std::to_string(extent));
    }
    if (count) {
      extents.insert(column ? extents.end() : extents.begin(), std::to_string(*count));
    }
    std::string shape;  // as NumPy writes it: (), (3,), (3, 4)
    for (const std::string& extent : extents) {
      shape.append(shape.empty() ? "" : " ").append(extent).append(",");
    }
    if (extents.size() > 1) {
      shape.pop_back();
    }
    return "{'descr': '" + descr + "', 'fortran_order': " + (column ? "True" : "False") +
           ", 'shape': (" + shape + "), }";
  };
  std::string header(kNpyMagic);
  header.append({'\1', '\0', '\0', '\0'});  // version 1.0; the length follows below
  const std::size_t longest =
      dictionary(frames ? std::optional(std::numeric_limits<std::uint64_t>::max()) : frames).size();
  const std::size_t total = (header.size() + longest + kAlignment) / kAlignment * kAlignment;
  const auto length = static_cast<std::uint16_t>(total - header.size());
  std::memcpy(header.data() + header.size() - sizeof(length), &length, sizeof(length));
  header += dictionary(frames);
  header.resize(total - 1, ' ');
  header += '\n';
  return header;
}

const StackFormat kNpyStack = {
    .header = [](const TensorInfo& info, std::uint64_t frames) { return npy_header(info, frames); },
};

}  // namespace tensorpool::inline v0::apps::files
