#include <png.h>

#include <csetjmp>
#include <cstddef>

#include "apps/files/output.hpp"
#include "apps/files/png.hpp"

namespace tensorpool::inline v0::apps::files {
namespace {

/// libpng's writer into memory. libpng reports errors by longjmp: `encode` sets the target and
/// holds nothing that has a destructor.
class PngWriter {
 public:
  PngWriter() {
    png_ = png_create_write_struct(PNG_LIBPNG_VER_STRING, this, &on_error, &on_warning);
    info_ = png_ == nullptr ? nullptr : png_create_info_struct(png_);
  }
  ~PngWriter() { png_destroy_write_struct(&png_, &info_); }
  PngWriter(const PngWriter&) = delete;
  PngWriter& operator=(const PngWriter&) = delete;

  [[nodiscard]] bool encode(std::uint32_t rows, std::uint32_t columns, std::uint32_t samples,
                            FrameBytes pixels) {
    if (info_ == nullptr || setjmp(png_jmpbuf(png_)) != 0) {
      return false;
    }
    png_set_write_fn(png_, this, &on_write, nullptr);
    png_set_IHDR(png_, info_, columns, rows, 8,
                 samples == 1 ? PNG_COLOR_TYPE_GRAY : PNG_COLOR_TYPE_RGB, PNG_INTERLACE_NONE,
                 PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    png_write_info(png_, info_);
    for (std::uint32_t row = 0; row < rows; ++row) {
      const std::byte* const from = pixels.data() + std::size_t{row} * columns * samples;
      png_write_row(png_, reinterpret_cast<png_const_bytep>(from));
    }
    png_write_end(png_, nullptr);
    return true;
  }
  [[nodiscard]] const std::vector<std::byte>& bytes() const noexcept { return bytes_; }

 private:
  [[noreturn]] static void on_error(png_structp png, png_const_charp /*message*/) {
    png_longjmp(png, 1);
  }
  static void on_warning(png_structp /*png*/, png_const_charp /*message*/) {}
  static void on_write(png_structp png, png_bytep data, std::size_t bytes) {
    auto& out = static_cast<PngWriter*>(png_get_io_ptr(png))->bytes_;
    const auto* const first = reinterpret_cast<const std::byte*>(data);
    out.insert(out.end(), first, first + bytes);
  }

  png_structp png_ = nullptr;
  png_infop info_ = nullptr;
  std::vector<std::byte> bytes_;
};

}  // namespace

Status write_png(const std::string& path, std::uint32_t rows, std::uint32_t columns,
                 std::uint32_t samples, FrameBytes pixels) {
  PngWriter writer;
  if (!writer.encode(rows, columns, samples, pixels)) {
    return fail(file_error(Errc::kInvalidArgument, path, "an image of this size is no PNG"));
  }
  Result<PartFile> file = PartFile::create(path);
  if (!file) {
    return fail(file.error());
  }
  if (Status written = file->append(writer.bytes()); !written) {
    return written;
  }
  return file->publish(false);
}

}  // namespace tensorpool::inline v0::apps::files
