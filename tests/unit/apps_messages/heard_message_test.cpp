#include "apps/messages/heard_message.hpp"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "apps/messages/codec_json.hpp"
#include "support/requirement.hpp"

namespace tensorpool::apps {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr const char* kQosHex =
    "1c0006008403010010270000070000000300000000000000"
    "41e2010000000000ffffffff";

[[nodiscard]] HeardMessage heard(std::string_view hex) {
  return {.at_ns = 1'795'324'800'123'456'789,
          .source = "qos",
          .aeron_stream_id = 1200,
          .session_id = -7,
          .bytes = *bytes_of_hex(hex)};
}

TEST(HeardMessage, goes_into_a_line_of_a_capture_and_back) {
  const HeardMessage message = heard(kQosHex);
  const Result<HeardMessage> back = from_capture_line(to_capture_line(message));
  ASSERT_TRUE(back);
  EXPECT_EQ(back->at_ns, message.at_ns);
  EXPECT_EQ(back->source, "qos");
  EXPECT_EQ(back->aeron_stream_id, 1200);
  EXPECT_EQ(back->session_id, -7);
  EXPECT_EQ(back->bytes, message.bytes);
}

TEST(HeardMessage, is_refused_when_its_line_is_not_whole) {
  for (const char* line :
       {"", "[]", "{}", R"({"at_ns":1,"source":"qos","aeron_stream_id":1,"session_id":1})",
        R"({"at_ns":1,"source":"qos","aeron_stream_id":1,"session_id":1,"hex":"0"})",
        R"({"at_ns":1,"source":"qos","aeron_stream_id":1,"session_id":1,"hex":"zz"})",
        R"({"at_ns":"x","source":"qos","aeron_stream_id":1,"session_id":1,"hex":""})",
        R"({"at_ns":1,"source":7,"aeron_stream_id":1,"session_id":1,"hex":""})"}) {
    EXPECT_FALSE(from_capture_line(line)) << line;
  }
}

TEST(HeardMessage, is_json_with_its_fields_and_where_it_was_heard) {
  const auto json = to_json(heard(kQosHex));
  EXPECT_EQ(json["message"], "QosProducer");
  EXPECT_EQ(json["session_id"], -7);
  EXPECT_EQ(json["fields"]["currentSeq"], 123457);
  EXPECT_EQ(stream_of(json), 10000U);
}

TEST(HeardMessage, is_a_line_of_text_without_what_is_absent) {
  const std::string text = to_text(to_json(heard(kQosHex)));
  EXPECT_THAT(text, HasSubstr(".123456  qos        QosProducer"));
  EXPECT_THAT(text, EndsWith("streamId=10000 producerId=7 epoch=3 currentSeq=123457"));
  EXPECT_THAT(text, Not(HasSubstr("watermark")));
}

TEST(HeardMessage, is_a_line_of_text_that_harms_no_terminal) {
  TP_REQ("W94");
  const nlohmann::ordered_json json = {
      {"at_ns", 1},
      {"source", "metadata"},
      {"message", "DataSourceAnnounce"},
      {"fields", {{"name", "cam\x1b[31mX"}, {"summary", "s\x1b]0;P\x07\nforged"}}}};
  const std::string text = to_text(json);
  EXPECT_THAT(text, EndsWith("name=cam\\x1b[31mX summary=s\\x1b]0;P\\x07\\x0aforged"));
}

TEST(HeardMessage, that_cannot_be_decoded_is_shown_as_it_is) {
  const auto json = to_json(heard("0102"));
  EXPECT_EQ(json["hex"], "0102");
  EXPECT_FALSE(json["error"].get<std::string>().empty());
  EXPECT_FALSE(stream_of(json).has_value());
  EXPECT_THAT(to_text(json), EndsWith("0102"));
}

}  // namespace
}  // namespace tensorpool::apps
