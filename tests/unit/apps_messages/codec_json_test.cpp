// `tp codec` below its command line. Every message both ways is in tests/conform.
#include "apps/messages/codec_json.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "apps/messages/convert_lines.hpp"
#include "support/requirement.hpp"

namespace tensorpool::apps {
namespace {

using nlohmann::json;

constexpr const char* kQosHex =
    "1c0006008403010010270000070000000300000000000000"
    "41e2010000000000ffffffff";

json qos() {
  return {{"message", "QosProducer"},
          {"fields",
           {{"streamId", 10000},
            {"producerId", 7},
            {"epoch", 3},
            {"currentSeq", 123457},
            {"watermark", nullptr}}}};
}

Errc encode_error(const json& message) {
  const auto hex = message_json_to_hex(message.dump());
  return hex ? Errc{} : hex.error().code;
}

TEST(CodecJson, finds_the_message_by_name_or_by_numbers) {
  EXPECT_EQ(message_json_to_hex(qos().dump()), kQosHex);
  json by_numbers = qos();
  by_numbers.erase("message");
  by_numbers["schema_id"] = 900;
  by_numbers["template_id"] = 6;
  EXPECT_EQ(message_json_to_hex(by_numbers.dump()), kQosHex);
  by_numbers["template_id"] = 99;
  EXPECT_EQ(encode_error(by_numbers), Errc::kUnknownTemplate);
}

TEST(CodecJson, optional_fields_may_be_left_out_and_required_ones_may_not) {
  json message = qos();
  message["fields"].erase("watermark");
  EXPECT_EQ(message_json_to_hex(message.dump()), kQosHex);
  message["fields"].erase("epoch");
  EXPECT_EQ(encode_error(message), Errc::kInvalidArgument);
}

TEST(CodecJson, values_that_do_not_fit_their_field_are_refused) {
  const std::vector<std::pair<const char*, json>> table = {{"streamId", 4294967296},
                                                           {"streamId", -1},
                                                           {"streamId", 1.0},
                                                           {"streamId", "1"},
                                                           {"epoch", 1.8446744073709552e19},
                                                           {"watermark", json::array()},
                                                           {"noSuchField", 1}};
  for (const auto& [field, value] : table) {
    json message = qos();
    message["fields"][field] = value;
    EXPECT_EQ(encode_error(message), Errc::kInvalidArgument) << field << " " << value;
  }
  json message = qos();
  message["fields"]["epoch"] = 18446744073709551615U;
  EXPECT_EQ(encode_error(message), Errc{});
}

TEST(CodecJson, input_that_is_no_message_is_refused) {
  for (const char* text : {"", "{", "[]", "null", "{}", R"({"message":"QosProducer"})",
                           R"({"message":"QosProducer","fields":[]})"}) {
    const auto hex = message_json_to_hex(text);
    ASSERT_FALSE(hex) << text;
    EXPECT_EQ(hex.error().code, Errc::kInvalidArgument) << text;
  }
  EXPECT_FALSE(message_json_to_hex(std::string(100'000, '[')));
}

TEST(CodecJson, hex_that_is_no_message_is_refused_with_the_reason) {
  EXPECT_EQ(message_hex_to_json("1c0").error().code, Errc::kInvalidArgument);
  EXPECT_EQ(message_hex_to_json("zz").error().code, Errc::kInvalidArgument);
  EXPECT_EQ(message_hex_to_json("").error().code, Errc::kMalformedMessage);
  EXPECT_EQ(message_hex_to_json("1c00060084030100").error().code, Errc::kMalformedMessage);
  EXPECT_EQ(message_hex_to_json("1c00630084030100").error().code, Errc::kUnknownTemplate);
  EXPECT_EQ(message_hex_to_json("1c00060084030200").error().code, Errc::kUnsupportedVersion);
}

TEST(CodecJson, texts_that_are_not_utf8_survive_as_hex) {
  TP_REQ("W94");
  for (const json& name : {json("K\u00e4mera \n"), json{{"hex", "ff00fe"}}}) {
    const json message = {{"message", "DataSourceAnnounce"},
                          {"fields",
                           {{"streamId", 1},
                            {"producerId", 2},
                            {"epoch", 3},
                            {"metaVersion", 4},
                            {"name", name},
                            {"summary", ""}}}};
    const auto hex = message_json_to_hex(message.dump());
    ASSERT_TRUE(hex);
    const auto decoded = message_hex_to_json(*hex);
    ASSERT_TRUE(decoded);
    EXPECT_EQ(json::parse(*decoded)["fields"]["name"], name);
  }
}

TEST(CodecJson, errors_name_code_subject_and_fix) {
  const auto error = message_hex_to_json("1c00060084030100").error();
  const json got = json::parse(error_to_json(error));
  EXPECT_EQ(got["error"], "malformed_message");
  EXPECT_EQ(got["v"], 1);
  EXPECT_EQ(got["subject"], "block");
  EXPECT_EQ(got["value"], 36);
  EXPECT_EQ(got["limit"], 8);
}

TEST(ConvertLines, converts_each_line_and_reports_malformed_ones_in_place) {
  std::istringstream in(std::string(kQosHex) + "\r\n\nbad\n" + kQosHex);
  std::ostringstream out;
  EXPECT_EQ(convert_lines({}, in, out), 1);
  std::istringstream lines(out.str());
  std::vector<json> got;
  for (std::string line; std::getline(lines, line);) {
    got.push_back(json::parse(line));
  }
  ASSERT_EQ(got.size(), 3U);
  EXPECT_EQ(got[0]["fields"]["currentSeq"], 123457);
  EXPECT_EQ(got[1]["error"], "invalid_argument");
  EXPECT_EQ(got[2], got[0]);
}

TEST(ConvertLines, arguments_are_taken_instead_of_the_input) {
  const std::vector<std::string> messages = {qos().dump()};
  std::istringstream in("not read");
  std::ostringstream out;
  EXPECT_EQ(convert_lines({.direction = CodecDirection::kEncode, .messages = messages}, in, out),
            0);
  EXPECT_EQ(out.str(), std::string(kQosHex) + "\n");
  out.str("");
  EXPECT_EQ(
      convert_lines({.direction = CodecDirection::kEncode, .json = true, .messages = messages}, in,
                    out),
      0);
  EXPECT_EQ(json::parse(out.str())["hex"], kQosHex);
}

}  // namespace
}  // namespace tensorpool::apps
