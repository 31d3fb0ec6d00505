// PNM and PNG; the PNG files are made with libpng's writer.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "apps/files/png.hpp"
#include "apps/files/pnm.hpp"
#include "png_file.hpp"
#include "support.hpp"

namespace apps_files_test {
namespace {

using namespace tensorpool;
using namespace tensorpool::apps::files;
using testing::ElementsAre;

using namespace std::string_view_literals;

TEST(PnmSource, reads_every_kind) {
  struct Row {
    std::string file;
    Dtype dtype;
    std::vector<std::int32_t> shape;
    Bytes pixels;
  };
  const Row rows[] = {
      {"P5 3 2 255\nABCDEF", Dtype::kUint8, {2, 3}, to_bytes("ABCDEF")},
      {"P5\n# made by hand\n3\n2 # and foot\n 65535\n\1\2\3\4\5\6\7\x8\x9\xa\xb\xc",
       Dtype::kUint16,
       {2, 3},
       to_bytes("\2\1\4\3\6\5\x8\7\xa\x9\xc\xb")},
      {"P6 1 2 255 ABCDEF", Dtype::kUint8, {2, 1, 3}, to_bytes("ABCDEF")},
      {"P2 2 1 255 65 66", Dtype::kUint8, {1, 2}, to_bytes("AB")},
      {"P2 2 1 1000 1 1000 # end",
       Dtype::kUint16,
       {1, 2},
       to_bytes(std::vector<std::uint16_t>{1, 1000})},
      {"P3 1 1 255\n65 66\n67\n", Dtype::kUint8, {1, 1, 3}, to_bytes("ABC")},
  };
  for (const Row& row : rows) {
    const auto source = read_pnm(to_bytes(row.file), "test.pnm");
    ASSERT_TRUE(source) << row.file << describe(source.error());
    EXPECT_EQ((*source)->info().dtype, row.dtype) << row.file;
    EXPECT_EQ(shape_of(**source), row.shape) << row.file;
    EXPECT_EQ(drain(**source), row.pixels) << row.file;
  }
}

TEST(PnmSource, takes_several_alike_images_as_a_stack) {
  const auto source = read_pnm(to_bytes("P5 2 1 255\nABP5 2 1 255\nCD\n"), "test.pgm");
  ASSERT_TRUE(source);
  EXPECT_EQ((*source)->frame_count(), 2U);
  EXPECT_EQ(drain(**source), to_bytes("ABCD"));
}

TEST(PnmSource, refuses_what_it_cannot_read) {
  struct Row {
    std::string file;
    Errc code;
  };
  const Row rows[] = {
      {"P4 8 1 A", Errc::kFileFormat},
      {"P7\nWIDTH 1", Errc::kFileFormat},
      {"P5 0 1 255\n", Errc::kFileFormat},
      {"P5 65536 1 255\n", Errc::kFileFormat},
      {"P5 1 1 65536\nA", Errc::kFileFormat},
      {"P5 1 1 255A", Errc::kFileFormat},
      {"P5 99999999999999999999 1 255\n", Errc::kFileFormat},
      {"P2 1 1 9 10", Errc::kFileFormat},
      {"P2 1 1 9 -1", Errc::kFileFormat},
      {"P5 2 1 255\nABP5 1 1 255\nC", Errc::kShapeChanged},
      {"P5 2 1 255\nABtail", Errc::kFileFormat},
      {"P5 65535 65535 65535\nA", Errc::kTruncatedInput},
      {"P2 65535 65535 255\n1 2 3", Errc::kTruncatedInput},
      {"P2 2 1 255 7", Errc::kTruncatedInput},
  };
  for (const Row& row : rows) {
    const auto source = read_pnm(to_bytes(row.file), "test.pnm");
    ASSERT_FALSE(source) << row.file;
    EXPECT_EQ(source.error().code, row.code) << row.file;
  }
}

TEST(PngSource, reads_pixels_as_they_are_stored) {
  struct Row {
    const char* what;
    PngImage image;
    Dtype dtype;
    std::vector<std::int32_t> shape;
    Bytes pixels;
  };
  const Row rows[] = {
      {"gray", {3, 2, 8, PNG_COLOR_TYPE_GRAY, "ABCDEF"}, Dtype::kUint8, {2, 3}, to_bytes("ABCDEF")},
      {"gray, 16 bits",
       {1, 2, 16, PNG_COLOR_TYPE_GRAY, "ABCD"},
       Dtype::kUint16,
       {2, 1},
       to_bytes("BADC")},
      {"gray, 1 bit",
       {3, 1, 1, PNG_COLOR_TYPE_GRAY, "\xa0"},
       Dtype::kUint8,
       {1, 3},
       to_bytes("\xff\0\xff"sv)},
      {"gray and alpha",
       {1, 1, 8, PNG_COLOR_TYPE_GRAY_ALPHA, "AB"},
       Dtype::kUint8,
       {1, 1, 2},
       to_bytes("AB")},
      {"RGB",
       {1, 2, 8, PNG_COLOR_TYPE_RGB, "ABCDEF"},
       Dtype::kUint8,
       {2, 1, 3},
       to_bytes("ABCDEF")},
      {"RGBA, 16 bits",
       {1, 1, 16, PNG_COLOR_TYPE_RGBA, "ABCDEFGH"},
       Dtype::kUint16,
       {1, 1, 4},
       to_bytes("BADCFEHG")},
      {"palette",
       {3, 1, 8, PNG_COLOR_TYPE_PALETTE, "\1\0\1"sv},
       Dtype::kUint8,
       {1, 3, 3},
       to_bytes("DEFABCDEF")},
      {"interlaced",
       {3, 2, 8, PNG_COLOR_TYPE_GRAY, "ABCDEF", PNG_INTERLACE_ADAM7},
       Dtype::kUint8,
       {2, 3},
       to_bytes("ABCDEF")},
  };
  for (const Row& row : rows) {
    const auto source = read_png(png_file(row.image), "test.png");
    ASSERT_TRUE(source) << row.what << describe(source.error());
    EXPECT_EQ((*source)->info().dtype, row.dtype) << row.what;
    EXPECT_EQ(shape_of(**source), row.shape) << row.what;
    EXPECT_EQ(drain(**source), row.pixels) << row.what;
  }
}

TEST(PngSource, refuses_damaged_bytes) {
  Bytes file = png_file({3, 2, 8, PNG_COLOR_TYPE_GRAY, "ABCDEF"});
  file[file.size() / 2] ^= std::byte{1};
  const auto source = read_png(file, "test.png");
  ASSERT_FALSE(source);
  EXPECT_EQ(source.error().code, Errc::kFileFormat);
}

}  // namespace
}  // namespace apps_files_test
