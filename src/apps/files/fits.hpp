// FITS images and cubes.
//
// Reading goes through cfitsio and takes the first image of the file, in the primary or a later
// HDU. NAXIS1 varies fastest, so a frame has the shape (NAXIS2, NAXIS1), and a cube counts its
// frames along its last axis. BITPIX 8, 16, 32, 64, -32 and -64 become uint8, int16, int32, int64,
// float32 and float64; with the usual BZERO int8, uint16, uint32 and uint64. Any other BSCALE or
// BZERO gives floats: float32 for BITPIX 8, 16 and -32, float64 for the rest.
//
// Writing makes a cube with the same conventions. A frame in column-major order lies as it is, its
// first dimension as NAXIS1, and the card TPORDER = 'COLUMN' gives it back as it was. Booleans and
// bytes become BITPIX 8.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "apps/files/frame_source.hpp"
#include "apps/files/input.hpp"
#include "apps/files/stack_sink.hpp"

namespace tensorpool::inline v0::apps::files {

inline constexpr std::string_view kFitsMagic = "SIMPLE  =";

/// Sizes are compared with that of the file before anything is read or allocated; tables and
/// compressed images are refused.
[[nodiscard]] Result<std::unique_ptr<FrameSource>> read_fits(InputFile file,
                                                             Arrangement arrangement,
                                                             std::string_view name);

/// The writer of a cube.
extern const StackFormat kFitsCube;

}  // namespace tensorpool::inline v0::apps::files
