#include "apps/metadata_text.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "support/requirement.hpp"

namespace tensorpool::apps {
namespace {

TEST(MetadataText, numbers_units_and_texts_are_told_apart) {
  EXPECT_EQ(parse_attribute("exposure=250 us"), Attribute::integer("exposure", 250, "us"));
  EXPECT_EQ(parse_attribute("speed=1.5 m/s"), Attribute::number("speed", 1.5, "m/s"));
  EXPECT_EQ(parse_attribute("gain=-2e3"), Attribute::number("gain", -2000));
  for (const char* const text : {"left eye", "", "a=b", "2 left eyes", "0x10"}) {
    EXPECT_EQ(parse_attribute(std::string("k=") + text), Attribute::text("k", text));
  }
}

TEST(MetadataText, without_a_key_it_is_no_attribute) {
  for (const char* const text : {"", "k", "=v"}) {
    const auto refused = parse_attribute(text);
    ASSERT_FALSE(refused) << text;
    EXPECT_EQ(refused.error().code, Errc::kInvalidArgument);
  }
}

TEST(MetadataText, values_are_shown_with_unit_or_size) {
  TP_REQ("W94");
  EXPECT_EQ(value_text(Attribute::integer("k", 250, "us")), "250 us");
  EXPECT_EQ(value_text(Attribute::text("k", "a\n\x1B[2J")), "a\\x0a\\x1b[2J");
  EXPECT_EQ(value_text(Attribute::json("k", "[1]")), "[1]");
  const Attribute image = Attribute::bytes("k", "image/png", std::vector<std::byte>(2048));
  EXPECT_EQ(value_text(image), "image/png, 2 KiB");
  EXPECT_EQ(value_json(image)["value_bytes"], 2048);
  EXPECT_EQ(value_json(Attribute::json("k", "[1, {\"a\": 2}]"))["value"][1]["a"], 2);
  EXPECT_EQ(value_json(Attribute::json("k", "[1"))["value"], "[1");
}

TEST(MetadataText, json_that_is_nested_too_deep_is_text) {
  const auto nested = [](int depth) {
    return std::string(static_cast<std::size_t>(depth), '[') +
           std::string(static_cast<std::size_t>(depth), ']');
  };
  EXPECT_TRUE(value_json(Attribute::json("k", nested(100)))["value"].is_array());
  EXPECT_EQ(value_json(Attribute::json("k", nested(101)))["value"], nested(101));
  const std::string bomb = nested(200'000);
  const nlohmann::ordered_json copied = value_json(Attribute::json("k", bomb));
  EXPECT_EQ(copied["value"], bomb);
  EXPECT_EQ(value_json(Attribute::json("k", "[\"[[[[\"]"))["value"][0], "[[[[");
}

}  // namespace
}  // namespace tensorpool::apps
