// From a frame to the cells of a terminal: which elements are shown, as what, where.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include "apps/terminal.hpp"
#include "apps/view/image.hpp"
#include "apps/view/render.hpp"
#include "apps/view/screen.hpp"

namespace tensorpool::apps::view {
namespace {

using sources::Colour;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::SizeIs;

/// A tensor with its bytes.
template <class T>
struct Tensor {
  std::vector<T> values;
  TensorInfo info;

  Tensor(std::initializer_list<std::int32_t> shape, std::vector<T> content)
      : values(std::move(content)), info(TensorInfo::packed(dtype_of<T>, shape)) {}
  [[nodiscard]] std::span<const std::byte> bytes() const {
    return std::as_bytes(std::span(values));
  }
  [[nodiscard]] Result<Image> image(const ImageOptions& options = {}) const {
    return Image::create(info, bytes(), options);
  }
};

[[nodiscard]] Tensor<std::uint16_t> ramp(std::int32_t rows, std::int32_t columns) {
  std::vector<std::uint16_t> values(static_cast<std::size_t>(rows) *
                                    static_cast<std::size_t>(columns));
  for (std::size_t k = 0; k < values.size(); ++k) {
    values[k] = static_cast<std::uint16_t>(k);
  }
  return {{rows, columns}, std::move(values)};
}

TEST(Image, has_the_last_two_dimensions_as_rows_and_columns) {
  const auto tensor = ramp(2, 3);
  const auto sut = tensor.image();
  ASSERT_TRUE(sut);
  EXPECT_EQ(sut->rows(), 2U);
  EXPECT_EQ(sut->columns(), 3U);
  EXPECT_EQ(sut->value_at(1, 2), 5);
  EXPECT_TRUE(sut->is_mono());
  EXPECT_EQ(sut->planes(), 1U);
}

TEST(Image, of_one_dimension_is_one_row) {
  const Tensor<float> tensor({3}, {1.5F, 2.5F, 3.5F});
  const auto sut = tensor.image();
  ASSERT_TRUE(sut);
  EXPECT_EQ(sut->rows(), 1U);
  EXPECT_EQ(sut->value_at(0, 2), 3.5);
}

TEST(Image, is_a_plane_of_more_dimensions) {
  std::vector<std::int16_t> values(2 * 3 * 4 * 5);
  for (std::size_t k = 0; k < values.size(); ++k) {
    values[k] = static_cast<std::int16_t>(-static_cast<int>(k));
  }
  const Tensor<std::int16_t> tensor({2, 3, 4, 5}, values);
  const auto sut = tensor.image({.plane = {1, 2}});
  ASSERT_TRUE(sut);
  EXPECT_EQ(sut->planes(), 6U);
  EXPECT_THAT(sut->plane_extents(), ElementsAre(2, 3));
  EXPECT_EQ(sut->value_at(3, 4), -119);
  EXPECT_EQ(tensor.image({.plane = {1}})->value_at(0, 0), -60);
  EXPECT_EQ(tensor.image({.plane = {2}}).error().code, Errc::kInvalidArgument);
  EXPECT_EQ(tensor.image({.plane = {0, 0, 0}}).error().code, Errc::kInvalidArgument);
}

TEST(Image, has_its_plane_written_as_numbers) {
  EXPECT_THAT(*parse_plane("2,0"), ElementsAre(2, 0));
  EXPECT_THAT(*parse_plane("7"), ElementsAre(7));
  for (const char* wrong : {"", ",", "1,", "-1", "1x2", "a"}) {
    EXPECT_FALSE(parse_plane(wrong)) << wrong;
  }
}

TEST(Image, is_coloured_by_its_last_dimension) {
  const Tensor<std::uint8_t> tensor({1, 2, 3}, {1, 2, 3, 4, 5, 6});
  EXPECT_EQ(tensor.image()->at(0, 1), (Pixel{4, 5, 6}));
  EXPECT_EQ(tensor.image({.colour = Colour::kBgr})->at(0, 1), (Pixel{6, 5, 4}));
  const auto mono = tensor.image({.colour = Colour::kMono});
  ASSERT_TRUE(mono);
  EXPECT_EQ(mono->rows(), 2U);
  EXPECT_EQ(mono->columns(), 3U);
}

TEST(Image, of_a_mosaic_has_four_elements_a_pixel) {
  const Tensor<std::uint16_t> tensor({2, 4}, {10, 20, 11, 21, 22, 30, 23, 31});
  EXPECT_EQ(tensor.image({.colour = Colour::kBayerRggb})->at(0, 1), (Pixel{11, 22, 31}));
  EXPECT_EQ(tensor.image({.colour = Colour::kBayerBggr})->at(0, 0), (Pixel{30, 21, 10}));
  EXPECT_EQ(tensor.image({.colour = Colour::kBayerGrbg})->at(0, 0), (Pixel{20, 20, 22}));
  EXPECT_EQ(tensor.image({.colour = Colour::kBayerGbrg})->at(0, 0), (Pixel{22, 20, 20}));
  EXPECT_EQ(tensor.image({.colour = Colour::kBayerRggb})->columns(), 2U);
}

TEST(Image, of_luma_and_chroma_becomes_red_green_and_blue) {
  const Tensor<std::uint8_t> yuyv({1, 2, 2}, {100, 128, 200, 128});  // Y U Y V
  const auto sut = yuyv.image({.colour = Colour::kYuyv});
  ASSERT_TRUE(sut);
  EXPECT_EQ(sut->at(0, 0), (Pixel{100, 100, 100}));
  EXPECT_EQ(sut->at(0, 1), (Pixel{200, 200, 200}));
  const Tensor<std::uint8_t> red({1, 2, 2}, {128, 81, 255, 81});  // U Y V Y
  const Pixel pixel = red.image({.colour = Colour::kUyvy})->at(0, 1);
  EXPECT_GT(pixel[0], 250);
  EXPECT_LT(pixel[1], 10);
}

TEST(Image, reads_types_that_the_wire_has_no_number_for) {
  const Tensor<std::uint16_t> half({1, 3}, {0x3C00, 0xC000, 0x7C00});
  const auto sut = half.image({.extended = ExtendedDtype::kFloat16});
  EXPECT_EQ(sut->value_at(0, 0), 1);
  EXPECT_EQ(sut->value_at(0, 1), -2);
  EXPECT_TRUE(std::isinf(sut->value_at(0, 2)));
  const Tensor<std::uint16_t> brain({1, 1}, {0x4049});
  EXPECT_NEAR(brain.image({.extended = ExtendedDtype::kBfloat16})->value_at(0, 0), 3.14, 0.01);
  const float parts[] = {3, 4};
  std::vector<std::byte> bytes(8);
  std::memcpy(bytes.data(), parts, 8);
  const Tensor<std::byte> complex({1, 1, 8}, bytes);
  EXPECT_EQ(complex.image({.extended = ExtendedDtype::kComplex64})->value_at(0, 0), 5);
  // An attribute that is wrong is not believed.
  EXPECT_EQ(complex.image({.extended = ExtendedDtype::kComplex128})->columns(), 8U);
}

TEST(Image, reads_bits_and_strides) {
  TensorInfo bits = TensorInfo::packed(Dtype::kBit, {2, 8});
  const std::byte packed[] = {std::byte{0x81}, std::byte{0x02}};
  const auto sut = Image::create(bits, packed, {});
  ASSERT_TRUE(sut);
  EXPECT_EQ(sut->value_at(0, 0), 1);
  EXPECT_EQ(sut->value_at(0, 7), 1);
  EXPECT_EQ(sut->value_at(1, 1), 1);
  EXPECT_EQ(sut->value_at(1, 0), 0);
  TensorInfo wide = TensorInfo::packed(Dtype::kUint8, {2, 2});
  wide.strides = {4, 1};
  const std::byte rows[] = {std::byte{1}, std::byte{2}, {}, {}, std::byte{3}, std::byte{4}};
  EXPECT_EQ(Image::create(wide, rows, {})->value_at(1, 1), 4);
}

TEST(Image, refuses_what_is_too_short_empty_or_cannot_be_shown) {
  const auto tensor = ramp(2, 2);
  EXPECT_EQ(Image::create(tensor.info, tensor.bytes().first(7), {}).error().code,
            Errc::kExtentExceedsPayload);
  EXPECT_FALSE(tensor.image({.colour = Colour::kRgb}));
  EXPECT_FALSE(tensor.image({.colour = Colour::kCompressed}));
  const Tensor<std::uint8_t> row({1, 3}, {1, 2, 3});
  EXPECT_FALSE(row.image({.colour = Colour::kBayerRggb}));
}

TEST(Statistics, are_of_the_finite_values) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const Tensor<float> tensor({2, 3}, {1, 2, 3, nan, 4, 10});
  const Statistics sut = measure(*tensor.image());
  EXPECT_EQ(sut.min, 1);
  EXPECT_EQ(sut.max, 10);
  EXPECT_EQ(sut.mean, 4);
  EXPECT_EQ(sut.measured, 5U);
  EXPECT_EQ(sut.not_finite, 1U);
  EXPECT_EQ(sut.histogram.front(), 1U);
  EXPECT_EQ(sut.histogram.back(), 1U);
}

TEST(Statistics, leave_half_a_percent_out_at_each_end) {
  auto tensor = ramp(100, 100);
  tensor.values[0] = 65'535;  // a hot pixel
  const Statistics sut = measure(*tensor.image());
  EXPECT_EQ(sut.max, 65'535);
  EXPECT_NEAR(sut.low, 50, 2);
  EXPECT_NEAR(sut.high, 9950, 2);
}

TEST(Statistics, of_a_large_image_see_all_of_it) {
  const auto tensor = ramp(512, 128);  // as many as are measured, and then four times that
  EXPECT_EQ(measure(*tensor.image()).measured, 65'536U);
  std::vector<std::uint8_t> halves(1024 * 256, 0);
  for (std::size_t k = 0; k < halves.size(); ++k) {
    halves[k] = k % 4 == 3 ? 200 : 0;  // what a step of four would never see
  }
  const Tensor<std::uint8_t> striped({1024, 256}, halves);
  const Statistics sut = measure(*striped.image());
  EXPECT_EQ(sut.max, 200);
  EXPECT_NEAR(sut.mean, 50, 5);
}

TEST(Shading, makes_the_low_end_dark_and_the_high_end_bright) {
  Statistics statistics;
  statistics.low = 10;
  statistics.high = 20;
  statistics.max = 100;
  const Shading sut({}, statistics);
  EXPECT_EQ(sut.brightness(5), 0);
  EXPECT_EQ(sut.brightness(15), 0.5);
  EXPECT_EQ(sut.brightness(25), 1);
  EXPECT_EQ(sut.brightness(std::nan("")), 0);
  EXPECT_EQ(Shading({.stretch = Stretch::kFull}, statistics).brightness(50), 0.5);
  EXPECT_EQ(Shading({.stretch = Stretch::kFixed, .low = 0, .high = 60}, statistics).brightness(15),
            0.25);
  EXPECT_GT(Shading({.logarithmic = true}, statistics).brightness(11), 0.6);
  EXPECT_EQ(Shading({.stretch = Stretch::kFixed, .low = 1, .high = 1}, {}).brightness(2), 0);
}

TEST(Shading, colours_mono_images_by_a_palette_and_others_by_themselves) {
  const ShadingOptions options{
      .stretch = Stretch::kFixed, .low = 0, .high = 100, .palette = Palette::kViridis};
  const Shading sut(options, {});
  EXPECT_EQ(sut.colour({0, 0, 0}, true), (Rgb{68, 1, 84}));
  EXPECT_EQ(sut.colour({100, 100, 100}, true), (Rgb{253, 231, 37}));
  EXPECT_EQ(sut.colour({0, 50, 100}, false), (Rgb{0, 128, 255}));
  for (std::size_t k = 0; k < kPaletteCount; ++k) {
    EXPECT_EQ(parse_palette(to_string(static_cast<Palette>(k))), static_cast<Palette>(k));
  }
}

[[nodiscard]] Shading grey(double high) {
  return Shading({.stretch = Stretch::kFixed, .low = 0, .high = high}, {});
}

TEST(Raster, keeps_proportions_and_averages) {
  const Tensor<std::uint8_t> tensor({4, 4}, {0, 0, 100, 100,    //
                                             0, 0, 100, 100,    //
                                             200, 200, 50, 50,  //
                                             200, 200, 50, 250});
  const Raster sut = draw(*tensor.image(), grey(255), 2, 100);
  ASSERT_EQ(sut.rows, 2U);
  ASSERT_EQ(sut.columns, 2U);
  EXPECT_EQ(sut.at(0, 0).red, 0);
  EXPECT_EQ(sut.at(0, 1).red, 100);
  EXPECT_EQ(sut.at(1, 0).red, 200);
  EXPECT_EQ(sut.at(1, 1).red, 100);
  const auto wide = ramp(1, 1000);
  const Raster flat = draw(*wide.image(), grey(1000), 40, 80);
  EXPECT_EQ(flat.rows, 1U);
  EXPECT_EQ(flat.columns, 80U);
}

TEST(Raster, enlarges_small_images_in_blocks) {
  const Tensor<std::uint8_t> tensor({1, 2}, {0, 255});
  const Raster sut = draw(*tensor.image(), grey(255), 10, 4);
  ASSERT_EQ(sut.columns, 4U);
  ASSERT_EQ(sut.rows, 2U);
  EXPECT_EQ(sut.at(0, 1).red, 0);
  EXPECT_EQ(sut.at(1, 2).red, 255);
  EXPECT_EQ(draw(*tensor.image(), grey(255)).columns, 2U);
}

TEST(Cells, show_two_pixels_each) {
  const Raster raster{.rows = 3, .columns = 1, .pixels = {{1, 2, 3}, {4, 5, 6}, {7, 8, 9}}};
  EXPECT_THAT(to_lines(raster, Depth::kTrueColour),
              ElementsAre("\x1b[38;2;1;2;3m\x1b[48;2;4;5;6m▀\x1b[0m", "\x1b[38;2;7;8;9m▀\x1b[0m"));
  EXPECT_THAT(to_lines(raster, Depth::k256), SizeIs(2));
  EXPECT_THAT(to_lines(raster, Depth::k256)[0], HasSubstr("\x1b[38;5;16m"));
}

TEST(Cells, say_a_colour_once) {
  const Raster raster{.rows = 1, .columns = 3, .pixels = {{9, 9, 9}, {9, 9, 9}, {9, 9, 9}}};
  EXPECT_EQ(to_lines(raster, Depth::kTrueColour)[0], "\x1b[38;2;9;9;9m▀▀▀\x1b[0m");
}

TEST(Cells, are_letters_where_there_are_no_colours) {
  const Raster raster{.rows = 2,
                      .columns = 3,
                      .pixels = {{0, 0, 0},
                                 {255, 255, 255},
                                 {128, 128, 128},  //
                                 {0, 0, 0},
                                 {255, 255, 255},
                                 {128, 128, 128}}};
  EXPECT_THAT(to_lines(raster, Depth::kText), ElementsAre(" @+"));
  EXPECT_THAT(to_lines(raster, Depth::kText, Cursor{.row = 1, .column = 0}), ElementsAre("X@+"));
}

TEST(Cells, mark_the_cursor) {
  const Raster raster{.rows = 2, .columns = 1, .pixels = {{255, 255, 255}, {0, 0, 0}}};
  EXPECT_THAT(to_lines(raster, Depth::kTrueColour, Cursor{.row = 1, .column = 0})[0],
              HasSubstr("\x1b[48;2;255;255;255m"));
}

TEST(Cells, have_the_depth_that_the_environment_says) {
  EXPECT_EQ(depth_of("truecolor", "xterm-256color", nullptr), Depth::kTrueColour);
  EXPECT_EQ(depth_of(nullptr, "xterm-direct", nullptr), Depth::kTrueColour);
  EXPECT_EQ(depth_of(nullptr, "screen-256color", ""), Depth::k256);
  EXPECT_EQ(depth_of("24bit", "xterm", "1"), Depth::kText);
  EXPECT_EQ(depth_of(nullptr, "dumb", nullptr), Depth::kText);
  EXPECT_EQ(depth_of(nullptr, nullptr, nullptr), Depth::kText);
}

TEST(Cells, come_near_their_colours_with_256) {
  EXPECT_EQ(nearest_of_256({0, 0, 0}), 16);
  EXPECT_EQ(nearest_of_256({255, 255, 255}), 231);
  EXPECT_EQ(nearest_of_256({255, 0, 0}), 196);
  EXPECT_EQ(nearest_of_256({8, 8, 8}), 232);
  EXPECT_EQ(nearest_of_256({118, 118, 118}), 243);
}

TEST(HistogramLine, is_full_at_the_highest_bin_and_shows_every_value_there_is) {
  Statistics statistics;
  statistics.histogram[0] = 1;
  statistics.histogram[63] = 800;
  EXPECT_EQ(histogram_line(statistics, 4), "▁  █");
  EXPECT_EQ(histogram_line({}, 2), "  ");
}

TEST(Controls, follow_keys) {
  const auto tensor = ramp(20, 30);
  const Image image = *tensor.image();
  Controls sut;
  const auto press = [&](char letter) { return on_key({.character = letter}, image, sut); };
  EXPECT_EQ(press('l'), Asked::kRedraw);
  EXPECT_TRUE(sut.shading.logarithmic);
  press('c');
  EXPECT_EQ(sut.shading.palette, Palette::kViridis);
  press('s');
  EXPECT_EQ(sut.shading.stretch, Stretch::kFull);
  press(' ');
  EXPECT_TRUE(sut.paused);
  press('h');
  EXPECT_FALSE(sut.histogram);
  EXPECT_EQ(press('z'), Asked::kNothing);
  EXPECT_EQ(press('q'), Asked::kQuit);
  EXPECT_EQ(on_key({.kind = Key::Kind::kEscape}, image, sut), Asked::kQuit);
  EXPECT_EQ(on_key({.kind = Key::Kind::kUp}, image, sut),
            Asked::kRedraw);  // it begins in the middle
  ASSERT_TRUE(sut.cursor);
  EXPECT_EQ(sut.cursor->row, 10U);
  for (int k = 0; k < 50; ++k) {
    press('L');
    press('K');
  }
  EXPECT_EQ(sut.cursor->row, 0U);
  EXPECT_EQ(sut.cursor->column, 29U);
  press('x');
  EXPECT_FALSE(sut.cursor);
}

TEST(Controls, go_through_the_planes) {
  const Tensor<std::uint8_t> tensor({2, 2, 1, 1}, {1, 2, 3, 4});
  const Image image = *tensor.image();
  Controls sut;
  EXPECT_EQ(on_key({.character = 'p'}, image, sut), Asked::kRedraw);
  EXPECT_EQ(sut.plane, 3U);
  EXPECT_THAT(plane_index(sut.plane, image.plane_extents()), ElementsAre(1, 1));
  EXPECT_EQ(on_key({.character = 'n'}, image, sut), Asked::kRedraw);
  EXPECT_EQ(sut.plane, 0U);
  EXPECT_EQ(plane_number({1, 0}, {2, 2}), 2U);
  EXPECT_EQ(plane_number({1}, {2, 3}), 3U);
  EXPECT_THAT(plane_index(7, {2, 2}), ElementsAre(1, 1));
}

TEST(Screen, tells_the_values_around_the_image) {
  const auto tensor = ramp(20, 30);
  Controls controls;
  controls.cursor = Cursor{.row = 2, .column = 3};
  controls.histogram = true;
  const std::vector<std::string> lines = compose(
      *tensor.image(), controls, "cam1", {.rows = 15, .columns = 60, .depth = Depth::kText});
  EXPECT_EQ(lines.front(), "cam1");
  EXPECT_LE(lines.size(), 15U);
  EXPECT_THAT(lines[lines.size() - 4], HasSubstr("min 0  max 599  mean 299.5"));
  EXPECT_THAT(lines[lines.size() - 2], HasSubstr("row 2  column 3:  63"));
  EXPECT_THAT(lines.back(), HasSubstr("q quit"));
  controls.cursor = Cursor{.row = 1000, .column = 1000};  // the image has become smaller
  const auto clamped = compose(*tensor.image(), controls, "cam1", {.rows = 15, .columns = 60});
  EXPECT_THAT(clamped[clamped.size() - 2], HasSubstr("row 19  column 29:  599"));
}

TEST(Screen, fits_a_small_terminal) {
  const auto tensor = ramp(20, 30);
  const auto lines = compose(*tensor.image(), {}, "t", {.rows = 3, .columns = 5, .keys = false});
  EXPECT_LE(lines.size(), 4U);
  EXPECT_THAT(lines[1], Not(HasSubstr("min")));
}

}  // namespace
}  // namespace tensorpool::apps::view
