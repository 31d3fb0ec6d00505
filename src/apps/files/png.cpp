#include "apps/files/png.hpp"

#include <png.h>

#include <array>
#include <csetjmp>
#include <cstring>
#include <string>
#include <vector>

#include "apps/files/array_source.hpp"

namespace tensorpool::inline v0::apps::files {
namespace {

constexpr std::uint32_t kSideMax = 65'535;
// What inflate can make of one byte at most; a header that promises more lies.
constexpr std::uint64_t kInflationMax = 1032;
constexpr std::uint64_t kImageBytesMax = std::uint64_t{4} << 30U;

/// libpng's reader over bytes in memory. libpng reports errors by longjmp: each member that calls
/// it sets the target first and holds nothing that has a destructor.
class PngReader {
 public:
  explicit PngReader(FrameBytes file) : rest_(file) {
    png_ = png_create_read_struct(PNG_LIBPNG_VER_STRING, this, &on_error, &on_warning);
    info_ = png_ == nullptr ? nullptr : png_create_info_struct(png_);
  }
  ~PngReader() { png_destroy_read_struct(&png_, &info_, nullptr); }
  PngReader(const PngReader&) = delete;
  PngReader& operator=(const PngReader&) = delete;

  /// Reads up to the pixels and asks for plain 8- or 16-bit samples in our byte order.
  [[nodiscard]] bool read_header() {
    if (info_ == nullptr || setjmp(png_jmpbuf(png_)) != 0) {
      return false;
    }
    png_set_read_fn(png_, this, &on_read);
    png_set_user_limits(png_, kSideMax, kSideMax);
    png_read_info(png_, info_);
    stored_bytes_ = height() * row_bytes();
    png_set_expand(png_);
    png_set_swap(png_);
    passes_ = png_set_interlace_handling(png_);
    png_read_update_info(png_, info_);
    return true;
  }
  /// Reads the pixels into `out`, and the file to its end. Precondition: `out` holds the image.
  [[nodiscard]] bool read_pixels(std::byte* out) {
    if (setjmp(png_jmpbuf(png_)) != 0) {
      return false;
    }
    for (int pass = 0; pass < passes_; ++pass) {
      for (std::size_t row = 0; row < height(); ++row) {
        png_read_row(png_, reinterpret_cast<png_bytep>(out + row * row_bytes()), nullptr);
      }
    }
    png_read_end(png_, nullptr);
    return true;
  }

  /// Of all pixels, before anything is expanded.
  [[nodiscard]] std::size_t stored_bytes() const { return stored_bytes_; }
  [[nodiscard]] std::size_t height() const { return png_get_image_height(png_, info_); }
  [[nodiscard]] std::size_t width() const { return png_get_image_width(png_, info_); }
  [[nodiscard]] std::size_t channels() const { return png_get_channels(png_, info_); }
  [[nodiscard]] std::size_t row_bytes() const { return png_get_rowbytes(png_, info_); }
  [[nodiscard]] bool is_wide() const { return png_get_bit_depth(png_, info_) == 16; }

  [[nodiscard]] Error error(std::string_view name) const {
    return short_ ? file_error(Errc::kTruncatedInput, name, "the PNG image ends too early")
                  : file_error(Errc::kFileFormat, name, std::string("PNG: ") + message_.data());
  }

 private:
  static PngReader& self(png_structp png) {
    return *static_cast<PngReader*>(png_get_error_ptr(png));
  }
  [[noreturn]] static void on_error(png_structp png, png_const_charp message) {
    std::strncpy(self(png).message_.data(), message, self(png).message_.size() - 1);
    png_longjmp(png, 1);
  }
  static void on_warning(png_structp /*png*/, png_const_charp /*message*/) {}
  static void on_read(png_structp png, png_bytep out, std::size_t bytes) {
    FrameBytes& rest = self(png).rest_;
    if (rest.size() < bytes) {
      self(png).short_ = true;
      png_error(png, "short");
    }
    std::memcpy(out, rest.data(), bytes);
    rest = rest.subspan(bytes);
  }

  FrameBytes rest_;
  png_structp png_ = nullptr;
  png_infop info_ = nullptr;
  int passes_ = 1;
  std::size_t stored_bytes_ = 0;
  bool short_ = false;
  std::array<char, 64> message_{};
};

}  // namespace

Result<std::unique_ptr<FrameSource>> read_png(FrameBytes file, std::string_view name) {
  PngReader reader(file);
  if (!reader.read_header()) {
    return fail(reader.error(name));
  }
  const std::array<std::uint64_t, 3> shape = {reader.height(), reader.width(), reader.channels()};
  const auto format =
      frame_format(reader.is_wide() ? Dtype::kUint16 : Dtype::kUint8, MajorOrder::kRow,
                   std::span(shape).first(reader.channels() == 1 ? 2 : 3), name);
  if (!format) {
    return fail(format.error());
  }
  if (reader.stored_bytes() / kInflationMax > file.size()) {
    return fail(file_error(Errc::kTruncatedInput, name, "bytes of a PNG image", file.size(),
                           reader.stored_bytes() / kInflationMax));
  }
  if (format->bytes > kImageBytesMax) {
    return fail(
        file_error(Errc::kFileFormat, name, "bytes of an image", format->bytes, kImageBytesMax));
  }
  std::vector<std::byte> pixels(format->bytes);
  if (!reader.read_pixels(pixels.data())) {
    return fail(reader.error(name));
  }
  return ArraySource::create({.stack = {.frame = *format, .frames = 1}, .name = name},
                             FileBytes::own(std::move(pixels)));
}

}  // namespace tensorpool::inline v0::apps::files
