#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "support/requirement.hpp"
#include "tensorpool/types/metadata.hpp"

namespace tensorpool {
namespace {

[[nodiscard]] Attribute with(std::string format, std::string_view value) {
  Attribute made = Attribute::text("key", value);
  made.format = std::move(format);
  return made;
}

TEST(Attribute, a_text_is_read_back) {
  const Attribute sut = Attribute::text("camera.serial", "4711");
  EXPECT_EQ(sut.key, "camera.serial");
  EXPECT_EQ(sut.format, "text/plain");
  EXPECT_EQ(sut.as_text(), "4711");
}

TEST(Attribute, a_number_is_read_back_to_the_last_bit) {
  for (const double number :
       {0.0, -0.1, 1.0 / 3, 6.02214076e23, 5e-324, std::numeric_limits<double>::max()}) {
    EXPECT_EQ(Attribute::number("n", number).as_number(), number);
  }
  EXPECT_EQ(Attribute::integer("n", std::numeric_limits<std::int64_t>::min()).as_integer(),
            std::numeric_limits<std::int64_t>::min());
}

TEST(Attribute, a_number_is_text_for_those_who_know_no_units) {
  const Attribute sut = Attribute::number("exposure", 250, "us");
  EXPECT_EQ(sut.format, "text/plain;unit=us");
  EXPECT_EQ(sut.as_text(), "250");
  EXPECT_EQ(sut.media_type(), "text/plain");
  EXPECT_EQ(sut.unit(), "us");
}

TEST(Attribute, a_unit_that_is_no_token_is_quoted) {
  const Attribute sut = Attribute::number("speed", 1.5, "m/s");
  EXPECT_EQ(sut.format, "text/plain;unit=\"m/s\"");
  EXPECT_EQ(sut.unit(), "m/s");
}

TEST(Attribute, parameters_come_in_any_order_and_spelling) {
  EXPECT_EQ(with("Text/Plain; charset=us-ascii ; UNIT = \"a;b\" ", "1").unit(), "a;b");
  EXPECT_EQ(with("text/plain;unit", "1").unit(), "");
  EXPECT_EQ(with("text/plain;;unit=\"", "1").unit(), "\"");
  EXPECT_EQ(with("Text/Plain; charset=utf-8", "x").media_type(), "text/plain");
}

TEST(Attribute, a_number_may_be_json_or_without_a_format) {
  EXPECT_EQ(with("application/json", " 2.5\n").as_number(), 2.5);
  EXPECT_EQ(with("", "7").as_integer(), 7);
  EXPECT_EQ(with("text/plain", "7.5").as_integer(), std::nullopt);
  EXPECT_EQ(with("text/plain", "7 apples").as_number(), std::nullopt);
  EXPECT_EQ(with("text/plain", "").as_number(), std::nullopt);
}

TEST(Attribute, what_is_in_another_format_is_neither_text_nor_number) {
  TP_REQ("W379");
  for (const char* const format : {"application/octet-stream", "sbe:900.8", "nonsense", ";;;"}) {
    const Attribute sut = with(format, "12");
    EXPECT_EQ(sut.as_number().has_value(), std::string_view(format) == ";;;") << format;
    EXPECT_EQ(sut.value.size(), 2U);
  }
}

TEST(MetadataSet, finds_values_by_key) {
  const MetadataSet sut{.attributes = {Attribute::text("a", "x"), Attribute::number("b", 2)}};
  EXPECT_EQ(sut.text("a"), "x");
  EXPECT_EQ(sut.number("b"), 2.0);
  EXPECT_EQ(sut.integer("b"), 2);
  EXPECT_EQ(sut.find("c"), nullptr);
  EXPECT_EQ(sut.text("c"), std::nullopt);
  EXPECT_EQ(sut.number("a"), std::nullopt);
}

TEST(ExtendedDtype, names_carriers_and_sizes_belong_together) {
  struct Row {
    ExtendedDtype dtype;
    const char* name;
    std::size_t bytes;
    Dtype carrier;
  };
  for (const Row& row : {Row{ExtendedDtype::kFloat16, "float16", 2, Dtype::kUint16},
                         Row{ExtendedDtype::kBfloat16, "bfloat16", 2, Dtype::kUint16},
                         Row{ExtendedDtype::kComplex64, "complex64", 8, Dtype::kBytes},
                         Row{ExtendedDtype::kComplex128, "complex128", 16, Dtype::kBytes}}) {
    EXPECT_EQ(to_string(row.dtype), row.name);
    EXPECT_EQ(extended_dtype_from_string(row.name), row.dtype);
    EXPECT_EQ(element_bytes(row.dtype), row.bytes);
    EXPECT_EQ(carrier_of(row.dtype), row.carrier);
    const MetadataSet set{.attributes = {Attribute::text("tensorpool.dtype", row.name)}};
    EXPECT_EQ(extended_dtype(set), row.dtype);
  }
  EXPECT_EQ(extended_dtype({}), std::nullopt);
  const MetadataSet later{.attributes = {Attribute::text("tensorpool.dtype", "float8")}};
  EXPECT_EQ(extended_dtype(later), std::nullopt);
}

}  // namespace
}  // namespace tensorpool
