// Stride inference and validation, by table and against a second implementation that follows the
// formulas of §1.4.2 word by word in 128-bit arithmetic.
#include "core/tensor/strides.hpp"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "support/requirement.hpp"
#include "support/tensor_generator.hpp"

namespace tensorpool::core::tensor {
namespace {

constexpr std::int32_t kMost = std::numeric_limits<std::int32_t>::max();

TensorInfo tensor_of(Dtype dtype, MajorOrder order, const std::vector<std::int32_t>& dims,
                     const std::vector<std::int64_t>& strides = {}) {
  TensorInfo info = TensorInfo::packed(dtype, dims);
  info.order = order;
  std::copy(strides.begin(), strides.end(), info.strides.begin());
  return info;
}

std::vector<std::int64_t> strides_of(const Layout& layout) {
  return {layout.info.strides.begin(), layout.info.strides.begin() + layout.info.ndims};
}

struct InferenceRow {
  const char* about;
  TensorInfo info;
  std::vector<std::int64_t> strides;
  std::uint64_t extent_bytes;
  bool contiguous;
};

TEST(Strides, are_inferred_as_the_table_says) {
  TP_REQ("W60", "W61", "W64");
  using enum MajorOrder;
  const InferenceRow rows[] = {
      {"the example of the specification",
       tensor_of(Dtype::kFloat32, kRow, {480, 640}),
       {2560, 4},
       480 * 640 * 4,
       true},
      {"column-major",
       tensor_of(Dtype::kFloat32, kColumn, {480, 640}),
       {4, 1920},
       480 * 640 * 4,
       true},
      {"padded rows",
       tensor_of(Dtype::kUint16, kRow, {3, 4}, {16, 0}),
       {16, 2},
       2 * 16 + 4 * 2,
       false},
      {"padded columns",
       tensor_of(Dtype::kUint16, kColumn, {3, 4}, {0, 16}),
       {2, 16},
       3 * 16 + 3 * 2,
       false},
      {"given exactly as required",
       tensor_of(Dtype::kInt64, kRow, {2, 5}, {40, 8}),
       {40, 8},
       80,
       true},
      {"a wide inner stride carries outwards",
       tensor_of(Dtype::kUint8, kRow, {2, 3, 4}, {0, 0, 2}),
       {24, 8, 2},
       24 + 2 * 8 + 3 * 2 + 1,
       false},
      {"one element", tensor_of(Dtype::kFloat64, kRow, {1}), {8}, 8, true},
      {"an empty dimension counts as 1 in the strides",
       tensor_of(Dtype::kInt32, kRow, {3, 0, 5}),
       {20, 20, 4},
       0,
       true},
      {"eight dimensions",
       tensor_of(Dtype::kUint8, kRow, {2, 2, 2, 2, 2, 2, 2, 2}),
       {128, 64, 32, 16, 8, 4, 2, 1},
       256,
       true},
  };
  for (const InferenceRow& row : rows) {
    const Result<Layout> sut = resolve(row.info);
    ASSERT_TRUE(sut) << row.about;
    EXPECT_EQ(strides_of(*sut), row.strides) << row.about;
    EXPECT_EQ(sut->extent_bytes, row.extent_bytes) << row.about;
    EXPECT_EQ(sut->contiguous, row.contiguous) << row.about;
  }
}

struct RefusalRow {
  const char* about;
  TensorInfo info;
  Field field;
};

TEST(Strides, are_refused_with_the_field_that_is_wrong) {
  TP_REQ("W52", "W53", "W54", "W55", "W58", "W59", "W62", "W63", "W68", "W69");
  using enum MajorOrder;
  const auto with = [](TensorInfo info, auto change) {
    change(info);
    return info;
  };
  const TensorInfo good = tensor_of(Dtype::kUint16, kRow, {3, 4});
  const auto progress = [&](ProgressUnit unit, std::uint32_t bytes) {
    return with(good, [&](TensorInfo& info) {
      info.progress_unit = unit;
      info.progress_stride_bytes = bytes;
    });
  };
  const RefusalRow rows[] = {
      {"ndims 0", with(good, [](TensorInfo& i) { i.ndims = 0; }), Field::kNdims},
      {"ndims 9", with(good, [](TensorInfo& i) { i.ndims = 9; }), Field::kNdims},
      {"negative extent", with(good, [](TensorInfo& i) { i.dims[1] = -1; }), Field::kDims},
      {"lowest extent", with(good, [](TensorInfo& i) { i.dims[0] = -kMost - 1; }), Field::kDims},
      {"negative stride", with(good, [](TensorInfo& i) { i.strides[1] = -2; }), Field::kStrides},
      {"stride below the element", with(good, [](TensorInfo& i) { i.strides[1] = 1; }),
       Field::kStrides},
      {"overlapping rows", with(good, [](TensorInfo& i) { i.strides[0] = 7; }), Field::kStrides},
      {"row strides in column order", tensor_of(Dtype::kUint16, kColumn, {3, 4}, {8, 2}),
       Field::kStrides},
      {"overflow", tensor_of(Dtype::kUint64, kRow, {1, kMost, kMost, kMost}), Field::kDims},
      {"rows, stride 0", progress(ProgressUnit::kRows, 0), Field::kProgressStrideBytes},
      {"rows, not stride of dimension 0", progress(ProgressUnit::kRows, 2),
       Field::kProgressStrideBytes},
      {"columns, stride 0", progress(ProgressUnit::kColumns, 0), Field::kProgressStrideBytes},
      {"columns, not stride of dimension 1", progress(ProgressUnit::kColumns, 8),
       Field::kProgressStrideBytes},
      {"columns of one dimension",
       with(tensor_of(Dtype::kUint16, kRow, {3}),
            [](TensorInfo& i) {
              i.progress_unit = ProgressUnit::kColumns;
              i.progress_stride_bytes = 2;
            }),
       Field::kProgressUnit},
  };
  for (const RefusalRow& row : rows) {
    const Result<Layout> sut = resolve(row.info);
    ASSERT_FALSE(sut) << row.about;
    EXPECT_EQ(sut.error().code, Errc::kInvalidParams) << row.about;
    EXPECT_EQ(sut.error().field, row.field) << row.about;
  }
  EXPECT_TRUE(resolve(progress(ProgressUnit::kRows, 8)));
  EXPECT_TRUE(resolve(progress(ProgressUnit::kColumns, 2)));
}

TEST(Strides, accept_exactly_the_values_of_the_registries) {
  TP_REQ("W51", "W52", "W53", "W54");
  for (std::int32_t value = -0x8000; value <= 0x7FFF; ++value) {
    TensorInfo info = tensor_of(Dtype::kUint8, MajorOrder::kRow, {4});
    info.dtype = static_cast<Dtype>(value);
    EXPECT_EQ(resolve(info).has_value(), (value >= 1 && value <= 11) || value == 13 || value == 14)
        << "dtype " << value;
    info = tensor_of(Dtype::kUint8, MajorOrder::kRow, {4});
    info.order = static_cast<MajorOrder>(value);
    EXPECT_EQ(resolve(info).has_value(), value == 1 || value == 2) << "majorOrder " << value;
  }
  for (std::uint32_t value = 0; value <= 0xFF; ++value) {
    TensorInfo info = tensor_of(Dtype::kUint8, MajorOrder::kColumn, {4, 1});
    info.progress_unit = static_cast<ProgressUnit>(value);
    info.progress_stride_bytes = value == 2 ? 4 : 1;
    EXPECT_EQ(resolve(info).has_value(), value <= 2) << "progressUnit " << value;
  }
}

TEST(Strides, ignore_what_lies_above_ndims_and_the_progress_stride_of_unit_none) {
  TP_REQ("W56", "W57", "W70", "W71");
  TensorInfo info = tensor_of(Dtype::kUint8, MajorOrder::kRow, {2, 3});
  info.dims[2] = -7;
  info.strides[7] = -1;
  info.progress_stride_bytes = 12345;
  const Result<Layout> sut = resolve(info);
  ASSERT_TRUE(sut);
  EXPECT_EQ(sut->info.dims[2], 0);
  EXPECT_EQ(sut->info.strides[7], 0);
  EXPECT_EQ(sut->info.progress_stride_bytes, 0U);
}

TEST(Strides, of_an_extent_beyond_64_bits_still_describe_a_frame) {
  TP_REQ("W63", "W66");
  // The strides fit; only the extent does not, and that is a matter of the element view.
  const Result<Layout> wide =
      resolve(tensor_of(Dtype::kUint8, MajorOrder::kRow, {kMost, kMost, kMost}));
  ASSERT_TRUE(wide);
  EXPECT_EQ(wide->extent_bytes, std::numeric_limits<std::uint64_t>::max());
  const Result<Layout> empty =
      resolve(tensor_of(Dtype::kUint8, MajorOrder::kRow, {0, kMost, kMost}));
  ASSERT_TRUE(empty);
  EXPECT_EQ(empty->extent_bytes, 0U);
}

// --- The second implementation. ---------------------------------------------------------------

__extension__ using Wide = __int128;
constexpr Wide kInt64Most = std::numeric_limits<std::int64_t>::max();

struct Expected {
  std::vector<std::int64_t> strides;
  std::uint64_t extent_bytes = 0;
  bool contiguous = true;
};

/// §1.4.2 and §1.4.3 literally; nothing when the header is invalid.
std::optional<Expected> by_the_formulas(const TensorInfo& info) {
  const auto n = static_cast<int>(info.ndims);
  const auto e = static_cast<Wide>(element_bytes(info.dtype));
  std::vector<Wide> s(static_cast<std::size_t>(n));
  const auto at = [](auto& values, int k) -> auto& {
    return values[static_cast<std::size_t>(k)];
  };
  const auto m = [&](int k) { return std::max<Wide>(at(info.dims, k), 1); };
  const bool row = info.order == MajorOrder::kRow;
  Expected expected;
  for (int step = 0; step < n; ++step) {
    const int k = row ? n - 1 - step : step;
    const int inner = row ? k + 1 : k - 1;
    const Wide r = step == 0 ? e : at(s, inner) * m(inner);
    if (at(info.dims, k) < 0 || at(info.strides, k) < 0 || r > kInt64Most) {
      return std::nullopt;
    }
    at(s, k) = at(info.strides, k) == 0 ? r : at(info.strides, k);
    if (at(s, k) < r) {
      return std::nullopt;
    }
    expected.contiguous = expected.contiguous && at(s, k) == r;
  }
  Wide extent = e;
  bool empty = false;
  for (int k = 0; k < n; ++k) {
    expected.strides.push_back(static_cast<std::int64_t>(at(s, k)));
    extent += (m(k) - 1) * at(s, k);
    empty = empty || at(info.dims, k) == 0;
  }
  constexpr Wide kLimit = std::numeric_limits<std::uint64_t>::max();
  expected.extent_bytes = empty ? 0 : static_cast<std::uint64_t>(std::min(extent, kLimit));
  if (info.progress_unit == ProgressUnit::kRows && info.progress_stride_bytes != at(s, 0)) {
    return std::nullopt;
  }
  if (info.progress_unit == ProgressUnit::kColumns &&
      (n < 2 || info.progress_stride_bytes != at(s, 1))) {
    return std::nullopt;
  }
  return expected;
}

TEST(Strides, follow_the_formulas_for_any_tensor) {
  TP_REQ("W60", "W61", "W62", "W63", "W64", "W68", "W69");
  EXPECT_TRUE(rc::check("resolve() is the formulas of the specification", [] {
    TensorInfo info = *test::any_tensor();
    const std::optional<Expected> expected = by_the_formulas(info);
    const Result<Layout> sut = resolve(info);
    RC_CLASSIFY(expected.has_value(), "valid");
    RC_ASSERT(sut.has_value() == expected.has_value());
    if (sut) {
      RC_ASSERT(strides_of(*sut) == expected->strides);
      RC_ASSERT(sut->extent_bytes == expected->extent_bytes);
      RC_ASSERT(sut->contiguous == expected->contiguous);
    }
  }));
}

TEST(Strides, that_were_inferred_are_accepted_again_unchanged) {
  TP_REQ("W61", "W65");
  EXPECT_TRUE(rc::check("resolve() of its own result is the same", [] {
    const Result<Layout> once = resolve(*test::any_tensor());
    RC_PRE(once.has_value());
    const Result<Layout> twice = resolve(once->info);
    RC_ASSERT(twice.has_value());
    RC_ASSERT(twice->info == once->info);
    RC_ASSERT(twice->extent_bytes == once->extent_bytes);
    RC_ASSERT(twice->contiguous == once->contiguous);
  }));
}

}  // namespace
}  // namespace tensorpool::core::tensor
