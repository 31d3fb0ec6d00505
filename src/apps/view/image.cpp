#include "apps/view/image.hpp"

#include <algorithm>
#include <bit>
#include <charconv>
#include <cmath>
#include <cstring>
#include <system_error>
#include <utility>

#include "core/tensor/strides.hpp"

namespace tensorpool::inline v0::apps::view {
namespace {

using sources::Colour;

constexpr std::pair<std::string_view, Colour> kColours[] = {
    {"mono", Colour::kMono},      {"rgb", Colour::kRgb},        {"bgr", Colour::kBgr},
    {"yuyv", Colour::kYuyv},      {"uyvy", Colour::kUyvy},      {"rggb", Colour::kBayerRggb},
    {"bggr", Colour::kBayerBggr}, {"grbg", Colour::kBayerGrbg}, {"gbrg", Colour::kBayerGbrg},
};

[[nodiscard]] bool is_bayer(Colour colour) noexcept {
  return colour == Colour::kBayerRggb || colour == Colour::kBayerBggr ||
         colour == Colour::kBayerGrbg || colour == Colour::kBayerGbrg;
}
/// Colours lie beside each other in the last dimension.
[[nodiscard]] bool is_interleaved(Colour colour) noexcept {
  return colour == Colour::kRgb || colour == Colour::kBgr || colour == Colour::kYuyv ||
         colour == Colour::kUyvy;
}

/// Where red, the first green, the second green and blue lie among the four, row by row.
[[nodiscard]] std::array<std::size_t, 4> bayer_places(Colour colour) noexcept {
  switch (colour) {
    case Colour::kBayerBggr:
      return {3, 1, 2, 0};
    case Colour::kBayerGrbg:
      return {1, 0, 3, 2};
    case Colour::kBayerGbrg:
      return {2, 0, 3, 1};
    default:
      return {0, 1, 2, 3};
  }
}

template <class T>
[[nodiscard]] double load(const std::byte* at) noexcept {
  T value;
  std::memcpy(&value, at, sizeof(value));
  return static_cast<double>(value);
}

[[nodiscard]] double load_half(const std::byte* at) noexcept {
  std::uint16_t bits = 0;
  std::memcpy(&bits, at, sizeof(bits));
  const double sign = (bits & 0x8000U) != 0 ? -1 : 1;
  const int exponent = static_cast<int>(bits >> 10U & 0x1FU);
  const double fraction = bits & 0x3FFU;
  if (exponent == 0x1F) {
    return fraction != 0 ? std::nan("") : sign * HUGE_VAL;
  }
  return exponent == 0 ? sign * std::ldexp(fraction, -24)
                       : sign * std::ldexp(fraction + 0x400, exponent - 25);
}

[[nodiscard]] double load_bfloat(const std::byte* at) noexcept {
  std::uint16_t bits = 0;
  std::memcpy(&bits, at, sizeof(bits));
  return std::bit_cast<float>(std::uint32_t{bits} << 16U);
}

[[nodiscard]] double load_extended(ExtendedDtype dtype, const std::byte* at) noexcept {
  switch (dtype) {
    case ExtendedDtype::kFloat16:
      return load_half(at);
    case ExtendedDtype::kBfloat16:
      return load_bfloat(at);
    case ExtendedDtype::kComplex64:
      return std::hypot(load<float>(at), load<float>(at + sizeof(float)));
    case ExtendedDtype::kComplex128:
      return std::hypot(load<double>(at), load<double>(at + sizeof(double)));
  }
  return 0;
}

[[nodiscard]] double load_element(Dtype dtype, const std::byte* at) noexcept {
  switch (dtype) {
    case Dtype::kUint8:
    case Dtype::kBoolean:
    case Dtype::kBytes:
      return load<std::uint8_t>(at);
    case Dtype::kInt8:
      return load<std::int8_t>(at);
    case Dtype::kUint16:
      return load<std::uint16_t>(at);
    case Dtype::kInt16:
      return load<std::int16_t>(at);
    case Dtype::kUint32:
      return load<std::uint32_t>(at);
    case Dtype::kInt32:
      return load<std::int32_t>(at);
    case Dtype::kUint64:
      return load<std::uint64_t>(at);
    case Dtype::kInt64:
      return load<std::int64_t>(at);
    case Dtype::kFloat32:
      return load<float>(at);
    case Dtype::kFloat64:
      return load<double>(at);
    case Dtype::kBit:
    case Dtype::kUnknown:
      break;
  }
  return 0;
}

/// Whether the elements can be of that type: the attribute that says so may be wrong.
[[nodiscard]] bool is_carried(const TensorInfo& tensor, ExtendedDtype dtype) noexcept {
  if (tensor.dtype != carrier_of(dtype)) {
    return false;
  }
  const std::size_t last = tensor.ndims - 1U;
  return tensor.dtype != Dtype::kBytes ||
         (tensor.ndims > 0 && tensor.strides[last] == 1 &&
          static_cast<std::size_t>(tensor.dims[last]) == element_bytes(dtype));
}

[[nodiscard]] Pixel from_yuv(double y, double u, double v) noexcept {
  const auto byte = [](double value) { return std::clamp(value, 0.0, 255.0); };
  return {byte(y + 1.402 * (v - 128)), byte(y - 0.344 * (u - 128) - 0.714 * (v - 128)),
          byte(y + 1.772 * (u - 128))};
}

}  // namespace

std::optional<Colour> parse_colour(std::string_view text) noexcept {
  for (const auto& [name, colour] : kColours) {
    if (name == text) {
      return colour;
    }
  }
  return std::nullopt;
}

std::optional<std::vector<std::uint64_t>> parse_plane(std::string_view text) {
  std::vector<std::uint64_t> plane;
  const char* at = text.data();
  const char* const end = at + text.size();
  for (;;) {
    std::uint64_t index = 0;
    const auto [stop, status] = std::from_chars(at, end, index);
    if (status != std::errc{} || (stop != end && *stop != ',')) {
      return std::nullopt;
    }
    plane.push_back(index);
    if (stop == end) {
      return plane;
    }
    at = stop + 1;
  }
}

Result<Image> Image::create(const TensorInfo& info, std::span<const std::byte> bytes,
                            const ImageOptions& options) {
  const Result<core::tensor::Layout> layout = core::tensor::resolve(info);
  if (!layout) {
    return fail(layout.error());
  }
  const TensorInfo& tensor = layout->info;
  const bool is_bits = tensor.dtype == Dtype::kBit;
  if (bytes.size() < (is_bits ? (layout->extent_bytes + 7) / 8 : layout->extent_bytes)) {
    return fail(Errc::kExtentExceedsPayload, "frame", bytes.size(), layout->extent_bytes);
  }
  Image image;
  image.bytes_ = bytes;
  image.dtype_ = tensor.dtype;
  std::size_t ndims = tensor.ndims;
  if (options.extended && is_carried(tensor, *options.extended)) {
    image.extended_ = options.extended;
    ndims -= tensor.dtype == Dtype::kBytes ? 1U : 0U;  // the bytes of an element
  }
  const auto extent = [&](std::size_t k) { return static_cast<std::uint64_t>(tensor.dims[k]); };
  const bool counts_colours = ndims >= 3 && (extent(ndims - 1) == 3 || extent(ndims - 1) == 4);
  image.colour_ = options.colour.value_or(counts_colours ? Colour::kRgb : Colour::kMono);
  if (image.colour_ == Colour::kCompressed) {
    return fail(Errc::kInvalidArgument, "compressed images: `tp sub NAME --to DIR` keeps them");
  }
  if (is_interleaved(image.colour_)) {
    const bool pairs = image.colour_ == Colour::kYuyv || image.colour_ == Colour::kUyvy;
    if (ndims < 3 || extent(ndims - 1) < (pairs ? 2 : 3)) {
      return fail(Errc::kInvalidArgument, "--as: needs a last dimension of colours",
                  ndims == 0 ? 0 : extent(ndims - 1), pairs ? 2 : 3);
    }
    image.channel_stride_ = tensor.strides[--ndims];
  }
  if (ndims >= 1) {
    image.columns_ = extent(ndims - 1);
    image.column_stride_ = tensor.strides[ndims - 1];
  } else {
    image.columns_ = 1;
  }
  image.rows_ = ndims >= 2 ? extent(ndims - 2) : 1;
  image.row_stride_ = ndims >= 2 ? tensor.strides[ndims - 2] : 0;
  const std::size_t leading = ndims >= 2 ? ndims - 2 : 0;
  if (options.plane.size() > leading) {
    return fail(Errc::kInvalidArgument, "--plane: dimensions before rows and columns",
                options.plane.size(), leading);
  }
  for (std::size_t k = 0; k < leading; ++k) {
    const std::uint64_t index = k < options.plane.size() ? options.plane[k] : 0;
    if (index >= extent(k)) {
      return fail(Errc::kInvalidArgument, "--plane", index, extent(k) == 0 ? 0 : extent(k) - 1);
    }
    image.start_ += static_cast<std::int64_t>(index) * tensor.strides[k];
    image.plane_extents_.push_back(extent(k));
    image.planes_ *= extent(k);
  }
  if (is_bayer(image.colour_)) {
    image.rows_ /= 2;
    image.columns_ /= 2;
  }
  if (image.rows_ == 0 || image.columns_ == 0) {
    return fail(Errc::kInvalidArgument, "frame without pixels");
  }
  return image;
}

double Image::element(std::size_t row, std::size_t column, std::size_t channel) const noexcept {
  const std::int64_t offset = start_ + static_cast<std::int64_t>(row) * row_stride_ +
                              static_cast<std::int64_t>(column) * column_stride_ +
                              static_cast<std::int64_t>(channel) * channel_stride_;
  const auto at = static_cast<std::size_t>(offset);
  if (dtype_ == Dtype::kBit) {  // eight elements a byte
    return static_cast<double>(std::to_integer<unsigned>(bytes_[at / 8]) >> (at % 8) & 1U);
  }
  return extended_ ? load_extended(*extended_, &bytes_[at]) : load_element(dtype_, &bytes_[at]);
}

Pixel Image::at(std::size_t row, std::size_t column) const noexcept {
  switch (colour_) {
    case Colour::kMono:
    case Colour::kCompressed: {
      const double value = element(row, column, 0);
      return {value, value, value};
    }
    case Colour::kRgb:
      return {element(row, column, 0), element(row, column, 1), element(row, column, 2)};
    case Colour::kBgr:
      return {element(row, column, 2), element(row, column, 1), element(row, column, 0)};
    case Colour::kYuyv:
    case Colour::kUyvy: {
      const std::size_t luma = colour_ == Colour::kYuyv ? 0 : 1;
      const std::size_t left = column / 2 * 2;
      const std::size_t right = std::min(left + 1, columns_ - 1);
      return from_yuv(element(row, column, luma), element(row, left, 1 - luma),
                      element(row, right, 1 - luma));
    }
    case Colour::kBayerRggb:
    case Colour::kBayerBggr:
    case Colour::kBayerGrbg:
    case Colour::kBayerGbrg: {
      const std::array<std::size_t, 4> places = bayer_places(colour_);
      const auto part = [&](std::size_t k) {
        return element(2 * row + places[k] / 2, 2 * column + places[k] % 2, 0);
      };
      return {part(0), (part(1) + part(2)) / 2, part(3)};
    }
  }
  return {};
}

double Image::value_at(std::size_t row, std::size_t column) const noexcept {
  const Pixel pixel = at(row, column);
  return is_mono() ? pixel[0] : 0.299 * pixel[0] + 0.587 * pixel[1] + 0.114 * pixel[2];
}

}  // namespace tensorpool::inline v0::apps::view
