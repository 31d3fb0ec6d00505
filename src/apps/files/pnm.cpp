#include "apps/files/pnm.hpp"

#include <array>
#include <charconv>
#include <cstring>
#include <optional>

#include "apps/files/array_source.hpp"

namespace tensorpool::inline v0::apps::files {
namespace {

constexpr std::uint32_t kSideMax = 65'535;
constexpr std::uint32_t kValueMax = 65'535;

bool is_space(char letter) noexcept {
  return std::string_view(" \t\n\v\f\r").find(letter) != std::string_view::npos;
}

struct PnmHeader {
  bool plain = false;
  std::uint32_t channels = 1;
  std::uint32_t width = 0;
  std::uint32_t height = 0;
  std::uint32_t value_max = 0;

  [[nodiscard]] std::size_t sample_bytes() const { return value_max > 255 ? 2 : 1; }
  [[nodiscard]] std::size_t samples() const { return std::size_t{width} * height * channels; }
  friend bool operator==(const PnmHeader&, const PnmHeader&) = default;
};

/// Walks over the images of a file.
class PnmParser {
 public:
  PnmParser(FrameBytes file, std::string_view name)
      : text_(reinterpret_cast<const char*>(file.data()), file.size()), name_(name) {}

  /// Skips white space and comments.
  [[nodiscard]] bool at_end() {
    while (at_ < text_.size() && (is_space(text_[at_]) || text_[at_] == '#')) {
      at_ = text_[at_] == '#' ? std::min(text_.find('\n', at_), text_.size()) : at_ + 1;
    }
    return at_ == text_.size();
  }

  [[nodiscard]] Result<PnmHeader> header() {
    const std::string_view magic = text_.substr(at_, 2);
    if (magic.size() < 2) {
      return fail(truncated(magic.size(), 2));
    }
    if (magic != "P2" && magic != "P3" && magic != "P5" && magic != "P6") {
      return fail(file_error(Errc::kFileFormat, name_, "only PGM and PPM (P2 P3 P5 P6)"));
    }
    at_ += magic.size();
    PnmHeader header;
    header.plain = magic[1] == '2' || magic[1] == '3';
    header.channels = magic[1] == '3' || magic[1] == '6' ? 3 : 1;
    struct Item {
      std::uint32_t& value;
      std::uint32_t max;
    };
    for (const Item& item : {Item{header.width, kSideMax}, Item{header.height, kSideMax},
                             Item{header.value_max, kValueMax}}) {
      const auto value = number(1, item.max);
      if (!value) {
        return fail(value.error());
      }
      item.value = *value;
    }
    if (at_ == text_.size()) {
      return fail(truncated(0, header.samples()));
    }
    if (!is_space(text_[at_])) {
      return fail(file_error(Errc::kFileFormat, name_, "malformed header of a PNM image"));
    }
    ++at_;  // exactly one: in a binary image the samples follow
    return header;
  }

  [[nodiscard]] Status samples(const PnmHeader& header, std::vector<std::byte>& out) {
    return header.plain ? plain_samples(header, out) : binary_samples(header, out);
  }

 private:
  [[nodiscard]] Error truncated(std::uint64_t found, std::uint64_t needed) const {
    return file_error(Errc::kTruncatedInput, name_, "bytes of a PNM image", found, needed);
  }

  [[nodiscard]] Result<std::uint32_t> number(std::uint32_t min, std::uint32_t max) {
    if (at_end()) {
      return fail(truncated(0, 1));
    }
    std::uint32_t value = 0;
    const auto [stop, status] =
        std::from_chars(text_.data() + at_, text_.data() + text_.size(), value);
    if (status != std::errc{} || value < min || value > max) {
      return fail(file_error(Errc::kFileFormat, name_, "number in a PNM image", value, max));
    }
    at_ = static_cast<std::size_t>(stop - text_.data());
    return value;
  }

  [[nodiscard]] Status binary_samples(const PnmHeader& header, std::vector<std::byte>& out) {
    const std::size_t bytes = header.samples() * header.sample_bytes();
    if (text_.size() - at_ < bytes) {
      return fail(truncated(text_.size() - at_, bytes));
    }
    const std::size_t start = out.size();
    out.resize(start + bytes);
    copy_swapped(std::as_bytes(std::span(text_.substr(at_, bytes))), std::span(out).subspan(start),
                 header.sample_bytes());
    at_ += bytes;
    return {};
  }

  [[nodiscard]] Status plain_samples(const PnmHeader& header, std::vector<std::byte>& out) {
    const std::size_t count = header.samples();
    if ((text_.size() - at_) / 2 + 1 < count) {  // a digit and a space for each
      return fail(truncated(text_.size() - at_, count * 2 - 1));
    }
    for (std::size_t i = 0; i < count; ++i) {
      const auto value = number(0, header.value_max);
      if (!value) {
        return fail(value.error());
      }
      const auto bytes = std::as_bytes(std::span(&*value, 1));  // little-endian: low bytes first
      out.insert(out.end(), bytes.begin(),
                 bytes.begin() + static_cast<std::ptrdiff_t>(header.sample_bytes()));
    }
    return {};
  }

  std::string_view text_;
  std::string_view name_;
  std::size_t at_ = 0;
};

}  // namespace

bool looks_like_pnm(FrameBytes file) noexcept {
  const std::string_view text(reinterpret_cast<const char*>(file.data()), file.size());
  return text.size() >= 2 && text[0] == 'P' && text[1] >= '1' && text[1] <= '7' &&
         (text.size() == 2 || is_space(text[2]) || text[2] == '#');
}

Result<std::unique_ptr<FrameSource>> read_pnm(FrameBytes file, std::string_view name) {
  PnmParser parser(file, name);
  std::optional<PnmHeader> first;
  std::vector<std::byte> samples;
  Stack stack;
  do {
    const auto header = parser.header();
    if (!header) {
      return fail(header.error());
    }
    if (first && *first != *header) {
      return fail(file_error(Errc::kShapeChanged, name, "its images differ", stack.frames));
    }
    first = *header;
    if (const Status read = parser.samples(*header, samples); !read) {
      return fail(read.error());
    }
    ++stack.frames;
  } while (!parser.at_end());

  const std::array<std::uint64_t, 3> shape = {first->height, first->width, first->channels};
  const auto format =
      frame_format(first->sample_bytes() == 2 ? Dtype::kUint16 : Dtype::kUint8, MajorOrder::kRow,
                   std::span(shape).first(first->channels == 1 ? 2 : 3), name);
  if (!format) {
    return fail(format.error());
  }
  stack.frame = *format;
  return ArraySource::create({.stack = stack, .name = name}, FileBytes::own(std::move(samples)));
}

}  // namespace tensorpool::inline v0::apps::files
