#include "tensorpool/types/extended_element.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <limits>
#include <vector>

#include "tensorpool/tensor_view.hpp"

namespace tensorpool {
namespace {

TEST(Float16, comes_back_as_it_was_for_every_pattern_of_bits) {
  for (std::uint32_t bits = 0; bits <= 0xFFFF; ++bits) {
    const Float16 half{static_cast<std::uint16_t>(bits)};
    const float value = half.to_float();
    const bool is_nan = (bits & 0x7C00U) == 0x7C00U && (bits & 0x3FFU) != 0;
    ASSERT_EQ(std::isnan(value), is_nan) << std::hex << bits;
    if (!is_nan) {
      ASSERT_EQ(Float16::from(value), half) << std::hex << bits;
    }
  }
}

TEST(Float16, has_the_values_of_the_standard) {
  struct Row {
    std::uint16_t bits;
    float value;
  };
  for (const Row& row : {Row{0x3C00, 1.0F}, Row{0xC000, -2.0F}, Row{0x7BFF, 65'504.0F},
                         Row{0x0400, 0x1p-14F}, Row{0x0001, 0x1p-24F}, Row{0x3555, 0x1.554p-2F},
                         Row{0x7C00, std::numeric_limits<float>::infinity()}}) {
    EXPECT_EQ(Float16{row.bits}.to_float(), row.value);
  }
  EXPECT_TRUE(std::signbit(Float16{0x8000}.to_float()));
}

TEST(Float16, is_rounded_to_the_nearest_and_ties_to_even) {
  EXPECT_EQ(Float16::from(1.0F + 0x1p-11F).bits, 0x3C00);  // half way: down, to even
  EXPECT_EQ(Float16::from(1.0F + 0x3p-11F).bits, 0x3C02);  // half way: up, to even
  EXPECT_EQ(Float16::from(1.0F + 0x1.8p-11F).bits, 0x3C01);
  EXPECT_EQ(Float16::from(65'519.0F).bits, 0x7BFF);
  EXPECT_EQ(Float16::from(65'520.0F).bits, 0x7C00);
  EXPECT_EQ(Float16::from(-1e30F).bits, 0xFC00);
  EXPECT_EQ(Float16::from(0x1p-25F).bits, 0x0000);  // half of the smallest: to even
  EXPECT_EQ(Float16::from(0x1.8p-25F).bits, 0x0001);
  EXPECT_EQ(Float16::from(0x1.FF8p-15F).bits, 0x03FF);  // the largest subnormal number
  EXPECT_EQ(Float16::from(0x1.FFFp-15F).bits, 0x0400);  // rounds up to the smallest normal one
  EXPECT_EQ(Float16::from(1.9999F).bits, 0x4000);       // carries into the exponent
  EXPECT_TRUE(std::isnan(Float16::from(std::nanf("")).to_float()));
}

TEST(Bfloat16, is_the_upper_half_of_a_float_rounded_to_even) {
  for (std::uint32_t bits = 0; bits <= 0xFFFF; ++bits) {
    const Bfloat16 brain{static_cast<std::uint16_t>(bits)};
    if (!std::isnan(brain.to_float())) {
      ASSERT_EQ(Bfloat16::from(brain.to_float()), brain);
    }
  }
  EXPECT_EQ(Bfloat16::from(1.0F).bits, 0x3F80);
  EXPECT_EQ(Bfloat16::from(1.0F + 0x1p-8F).bits, 0x3F80);
  EXPECT_EQ(Bfloat16::from(1.0F + 0x3p-8F).bits, 0x3F82);
  EXPECT_TRUE(std::isnan(Bfloat16::from(std::nanf("")).to_float()));
}

/// As a consumer has it: with strides.
TensorInfo with_strides(TensorInfo info) {
  std::int64_t stride = static_cast<std::int64_t>(element_bytes(info.dtype));
  for (std::size_t k = info.ndims; k-- > 0;) {
    info.strides[k] = stride;
    stride *= info.dims[k];
  }
  return info;
}

TEST(ExtendedElement, complex_numbers_travel_as_bytes_with_one_more_dimension) {
  using Complex = std::complex<double>;
  const TensorInfo info = carrier_info<Complex>({2, 2});
  EXPECT_EQ(info, TensorInfo::packed(Dtype::kBytes, {2, 2, 16}));
  std::array<Complex, 4> field = {Complex{0, 1}, {2, 3}, {4, 5}, {6, 7}};
  const auto bytes = std::as_bytes(std::span(field));
  const auto view = TensorView<const Complex>::create(with_strides(info), bytes.size(), bytes);
  ASSERT_TRUE(view);
  EXPECT_EQ(view->ndims(), 2U);
  EXPECT_EQ((*view)(1, 0), Complex(4, 5));
  // Rows of another length, or with holes, are no complex numbers.
  for (const TensorInfo& other :
       {TensorInfo::packed(Dtype::kBytes, {2, 4, 8}), TensorInfo::packed(Dtype::kBytes, {64}),
        TensorInfo::packed(Dtype::kUint8, {2, 2, 16})}) {
    const auto refused =
        TensorView<const Complex>::create(with_strides(other), bytes.size(), bytes);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Errc::kDtypeMismatch);
  }
}

TEST(ExtendedElement, half_numbers_travel_as_uint16_of_the_same_shape) {
  EXPECT_EQ(carrier_info<Float16>({3, 5}), TensorInfo::packed(Dtype::kUint16, {3, 5}));
  EXPECT_EQ(carrier_info<float>({3, 5}), TensorInfo::packed(Dtype::kFloat32, {3, 5}));
  std::array<Float16, 2> halves = {Float16::from(1.5F), Float16::from(-0.25F)};
  const auto view = TensorView<const Float16>::create(with_strides(carrier_info<Float16>({2})), 4,
                                                      std::as_bytes(std::span(halves)));
  ASSERT_TRUE(view);
  EXPECT_EQ((*view)(1).to_float(), -0.25F);
}

TEST(ExtendedElement, one_dimension_too_many_is_left_to_publish_to_refuse) {
  const std::vector<std::int32_t> shape(kMaxDims, 1);
  EXPECT_GT(carrier_info<std::complex<float>>(shape).ndims, kMaxDims);
}

}  // namespace
}  // namespace tensorpool
