#include "admin/request.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tensorpool::admin {
namespace {

TEST(AdminRequest, survives_the_way_to_a_line_and_back) {
  const Request asked{.operation = Operation::kEnsureStream,
                      .name = "cam1",
                      .stream_id = 20001,
                      .lease_id = 7,
                      .client_id = 77,
                      .produces = true,
                      .frame_bytes = 655360,
                      .rate_hz = 1000.5,
                      .slack = std::chrono::milliseconds(250),
                      .nslots = 64,
                      .dry_run = true,
                      .text = "say \"why\"\n",
                      .set = {"exposure=250 us", "camera=left"},
                      .remove = {"filter"}};
  const Result<Request> got = parse_request(format_request(asked));
  ASSERT_TRUE(got) << describe(got.error());
  EXPECT_EQ(got->operation, asked.operation);
  EXPECT_EQ(got->name, asked.name);
  EXPECT_EQ(got->stream_id, asked.stream_id);
  EXPECT_EQ(got->lease_id, asked.lease_id);
  EXPECT_EQ(got->client_id, asked.client_id);
  EXPECT_EQ(got->produces, asked.produces);
  EXPECT_EQ(got->frame_bytes, asked.frame_bytes);
  EXPECT_EQ(got->rate_hz, asked.rate_hz);
  EXPECT_EQ(got->slack, asked.slack);
  EXPECT_EQ(got->nslots, asked.nslots);
  EXPECT_EQ(got->dry_run, asked.dry_run);
  EXPECT_EQ(got->text, asked.text);
  EXPECT_EQ(got->set, asked.set);
  EXPECT_EQ(got->remove, asked.remove);
  EXPECT_EQ(format_request(asked).find('\n'), std::string::npos);
}

TEST(AdminRequest, is_refused_with_the_key_that_is_wrong) {
  struct Row {
    std::string line;
    Errc code;
    std::string subject;
  };
  const std::vector<Row> rows = {
      {"", Errc::kMalformedMessage, ""},
      {"[]", Errc::kMalformedMessage, ""},
      {R"({"op": "streams")", Errc::kMalformedMessage, ""},
      {"{}", Errc::kInvalidArgument, "op"},
      {R"({"op": 3})", Errc::kInvalidArgument, "op"},
      {R"({"op": "format.disk"})", Errc::kInvalidArgument, "op"},
      {R"({"op": "revoke"})", Errc::kInvalidArgument, "lease_id"},
      {R"({"op": "metadata.set"})", Errc::kInvalidArgument, "set"},
      {R"({"op": "metadata.set", "set": "a=1"})", Errc::kInvalidArgument, "set"},
      {R"({"op": "metadata.set", "set": [1]})", Errc::kInvalidArgument, "set"},
      {R"({"op": "metadata.set", "remove": [")" + std::string(kTextBytesMax + 1, 'x') + R"("]})",
       Errc::kInvalidArgument, "remove"},
      {R"({"op": "revoke", "lease_id": -1})", Errc::kInvalidArgument, "lease_id"},
      {R"({"op": "revoke", "lease_id": "7"})", Errc::kInvalidArgument, "lease_id"},
      {R"({"op": "revoke", "lease_id": 18446744073709551615})", Errc::kInvalidArgument, "lease_id"},
      {R"({"op": "gc", "dry_run": 1})", Errc::kInvalidArgument, "dry_run"},
      {R"({"op": "gc", "stream_id": 4294967295})", Errc::kInvalidArgument, "stream_id"},
      {R"({"op": "attach.pass", "client_id": 7})", Errc::kInvalidArgument, "stream_id"},
      {R"({"op": "attach.pass", "stream_id": 7})", Errc::kInvalidArgument, "client_id"},
      {R"({"op": "attach.pass", "stream_id": 7, "client_id": 4294967296})", Errc::kInvalidArgument,
       "client_id"},
      {R"({"op": "attach.pass", "stream_id": 7, "client_id": 7, "role": "owner"})",
       Errc::kInvalidArgument, "role"},
      {R"({"op": "stream.resolve"})", Errc::kInvalidArgument, "name"},
      {R"({"op": "stream.resolve", "name": "../cam"})", Errc::kInvalidArgument, "name"},
      {R"({"op": "stream.ensure", "name": "cam", "rate_hz": 1})", Errc::kInvalidArgument,
       "frame_bytes"},
      {R"({"op": "stream.ensure", "name": "cam", "nslots": 8})", Errc::kInvalidArgument,
       "frame_bytes"},
      {R"({"op": "stream.ensure", "name": "cam", "frame_bytes": 1})", Errc::kInvalidArgument,
       "rate_hz or nslots"},
      {R"({"op": "stream.ensure", "name": "cam", "frame_bytes": 4294967296, "rate_hz": 1})",
       Errc::kInvalidArgument, "frame_bytes"},
      {R"({"op": "stream.ensure", "name": "cam", "frame_bytes": 1, "rate_hz": 1e300})",
       Errc::kInvalidArgument, "rate_hz"},
      {R"({"op": "streams", "text": ")" + std::string(kTextBytesMax + 1, 'x') + R"("})",
       Errc::kInvalidArgument, "text"},
      {std::string(kRequestBytesMax + 1, ' '), Errc::kMessageTooLong, "request"},
  };
  for (const Row& row : rows) {
    const Result<Request> got = parse_request(row.line);
    ASSERT_FALSE(got) << row.line;
    EXPECT_EQ(got.error().code, row.code) << row.line;
    if (!row.subject.empty()) {
      EXPECT_STREQ(got.error().subject, row.subject.c_str()) << row.line;
    }
  }
}

TEST(AdminRequest, may_have_keys_that_nobody_knows) {
  const Result<Request> got =
      parse_request(R"({"op": "streams", "colour": ["blue"], "text": null})");
  ASSERT_TRUE(got);
  EXPECT_EQ(got->operation, Operation::kStreams);
}

TEST(StreamName, is_a_word_that_is_no_number_no_path_and_no_flag) {
  for (const char* fine : {"cam1", "C", "wfs.left_eye-2"}) {
    EXPECT_TRUE(is_stream_name(fine)) << fine;
  }
  for (const std::string& bad :
       {std::string(), std::string("1cam"), std::string("-v"), std::string("a/b"),
        std::string(".."), std::string("a b"), std::string("caf\xc3\xa9"), std::string("a\0b", 3),
        std::string(kNameBytesMax + 1, 'a')}) {
    EXPECT_FALSE(is_stream_name(bad)) << bad;
  }
}

}  // namespace
}  // namespace tensorpool::admin
