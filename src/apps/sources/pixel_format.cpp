#include "apps/sources/pixel_format.hpp"

#include <algorithm>

namespace tensorpool::inline v0::apps::sources {
namespace {

constexpr std::uint32_t kSideMax = 1U << 20U;

constexpr PixelFormat kFormats[] = {
    {"GREY", Dtype::kUint8, 1, Colour::kMono},
    {"Y10", Dtype::kUint16, 1, Colour::kMono},
    {"Y12", Dtype::kUint16, 1, Colour::kMono},
    {"Y14", Dtype::kUint16, 1, Colour::kMono},
    {"Y16", Dtype::kUint16, 1, Colour::kMono},
    {"RGB3", Dtype::kUint8, 3, Colour::kRgb},
    {"BGR3", Dtype::kUint8, 3, Colour::kBgr},
    {"YUYV", Dtype::kUint8, 2, Colour::kYuyv},
    {"UYVY", Dtype::kUint8, 2, Colour::kUyvy},
    {"RGGB", Dtype::kUint8, 1, Colour::kBayerRggb},
    {"BA81", Dtype::kUint8, 1, Colour::kBayerBggr},
    {"GRBG", Dtype::kUint8, 1, Colour::kBayerGrbg},
    {"GBRG", Dtype::kUint8, 1, Colour::kBayerGbrg},
    {"RG10", Dtype::kUint16, 1, Colour::kBayerRggb},
    {"BG10", Dtype::kUint16, 1, Colour::kBayerBggr},
    {"BA10", Dtype::kUint16, 1, Colour::kBayerGrbg},
    {"GB10", Dtype::kUint16, 1, Colour::kBayerGbrg},
    {"RG12", Dtype::kUint16, 1, Colour::kBayerRggb},
    {"BG12", Dtype::kUint16, 1, Colour::kBayerBggr},
    {"BA12", Dtype::kUint16, 1, Colour::kBayerGrbg},
    {"GB12", Dtype::kUint16, 1, Colour::kBayerGbrg},
    {"RG16", Dtype::kUint16, 1, Colour::kBayerRggb},
    {"BYR2", Dtype::kUint16, 1, Colour::kBayerBggr},
    {"GR16", Dtype::kUint16, 1, Colour::kBayerGrbg},
    {"GB16", Dtype::kUint16, 1, Colour::kBayerGbrg},
    {"MJPG", Dtype::kBytes, 1, Colour::kCompressed},
    {"JPEG", Dtype::kBytes, 1, Colour::kCompressed},
};

}  // namespace

std::span<const PixelFormat> pixel_formats() noexcept {
  return kFormats;
}

std::optional<PixelFormat> find_pixel_format(std::string_view name) noexcept {
  const auto* const found =
      std::find_if(std::begin(kFormats), std::end(kFormats),
                   [name](const PixelFormat& format) { return format.name == name; });
  return found == std::end(kFormats) ? std::nullopt : std::optional(*found);
}

std::uint32_t fourcc_of(std::string_view name) noexcept {
  std::uint32_t code = 0;
  for (std::size_t k = 0; k < 4; ++k) {
    const char letter = k < name.size() ? name[k] : ' ';
    code |= std::uint32_t{static_cast<unsigned char>(letter)} << (8 * k);
  }
  return code;
}

std::string fourcc_name(std::uint32_t code) {
  std::string name;
  for (unsigned k = 0; k < 4; ++k) {
    const auto letter = static_cast<char>(code >> (8 * k) & 0xFFU);
    name += letter >= 0x20 && letter < 0x7F ? letter : '?';
  }
  name.erase(name.find_last_not_of(' ') + 1);
  return name;
}

Result<TensorInfo> image_info(const PixelFormat& format, std::uint32_t rows, std::uint32_t columns,
                              std::uint32_t row_bytes) {
  if (rows == 0 || rows > kSideMax || columns == 0 || columns > kSideMax) {
    return fail(Errc::kInvalidArgument, "side of an image", rows == 0 ? rows : columns, kSideMax);
  }
  const auto height = static_cast<std::int32_t>(rows);
  const auto width = static_cast<std::int32_t>(columns);
  TensorInfo info = format.channels == 1
                        ? TensorInfo::packed(format.dtype, {height, width})
                        : TensorInfo::packed(format.dtype, {height, width, format.channels});
  const auto element = static_cast<std::int64_t>(element_bytes(format.dtype));
  const std::int64_t packed = element * format.channels * width;
  if (row_bytes == 0 || row_bytes == packed) {
    return info;
  }
  if (row_bytes < packed) {
    return fail(Errc::kInvalidArgument, "bytes of a row", row_bytes,
                static_cast<std::uint64_t>(packed));
  }
  info.strides = {row_bytes, element * format.channels, element};
  if (format.channels == 1) {
    info.strides[2] = 0;
  }
  return info;
}

}  // namespace tensorpool::inline v0::apps::sources
