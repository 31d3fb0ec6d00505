// tests/golden/wire-*.jsonl: every line, both ways.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>

#include "apps/messages/codec_json.hpp"
#include "support/golden.hpp"
#include "support/requirement.hpp"

namespace tensorpool::apps {
namespace {

using nlohmann::json;

class GoldenWire : public ::testing::TestWithParam<const char*> {};

TEST_P(GoldenWire, bytes_decode_to_the_listed_fields) {
  TP_REQ("W1", "W80", "W96", "W97", "S31", "S32", "J16", "T60");
  for (const json& line : test::golden_lines(GetParam())) {
    SCOPED_TRACE(line["message"].get<std::string>() + " " + line["case"].get<std::string>());
    const auto decoded = message_hex_to_json(line["hex"].get<std::string>());
    if (line["content"] == "malformed") {
      ASSERT_FALSE(decoded);
      EXPECT_EQ(decoded.error().code, Errc::kMalformedMessage);
      continue;
    }
    ASSERT_TRUE(decoded) << describe(decoded.error());
    const json got = json::parse(*decoded);
    for (const char* key :
         {"schema_id", "template_id", "message", "block_length", "version", "fields"}) {
      EXPECT_EQ(got[key], line[key]) << key;
    }
  }
}

TEST_P(GoldenWire, fields_encode_to_the_listed_bytes) {
  TP_REQ("W72", "W95", "W98", "D1", "D19", "S1", "S16", "S17", "S21", "S22", "S32", "J1", "J6",
         "J13", "J16", "T60", "T87");
  for (const json& line : test::golden_lines(GetParam())) {
    if (line.value("decode_only", false) || line["content"] == "malformed") {
      continue;
    }
    SCOPED_TRACE(line["message"].get<std::string>() + " " + line["case"].get<std::string>());
    const json input = {{"schema_id", line["schema_id"]},
                        {"template_id", line["template_id"]},
                        {"fields", line["fields"]}};
    const auto encoded = message_json_to_hex(input.dump());
    ASSERT_TRUE(encoded) << describe(encoded.error());
    EXPECT_EQ(*encoded, line["hex"].get<std::string>());
  }
}

INSTANTIATE_TEST_SUITE_P(EverySchema, GoldenWire,
                         ::testing::Values("wire-900.jsonl", "wire-901.jsonl", "wire-902.jsonl",
                                           "wire-903.jsonl", "wire-904.jsonl", "wire-910.jsonl"));

}  // namespace
}  // namespace tensorpool::apps
