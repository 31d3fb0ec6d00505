#include <fitsio.h>

#include <array>
#include <cstring>
#include <vector>

#include "apps/files/fits.hpp"

namespace tensorpool::inline v0::apps::files {
namespace {

constexpr std::uint64_t kBlockBytes = 2880;
constexpr int kHdusMax = 1000;
constexpr int kAxesMax = static_cast<int>(kMaxDims) + 1;

struct CloseFits {
  void operator()(fitsfile* file) const noexcept {
    int status = 0;
    fits_close_file(file, &status);
  }
};
using FitsFile = std::unique_ptr<fitsfile, CloseFits>;

/// Turns a status of cfitsio, and what it left on its stack of messages, into an error.
Error fits_error(std::string_view name, int status) {
  std::array<char, FLEN_STATUS> text{};
  fits_get_errstatus(status, text.data());
  std::string what = "cfitsio: " + std::string(text.data());
  std::array<char, FLEN_ERRMSG> detail{};
  if (fits_read_errmsg(detail.data()) != 0) {
    what.append(": ").append(detail.data());
  }
  fits_clear_errmsg();
  return file_error(status == END_OF_FILE ? Errc::kTruncatedInput : Errc::kFileFormat, name, what);
}

/// How stored numbers become elements.
struct ElementType {
  Dtype dtype = Dtype::kUnknown;
  int cfitsio_type = 0;
};

ElementType element_type(int bitpix, double scale, double zero) {
  struct Row {
    int bitpix = 0;
    double zero = 0;
    ElementType type;
  };
  static constexpr Row kExact[] = {
      {BYTE_IMG, 0, {Dtype::kUint8, TBYTE}},
      {BYTE_IMG, -128, {Dtype::kInt8, TSBYTE}},
      {SHORT_IMG, 0, {Dtype::kInt16, TSHORT}},
      {SHORT_IMG, 0x1p15, {Dtype::kUint16, TUSHORT}},
      {LONG_IMG, 0, {Dtype::kInt32, TINT}},
      {LONG_IMG, 0x1p31, {Dtype::kUint32, TUINT}},
      {LONGLONG_IMG, 0, {Dtype::kInt64, TLONGLONG}},
      {LONGLONG_IMG, 0x1p63, {Dtype::kUint64, TULONGLONG}},
      {FLOAT_IMG, 0, {Dtype::kFloat32, TFLOAT}},
      {DOUBLE_IMG, 0, {Dtype::kFloat64, TDOUBLE}},
  };
  bool known = false;
  for (const Row& row : kExact) {
    known = known || row.bitpix == bitpix;
    if (row.bitpix == bitpix && row.zero == zero && scale == 1) {
      return row.type;
    }
  }
  if (!known) {
    return {};
  }
  const bool narrow = bitpix == BYTE_IMG || bitpix == SHORT_IMG || bitpix == FLOAT_IMG;
  return narrow ? ElementType{Dtype::kFloat32, TFLOAT} : ElementType{Dtype::kFloat64, TDOUBLE};
}

/// The value of a card, or `otherwise` where the header has none.
double read_number(fitsfile* fits, const char* key, double otherwise, int& status) {
  double value = otherwise;
  int found = status;
  fits_read_key(fits, TDOUBLE, key, &value, nullptr, &found);
  if (found == KEY_NO_EXIST) {
    fits_clear_errmsg();
    return otherwise;
  }
  status = found;
  return value;
}

/// What the header of the chosen image says.
struct Image {
  int bitpix = 0;
  ElementType type;
  MajorOrder order = MajorOrder::kRow;
  std::vector<std::uint64_t> axes;  // NAXIS1 first
};

/// Moves to the first HDU with pixels.
[[nodiscard]] Status find_image(fitsfile* fits, std::string_view name) {
  for (int hdu = 0; hdu < kHdusMax; ++hdu) {
    int status = 0;
    int type = 0;
    int naxis = 0;
    fits_get_hdu_type(fits, &type, &status);
    if (fits_is_compressed_image(fits, &status) != 0) {
      return fail(file_error(Errc::kFileFormat, name, "compressed image: run funpack on it"));
    }
    if (type == IMAGE_HDU) {
      fits_get_img_dim(fits, &naxis, &status);
    }
    if (status == 0 && naxis > 0) {
      return {};
    }
    fits_movrel_hdu(fits, 1, nullptr, &status);
    if (status == END_OF_FILE) {
      fits_clear_errmsg();
      return fail(file_error(Errc::kFileFormat, name, "no image in it", 0, 1));
    }
    if (status != 0) {
      return fail(fits_error(name, status));
    }
  }
  return fail(file_error(Errc::kFileFormat, name, "no image in its first HDUs", 0, kHdusMax));
}

[[nodiscard]] Result<Image> read_image_header(fitsfile* fits, std::string_view name) {
  Image image;
  int status = 0;
  int naxis = 0;
  fits_get_img_dim(fits, &naxis, &status);
  if (status == 0 && naxis > kAxesMax) {
    return fail(
        file_error(Errc::kFileFormat, name, "NAXIS", static_cast<std::uint64_t>(naxis), kAxesMax));
  }
  std::array<LONGLONG, kAxesMax> sizes{};
  fits_get_img_type(fits, &image.bitpix, &status);
  fits_get_img_sizell(fits, kAxesMax, sizes.data(), &status);
  const double scale = read_number(fits, "BSCALE", 1, status);
  const double zero = read_number(fits, "BZERO", 0, status);
  if (status != 0) {
    return fail(fits_error(name, status));
  }
  std::array<char, FLEN_VALUE> order{};
  if (int absent = 0;
      fits_read_key(fits, TSTRING, "TPORDER", order.data(), nullptr, &absent) == 0) {
    image.order =
        std::string_view(order.data()) == "COLUMN" ? MajorOrder::kColumn : MajorOrder::kRow;
  }
  fits_clear_errmsg();  // the card is ours, and optional
  image.type = element_type(image.bitpix, scale, zero);
  for (const LONGLONG size : std::span(sizes).first(static_cast<std::size_t>(naxis))) {
    if (size <= 0) {
      return fail(file_error(Errc::kFileFormat, name, "an axis of the image is empty"));
    }
    image.axes.push_back(static_cast<std::uint64_t>(size));
  }
  if (image.type.dtype == Dtype::kUnknown) {
    return fail(file_error(Errc::kFileFormat, name, "BITPIX"));
  }
  return image;
}

class FitsSource final : public FrameSource {
 public:
  FitsSource(InputFile file, FitsFile fits, const Stack& stack, int cfitsio_type,
             std::string_view name)
      : FrameSource(stack.frame),
        file_(std::move(file)),
        fits_(std::move(fits)),
        cfitsio_type_(cfitsio_type),
        frames_(stack.frames),
        name_(name),
        frame_(frame_bytes()) {}

