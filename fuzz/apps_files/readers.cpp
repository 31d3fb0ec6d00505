#include "apps_files/readers.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <vector>

#include "apps/files/fits.hpp"
#include "apps/files/npy.hpp"
#include "apps/files/png.hpp"
#include "apps/files/pnm.hpp"

namespace {

using namespace tensorpool;
using namespace tensorpool::apps::files;

/// Touches every byte of the first frames; their number and size have to be as promised.
int read_frames(const Result<std::unique_ptr<FrameSource>>& source) {
  constexpr std::uint64_t kFramesMax = 16;
  if (!source) {
    return 0;
  }
  unsigned sum = 0;
  std::uint64_t frames = 0;
  for (; frames < kFramesMax; ++frames) {
    const auto frame = (*source)->next();
    if (!frame || !*frame) {
      break;
    }
    if ((*frame)->size() != (*source)->frame_bytes()) {
      std::abort();
    }
    for (const std::byte byte : **frame) {
      sum += std::to_integer<unsigned>(byte);
    }
  }
  if (frames > (*source)->frame_count().value_or(frames) || !(*source)->rewind()) {
    std::abort();
  }
  asm volatile("" : : "r"(sum));  // the reads are the point
  return 0;
}

}  // namespace

int fuzz_npy(std::span<const std::byte> file) {
  for (const Arrangement arrangement :
       {Arrangement::kAuto, Arrangement::kOne, Arrangement::kStack}) {
    read_frames(read_npy(FileBytes::own({file.begin(), file.end()}), arrangement, "fuzz"));
  }
  return 0;
}

int fuzz_fits(std::span<const std::byte> file) {
  InputFile input;
  input.file = os::UniqueFd(::memfd_create("fuzz", MFD_CLOEXEC));
  input.bytes = file.size();
  if (!input.file ||
      ::write(input.file.get(), file.data(), file.size()) != static_cast<ssize_t>(file.size())) {
    return 0;
  }
  return read_frames(read_fits(std::move(input), Arrangement::kAuto, "fuzz"));
}

int fuzz_pnm(std::span<const std::byte> file) {
  return read_frames(read_pnm(file, "fuzz"));
}

int fuzz_png(std::span<const std::byte> file) {
  return read_frames(read_png(file, "fuzz"));
}
