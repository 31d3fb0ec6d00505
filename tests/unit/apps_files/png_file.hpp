// Makes PNG files with libpng, whose default answer to an error is to abort.
#pragma once

#include <png.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "support.hpp"

namespace apps_files_test {

struct PngImage {
  std::uint32_t width;
  std::uint32_t height;
  int bit_depth;
  int color_type;
  std::string_view stored;  ///< rows as the file holds them, before compression
  int interlace = PNG_INTERLACE_NONE;
};

/// Palettes have two colours, ABC and DEF.
inline Bytes png_file(const PngImage& image) {
  Bytes file;
  png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, nullptr, nullptr, nullptr);
  png_infop info = png_create_info_struct(png);
  png_set_write_fn(
      png, &file,
      [](png_structp writer, png_bytep bytes, std::size_t count) {
        auto& out = *static_cast<Bytes*>(png_get_io_ptr(writer));
        const auto* first = reinterpret_cast<const std::byte*>(bytes);
        out.insert(out.end(), first, first + count);
      },
      [](png_structp) {});
  png_set_IHDR(png, info, image.width, image.height, image.bit_depth, image.color_type,
               image.interlace, PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
  if (image.color_type == PNG_COLOR_TYPE_PALETTE) {
    const png_color palette[] = {{'A', 'B', 'C'}, {'D', 'E', 'F'}};
    png_set_PLTE(png, info, palette, 2);
  }
  std::string pixels(image.stored);
  std::vector<png_bytep> rows;
  for (std::uint32_t row = 0; row < image.height; ++row) {
    rows.push_back(reinterpret_cast<png_bytep>(pixels.data()) +
                   row * (pixels.size() / image.height));
  }
  png_write_info(png, info);
  png_write_image(png, rows.data());
  png_write_end(png, info);
  png_destroy_write_struct(&png, &info);
  return file;
}

}  // namespace apps_files_test