  Result<std::optional<FrameBytes>> next() override {
    if (position_ == frames_) {
      return std::nullopt;
    }
    const std::uint64_t elements = frame_.size() / element_bytes(info().dtype);
    const auto first = static_cast<LONGLONG>(position_ * elements) + 1;
    int status = 0;
    // No null value: blanks and NaN arrive as they are stored.
    fits_read_img(fits_.get(), cfitsio_type_, first, static_cast<LONGLONG>(elements), nullptr,
                  frame_.data(), nullptr, &status);
    if (status != 0) {
      return fail(fits_error(name_, status));
    }
    ++position_;
    return FrameBytes(frame_);
  }
  Status rewind() override {
    position_ = 0;
    return {};
  }
  [[nodiscard]] std::optional<std::uint64_t> frame_count() const noexcept override {
    return frames_;
  }

 private:
  InputFile file_;  // fits_ reads through its descriptor: closed after it
  FitsFile fits_;
  int cfitsio_type_;
  std::uint64_t frames_;
  std::uint64_t position_ = 0;
  std::string name_;
  std::vector<std::byte> frame_;
};

/// The data unit, with the zeros that fill its last block, has to be in the file.
[[nodiscard]] Status check_size(fitsfile* fits, const Image& image, std::size_t file_bytes,
                                std::string_view name) {
  int status = 0;
  LONGLONG data_start = 0;
  fits_get_hduaddrll(fits, nullptr, &data_start, nullptr, &status);
  if (status != 0) {
    return fail(fits_error(name, status));
  }
  std::uint64_t end = static_cast<std::uint64_t>(std::abs(image.bitpix)) / 8;
  bool overflow = data_start < 0;
  for (const std::uint64_t axis : image.axes) {
    overflow = overflow || __builtin_mul_overflow(end, axis, &end);
  }
  overflow = overflow || __builtin_add_overflow(
                             end, static_cast<std::uint64_t>(data_start) + kBlockBytes - 1, &end);
  end = end / kBlockBytes * kBlockBytes;
  if (overflow || file_bytes < end) {
    return fail(file_error(Errc::kTruncatedInput, name, "bytes up to the end of the image",
                           file_bytes, overflow ? 0 : end));
  }
  return {};
}

}  // namespace

Result<std::unique_ptr<FrameSource>> read_fits(InputFile file, Arrangement arrangement,
                                               std::string_view name) {
  // By way of the descriptor: cfitsio gives names of its own meaning to `~`, brackets and suffixes.
  const std::string path = "/proc/self/fd/" + std::to_string(file.file.get());
  int status = 0;
  fitsfile* opened = nullptr;
  fits_open_diskfile(&opened, path.c_str(), READONLY, &status);
  FitsFile fits(opened);
  if (status != 0) {
    return fail(fits_error(name, status));
  }
  if (const Status found = find_image(fits.get(), name); !found) {
    return fail(found.error());
  }
  const auto image = read_image_header(fits.get(), name);
  if (!image) {
    return fail(image.error());
  }
  if (const Status checked = check_size(fits.get(), *image, file.bytes, name); !checked) {
    return fail(checked.error());
  }
  std::vector<std::uint64_t> shape = image->axes;  // fastest first: a column-major shape
  if (image->order == MajorOrder::kRow) {
    shape.assign(image->axes.rbegin(), image->axes.rend());
  }
  const auto stack =
      split_frames(image->type.dtype, image->order, std::move(shape), arrangement, name);
  if (!stack) {
    return fail(stack.error());
  }
  return std::make_unique<FitsSource>(std::move(file), std::move(fits), *stack,
                                      image->type.cfitsio_type, name);
}

}  // namespace tensorpool::inline v0::apps::files
