// Fuzz targets of the tensor file readers. Each takes the bytes of one file, reads at most some
// frames of it and returns 0; a crash, a sanitizer's report or a broken promise is a finding.
#pragma once

#include <cstddef>
#include <span>

int fuzz_npy(std::span<const std::byte> file);
int fuzz_fits(std::span<const std::byte> file);
int fuzz_pnm(std::span<const std::byte> file);
int fuzz_png(std::span<const std::byte> file);
