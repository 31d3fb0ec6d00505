#include "apps/files/npy.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support.hpp"

namespace apps_files_test {
namespace {

using namespace tensorpool;
using namespace tensorpool::apps::files;
using testing::ElementsAre;

Result<std::unique_ptr<FrameSource>> read(const Bytes& file,
                                          Arrangement arrangement = Arrangement::kAuto) {
  return read_npy(FileBytes::own(file), arrangement, "test.npy");
}

Bytes counted(std::size_t bytes) {
  Bytes values;
  for (std::size_t i = 0; i < bytes; ++i) {
    values.push_back(static_cast<std::byte>(i));
  }
  return values;
}

TEST(NpySource, reads_a_stack_frame_by_frame) {
  for (const char major : {'\1', '\2', '\3'}) {
    const auto source = read(npy_file(
        "{'descr': '<u2', 'fortran_order': False, 'shape': (3, 2, 4), }", counted(48), major));
    ASSERT_TRUE(source);
    EXPECT_EQ((*source)->frame_count(), 3U);
    EXPECT_EQ((*source)->frame_bytes(), 16U);
    EXPECT_EQ((*source)->info(), TensorInfo::packed(Dtype::kUint16, {2, 4}));
    EXPECT_EQ(drain(**source), counted(48));
    ASSERT_TRUE((*source)->rewind());
    EXPECT_EQ(drain(**source), counted(48));
  }
}

TEST(NpySource, reads_headers_as_other_programs_write_them) {
  for (const std::string_view dictionary :
       {"{\"shape\":(4,),\"descr\":\"|u1\",\"fortran_order\":False}",
        "  { 'descr' : 'u1' , 'fortran_order' : False , 'shape' : ( 4L , ) , }   \t ",
        "{'descr': 'uint8', 'fortran_order': False, 'shape': (2, 2)}"}) {
    const auto source = read(npy_file(dictionary, counted(4)));
    ASSERT_TRUE(source) << dictionary;
    EXPECT_EQ(drain(**source), counted(4));
  }
}

TEST(NpySource, takes_a_stack_in_fortran_order_along_its_last_axis) {
  const auto source =
      read(npy_file("{'descr': '|u1', 'fortran_order': True, 'shape': (2, 3, 4), }", counted(24)));
  ASSERT_TRUE(source);
  EXPECT_EQ((*source)->frame_count(), 4U);
  EXPECT_THAT(shape_of(**source), ElementsAre(2, 3));
  EXPECT_EQ((*source)->info().order, MajorOrder::kColumn);
  EXPECT_EQ(drain(**source), counted(24));
}

TEST(NpySource, splits_an_array_as_it_is_told) {
  struct Row {
    const char* shape;
    Arrangement arrangement;
    std::uint64_t frames;
    std::vector<std::int32_t> frame;
  };
  const Row rows[] = {
      {"()", Arrangement::kAuto, 1, {1}},
      {"(24,)", Arrangement::kAuto, 1, {24}},
      {"(24,)", Arrangement::kStack, 24, {1}},
      {"(4, 6)", Arrangement::kAuto, 1, {4, 6}},
      {"(4, 6)", Arrangement::kStack, 4, {6}},
      {"(4, 3, 2)", Arrangement::kAuto, 4, {3, 2}},
      {"(4, 3, 2)", Arrangement::kOne, 1, {4, 3, 2}},
      {"(1, 2, 3, 4)", Arrangement::kAuto, 1, {2, 3, 4}},
  };
  for (const Row& row : rows) {
    const auto source =
        read(npy_file(std::string("{'descr': '|u1', 'fortran_order': False, 'shape': ") +
                          row.shape + "}",
                      counted(24)),
             row.arrangement);
    ASSERT_TRUE(source) << row.shape;
    EXPECT_EQ((*source)->frame_count(), row.frames) << row.shape;
    EXPECT_EQ(shape_of(**source), row.frame) << row.shape;
  }
}

TEST(NpySource, converts_big_endian_elements) {
  const auto source =
      read(npy_file("{'descr': '>u4', 'fortran_order': False, 'shape': (2,), }", counted(8)));
  ASSERT_TRUE(source);
  EXPECT_EQ(drain(**source), to_bytes(std::vector<std::uint32_t>{0x00010203, 0x04050607}));
}

TEST(NpySource, refuses_what_no_tensor_can_hold) {
  for (const std::string_view dictionary : {
           "{'descr': '<c16', 'fortran_order': False, 'shape': (1,), }",
           "{'descr': '|O', 'fortran_order': False, 'shape': (1,), }",
           "{'descr': '<f2', 'fortran_order': False, 'shape': (1,), }",
           "{'descr': 'bit', 'fortran_order': False, 'shape': (1,), }",
           "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,), }",
           "{'descr': '<u2', 'fortran_order': False, 'shape': (0, 2, 2), }",
           "{'descr': '<u2', 'fortran_order': False, 'shape': (1, 2147483648), }",
           "{'descr': '<u2', 'fortran_order': False, 'shape': (4294967296, 65536, 65536), }",
           "{'descr': '<u2', 'fortran_order': False, 'shape': (99999999999999999999,), }",
           "{'descr': '<u2', 'fortran_order': False, 'shape': (-1,), }",
           "{'descr': '<u2', 'fortran_order': False, 'shape': (1,1,1,1,1,1,1,1,1,1), }",
           "{'descr': '<u2', 'fortran_order': Maybe, 'shape': (1,), }",
           "{'descr': '<u2', 'shape': (1,), }",
           "{'descr': '<u2', 'fortran_order': False, 'shape': (1,), 'more': 1}",
           "{'descr': '<u2', 'fortran_order': False, 'shape': (1",
           "{'descr': '<u2",
           "",
       }) {
    const auto source = read(npy_file(dictionary, counted(8)));
    ASSERT_FALSE(source) << dictionary;
    EXPECT_EQ(source.error().code, Errc::kFileFormat) << dictionary;
  }
}

TEST(NpySource, says_how_many_bytes_are_missing) {
  const auto source =
      read(npy_file("{'descr': '<u2', 'fortran_order': False, 'shape': (3, 2, 4), }", counted(47)));
  ASSERT_FALSE(source);
  EXPECT_EQ(source.error().code, Errc::kTruncatedInput);
  EXPECT_EQ(source.error().value, 47U);
  EXPECT_EQ(source.error().limit, 48U);
}

TEST(NpyHeader, has_the_bytes_that_numpy_documents) {
  const auto sut = npy_header(TensorInfo::packed(Dtype::kUint16, {512, 640}), 5);
  ASSERT_TRUE(sut);
  const std::string start = std::string("\x93NUMPY\1\0\x76\0", 10) +
                            "{'descr': '<u2', 'fortran_order': False, 'shape': (5, 512, 640), }";
  EXPECT_EQ(sut->size(), 128U);
  EXPECT_EQ(sut->substr(0, start.size()), start);
  EXPECT_EQ(sut->find_first_not_of(' ', start.size()), sut->size() - 1);
  EXPECT_EQ(sut->back(), '\n');
}

TEST(NpyHeader, is_as_long_for_any_number_of_frames) {
  for (const std::int32_t extent : {1, 99, 123'456, 2'147'483'647}) {
    const TensorInfo info = TensorInfo::packed(Dtype::kFloat64, {extent, extent, extent, extent});
    const auto none = npy_header(info, 0);
    const auto most = npy_header(info, ~std::uint64_t{0});
    ASSERT_TRUE(none && most);
    EXPECT_EQ(none->size(), most->size());
    EXPECT_EQ(none->size() % 64, 0U);
  }
}

TEST(NpyHeader, has_no_type_for_bits) {
  const auto sut = npy_header(TensorInfo::packed(Dtype::kBit, {8}), 1);
  ASSERT_FALSE(sut);
  EXPECT_EQ(sut.error().code, Errc::kDtypeMismatch);
}

}  // namespace
}  // namespace apps_files_test
