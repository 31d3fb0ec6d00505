// Damaged files: every truncation is an error, and no mutation does more than that.
#include <fcntl.h>
#include <gtest/gtest.h>

#include "apps/files/fits.hpp"
#include "apps_files/readers.hpp"
#include "base/random.hpp"
#include "png_file.hpp"
#include "support.hpp"

namespace apps_files_test {
namespace {

using namespace tensorpool;
using namespace tensorpool::apps::files;

Bytes fits_file() {
  const Scratch scratch;
  const auto sink = open_sink({.to = scratch / "sample.fits"});
  const Bytes frame(12);
  EXPECT_TRUE((*sink)->write(TensorInfo::packed(Dtype::kUint16, {2, 3}), frame, 0));
  EXPECT_TRUE((*sink)->write(TensorInfo::packed(Dtype::kUint16, {2, 3}), frame, 1));
  EXPECT_TRUE((*sink)->finish());
  return read_file(scratch / "sample.fits");
}

struct Sample {
  const char* name;
  Bytes file;
  int (*fuzz)(std::span<const std::byte>);
};

std::vector<Sample> samples() {
  return {
      {"npy", npy_file("{'descr': '>u2', 'fortran_order': False, 'shape': (2, 2, 3), }", Bytes(24)),
       &fuzz_npy},
      {"npy 3", npy_file("{'descr': '<f8', 'fortran_order': True, 'shape': (2,), }", Bytes(16), 3),
       &fuzz_npy},
      {"fits", fits_file(), &fuzz_fits},
      {"pgm", to_bytes("P5 # image\n3 2\n1000\nABCDEFGHIJKL"), &fuzz_pnm},
      {"ppm", to_bytes("P6\n1 2 255\nABCDEF"), &fuzz_pnm},
      {"png", png_file({4, 3, 8, PNG_COLOR_TYPE_RGB, std::string(36, 'x')}), &fuzz_png},
      {"png, interlaced",
       png_file({9, 9, 16, PNG_COLOR_TYPE_GRAY, std::string(162, 'x'), PNG_INTERLACE_ADAM7}),
       &fuzz_png},
  };
}

TEST(HostileFile, is_an_error_at_every_truncation) {
  const Scratch scratch;
  const std::string path = scratch / "cut";
  for (const Sample& sample : samples()) {
    write_file(path, sample.file);
    ASSERT_TRUE(open_source({.from = path})) << sample.name;
    for (std::size_t size = sample.file.size(); size-- > 0;) {
      std::filesystem::resize_file(path, size);
      EXPECT_FALSE(open_source({.from = path})) << sample.name << " cut to " << size;
    }
  }
}

TEST(HostileFile, does_no_harm_when_bytes_change) {
  constexpr int kRounds = 2000;
  base::Random random(20240607);
  for (const Sample& sample : samples()) {
    for (int round = 0; round < kRounds; ++round) {
      Bytes file = sample.file;
      for (std::uint64_t change = random.between(1, 6); change > 0; --change) {
        // Headers are where the harm would be done.
        const std::size_t at = random.below(std::min<std::size_t>(file.size(), 400));
        const bool digit = random.chance(1, 2);
        file[at] = static_cast<std::byte>(digit ? '0' + random.below(10) : random.below(256));
      }
      if (random.chance(1, 8)) {
        file.resize(random.below(file.size()));
      }
      EXPECT_EQ(sample.fuzz(file), 0);
    }
  }
}

TEST(HostileFits, promises_more_than_memory_holds) {
  Bytes file = fits_file();
  const auto set_axis = [&file](std::size_t card, std::string_view digits) {
    const Bytes text = to_bytes(digits);
    std::copy(text.begin(), text.end(),
              file.begin() + static_cast<std::ptrdiff_t>(card * 80 + 30 - digits.size()));
  };
  for (const std::string_view digits :
       {"2147483647", "9223372036854775807", "4294967296", "99999999999999999999"}) {
    for (std::size_t card = 3; card < 6; ++card) {
      set_axis(card, digits);
    }
    const Scratch scratch;
    write_file(scratch / "huge.fits", file);
    EXPECT_FALSE(open_source({.from = scratch / "huge.fits"})) << digits;
  }
}

}  // namespace
}  // namespace apps_files_test
