// PNG images, through libpng: pixels as they are stored, without gamma or colour conversion.
//
// Gray images have the shape (height, width), others (height, width, channels) with 2 to 4
// channels. 16-bit samples are uint16, all others uint8; palettes and 1-, 2- and 4-bit samples are
// expanded.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "apps/files/frame_source.hpp"

namespace tensorpool::inline v0::apps::files {

inline constexpr std::string_view kPngMagic = "\x89PNG\r\n\x1a\n";

[[nodiscard]] Result<std::unique_ptr<FrameSource>> read_png(FrameBytes file, std::string_view name);

/// Writes an image of 8-bit samples to `path`, whole or not at all: one sample a pixel, or three.
/// Precondition: `pixels` holds rows x columns x samples.
[[nodiscard]] Status write_png(const std::string& path, std::uint32_t rows, std::uint32_t columns,
                               std::uint32_t samples, FrameBytes pixels);

}  // namespace tensorpool::inline v0::apps::files
