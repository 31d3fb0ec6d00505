// Netpbm images: PGM and PPM, binary (P5, P6) and plain (P2, P3), one or several in a file.
//
// Up to a largest value of 255 a pixel is uint8, above it uint16. Gray images have the shape
// (height, width), coloured ones (height, width, 3). Several images in one file, as ffmpeg's
// `-f image2pipe -c pgm` writes them, are a stack and have to be alike.
#pragma once

#include <memory>
#include <string_view>

#include "apps/files/frame_source.hpp"

namespace tensorpool::inline v0::apps::files {

/// Starts like a netpbm image, of these or of the kinds that read_pnm refuses.
[[nodiscard]] bool looks_like_pnm(FrameBytes file) noexcept;

[[nodiscard]] Result<std::unique_ptr<FrameSource>> read_pnm(FrameBytes file, std::string_view name);

}  // namespace tensorpool::inline v0::apps::files
