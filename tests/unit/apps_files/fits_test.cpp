// FITS files are made and read back with cfitsio itself: the writer under test does not use it.
#include "apps/files/fits.hpp"

#include <fitsio.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "support.hpp"

namespace apps_files_test {
namespace {

using namespace tensorpool;
using namespace tensorpool::apps::files;
using testing::ElementsAre;

/// Makes a file by calls of cfitsio.
void make_fits(const std::string& path, const std::function<void(fitsfile*, int*)>& fill) {
  fitsfile* fits = nullptr;
  int status = 0;
  fits_create_diskfile(&fits, path.c_str(), &status);
  fill(fits, &status);
  fits_close_file(fits, &status);
  ASSERT_EQ(status, 0);
}

/// A cube of three frames of 2 x 4 with the given values, of an image type of cfitsio.
template <class T>
void make_cube(const std::string& path, int image_type, int type, std::vector<T> values) {
  make_fits(path, [&](fitsfile* fits, int* status) {
    long axes[] = {4, 2, 3};
    fits_create_img(fits, image_type, 3, axes, status);
    fits_write_img(fits, type, 1, static_cast<LONGLONG>(values.size()), values.data(), status);
  });
}

/// The type that cfitsio sees in a cube of 24 elements, and these.
template <class T>
std::pair<int, std::vector<T>> read_with_cfitsio(const std::string& path, int type) {
  std::pair<int, std::vector<T>> cube = {0, std::vector<T>(24)};
  fitsfile* fits = nullptr;
  int status = 0;
  fits_open_diskfile(&fits, path.c_str(), READONLY, &status);
  fits_get_img_equivtype(fits, &cube.first, &status);
  fits_read_img(fits, type, 1, 24, nullptr, cube.second.data(), nullptr, &status);
  fits_close_file(fits, &status);
  EXPECT_EQ(status, 0);
  return cube;
}

template <class T>
void expect_cube(int image_type, int type) {
  const Scratch scratch;
  std::vector<T> values(24);
  for (std::size_t i = 0; i < values.size(); ++i) {
    values[i] = static_cast<T>(i * 3);
  }
  values.front() = std::numeric_limits<T>::lowest();
  values.back() = std::numeric_limits<T>::max();
  make_cube(scratch / "cube.fits", image_type, type, values);
  const auto source = open_source({.from = scratch / "cube.fits"});
  ASSERT_TRUE(source) << describe(source.error());
  EXPECT_EQ((*source)->info(), TensorInfo::packed(dtype_of<T>, {2, 4}));
  EXPECT_EQ((*source)->frame_count(), 3U);
  EXPECT_EQ(drain(**source), to_bytes(values));
  ASSERT_TRUE((*source)->rewind());
  EXPECT_EQ(drain(**source), to_bytes(values));

  // And the other way: written here, read by cfitsio.
  const auto sink = open_sink({.to = scratch / "back.fits"});
  ASSERT_TRUE(sink);
  const Bytes bytes = to_bytes(values);
  for (std::size_t frame = 0; frame < 3; ++frame) {
    ASSERT_TRUE((*sink)->write(
        (*source)->info(), std::span(bytes).subspan(frame * 8 * sizeof(T), 8 * sizeof(T)), frame));
  }
  ASSERT_TRUE((*sink)->finish());
  const auto [back_type, back] = read_with_cfitsio<T>(scratch / "back.fits", type);
  const auto [made_type, made] = read_with_cfitsio<T>(scratch / "cube.fits", type);
  EXPECT_EQ(back_type, made_type);
  EXPECT_EQ(to_bytes(back), bytes);
  EXPECT_EQ(std::filesystem::file_size(scratch / "back.fits"), 2U * 2880U);
}

TEST(FitsSource, reads_and_writes_every_type) {
  expect_cube<std::uint8_t>(BYTE_IMG, TBYTE);
  expect_cube<std::int8_t>(SBYTE_IMG, TSBYTE);
  expect_cube<std::int16_t>(SHORT_IMG, TSHORT);
  expect_cube<std::uint16_t>(USHORT_IMG, TUSHORT);
  expect_cube<std::int32_t>(LONG_IMG, TINT);
  expect_cube<std::uint32_t>(ULONG_IMG, TUINT);
  expect_cube<std::int64_t>(LONGLONG_IMG, TLONGLONG);
  expect_cube<std::uint64_t>(ULONGLONG_IMG, TULONGLONG);
  expect_cube<float>(FLOAT_IMG, TFLOAT);
  expect_cube<double>(DOUBLE_IMG, TDOUBLE);
}

TEST(FitsSource, takes_a_plain_image_as_one_frame) {
  const Scratch scratch;
  make_fits(scratch / "image.fits", [](fitsfile* fits, int* status) {
    long axes[] = {3, 2};
    std::vector<short> values = {1, 2, 3, 4, 5, 6};
    fits_create_img(fits, SHORT_IMG, 2, axes, status);
    fits_write_img(fits, TSHORT, 1, 6, values.data(), status);
  });
  const auto one = open_source({.from = scratch / "image.fits"});
  ASSERT_TRUE(one);
  EXPECT_EQ((*one)->frame_count(), 1U);
  EXPECT_THAT(shape_of(**one), ElementsAre(2, 3));
  const auto stack =
      open_source({.from = scratch / "image.fits", .arrangement = Arrangement::kStack});
  ASSERT_TRUE(stack);
  EXPECT_EQ((*stack)->frame_count(), 2U);
  EXPECT_THAT(shape_of(**stack), ElementsAre(3));
}

TEST(FitsSource, gives_scaled_numbers_as_floats) {
  const Scratch scratch;
  make_fits(scratch / "scaled.fits", [](fitsfile* fits, int* status) {
    long axes[] = {2, 1};
    std::vector<short> stored = {-1, 4};
    double scale = 0.5;
    double zero = 10;
    fits_create_img(fits, SHORT_IMG, 2, axes, status);
    fits_write_img(fits, TSHORT, 1, 2, stored.data(), status);
    fits_write_key(fits, TDOUBLE, "BSCALE", &scale, nullptr, status);
    fits_write_key(fits, TDOUBLE, "BZERO", &zero, nullptr, status);
  });
  const auto source = open_source({.from = scratch / "scaled.fits"});
  ASSERT_TRUE(source) << describe(source.error());
  EXPECT_EQ((*source)->info().dtype, Dtype::kFloat32);
  EXPECT_EQ(drain(**source), to_bytes(std::vector<float>{9.5F, 12.0F}));
}

TEST(FitsSource, finds_the_image_behind_an_empty_primary_hdu) {
  const Scratch scratch;
  make_fits(scratch / "extension.fits", [](fitsfile* fits, int* status) {
    long axes[] = {2, 1};
    std::vector<short> values = {7, 8};
    fits_create_img(fits, SHORT_IMG, 0, nullptr, status);
    fits_create_img(fits, SHORT_IMG, 2, axes, status);
    fits_write_img(fits, TSHORT, 1, 2, values.data(), status);
  });
  const auto source = open_source({.from = scratch / "extension.fits"});
  ASSERT_TRUE(source) << describe(source.error());
  EXPECT_EQ(drain(**source), to_bytes(std::vector<short>{7, 8}));
}

TEST(FitsSource, refuses_files_without_a_plain_image) {
  const Scratch scratch;
  make_fits(scratch / "empty.fits", [](fitsfile* fits, int* status) {
    fits_create_img(fits, SHORT_IMG, 0, nullptr, status);
  });
  make_fits(scratch / "compressed.fits", [](fitsfile* fits, int* status) {
    long axes[] = {64, 64};
    std::vector<short> values(64 * 64);
    fits_set_compression_type(fits, RICE_1, status);
    fits_create_img(fits, SHORT_IMG, 2, axes, status);
    fits_write_img(fits, TSHORT, 1, 64 * 64, values.data(), status);
  });
  for (const char* name : {"empty.fits", "compressed.fits"}) {
    const auto source = open_source({.from = scratch / name});
    ASSERT_FALSE(source) << name;
    EXPECT_EQ(source.error().code, Errc::kFileFormat) << name;
  }
}

TEST(FitsSource, names_the_bytes_found_and_needed_of_a_short_file) {
  const Scratch scratch;
  make_cube<short>(scratch / "cube.fits", SHORT_IMG, TSHORT, std::vector<short>(24));
  std::filesystem::resize_file(scratch / "cube.fits", 2880 + 47);
  const auto source = open_source({.from = scratch / "cube.fits"});
  ASSERT_FALSE(source);
  EXPECT_EQ(source.error().code, Errc::kTruncatedInput);
  EXPECT_EQ(source.error().value, 2880U + 47U);
  EXPECT_EQ(source.error().limit, 2U * 2880U);
}

}  // namespace
}  // namespace apps_files_test
