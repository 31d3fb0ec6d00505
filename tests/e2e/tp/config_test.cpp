// tp config: what people and programs read of it. What is right and wrong is tests/unit/config's.
#include <gmock/gmock.h>

#include "support/requirement.hpp"
#include "tp_process.hpp"

namespace tensorpool::test {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;

constexpr std::string_view kGood = R"([driver]
announce_stream_id = 1001
[policies]
shutdown_token = "never shown"
[profiles.small]
header_nslots = 64
payload_pools = [ { pool_id = 1, stride_bytes = 1048576 } ]
[streams.first]
stream_id = 10000
profile = "small"
)";

class TpConfig : public TpTest {
 protected:
  [[nodiscard]] std::string file(std::string_view text) {
    write_file(path("driver.toml"), text);
    return path("driver.toml");
  }
};

TEST_F(TpConfig, check_says_ok_or_every_error_with_its_place) {
  TP_REQ("D319", "D320", "D321");
  const auto fine = start({"config", "check", "--config", file(kGood)});
  EXPECT_EQ(fine->wait(), 0);
  EXPECT_EQ(fine->out(), path("driver.toml") + ": ok\n");

  const auto wrong = start(
      {"config", "check", "--config", file("[driver]\nqos_stream_id = 0\nqos = 1\nshm = {}\n")});
  EXPECT_EQ(wrong->wait(), 1);
  EXPECT_THAT(wrong->out(),
              AllOf(HasSubstr("/driver.toml:2:17: driver.qos_stream_id: 0 is out of range"),
                    HasSubstr("/driver.toml: profiles: there is none"),
                    HasSubstr("/driver.toml:3:7: warning: driver.qos: is not known"),
                    HasSubstr("/driver.toml: 3 errors, 2 warnings\n"), Not(HasSubstr("\x1b"))));

  const auto missing = start({"config", "check", "--config", path("none.toml")});
  EXPECT_EQ(missing->wait(), 1);
  EXPECT_THAT(missing->out(), HasSubstr("none.toml: cannot be read: No such file"));
}

TEST_F(TpConfig, check_says_the_same_in_json) {
  const auto sut = start({"config", "check", "--json", "--config", file("driver.x = 1\nshm = 1")});
  EXPECT_EQ(sut->wait(), 1);
  const auto lines = json_lines(sut->out());
  ASSERT_EQ(lines.size(), 1U);
  EXPECT_EQ(lines[0]["v"], 1);
  EXPECT_EQ(lines[0]["ok"], false);
  ASSERT_EQ(lines[0]["errors"].size(), 3U);
  EXPECT_EQ(lines[0]["errors"][0]["key"], "profiles");
  EXPECT_EQ(lines[0]["errors"][2]["line"], 2);
  EXPECT_EQ(lines[0]["errors"][2]["column"], 7);
  ASSERT_EQ(lines[0]["warnings"].size(), 1U);
  EXPECT_EQ(lines[0]["warnings"][0]["key"], "driver.x");
}

TEST_F(TpConfig, show_prints_a_file_that_is_fine_and_keeps_secrets) {
  const auto sut = start({"config", "show", "--config", file(kGood)});
  EXPECT_EQ(sut->wait(), 0);
  EXPECT_THAT(sut->err(), IsEmpty());
  EXPECT_THAT(sut->out(), AllOf(HasSubstr("announce_stream_id         = 1001"),
                                HasSubstr("driver.toml:2:22\n"), HasSubstr("# default\n"),
                                HasSubstr("/aeron\""), HasSubstr("# AERON_DIR\n"),  // of this test
                                Not(HasSubstr("never shown"))));
  const auto again = start({"config", "check", "--config", file(sut->out())});
  EXPECT_EQ(again->wait(), 0) << again->out();

  const auto json = start({"config", "show", "--json"});
  EXPECT_EQ(json->wait(), 0);
  const auto lines = json_lines(json->out());
  ASSERT_EQ(lines.size(), 1U);
  EXPECT_EQ(lines[0]["file"], "built-in");
  EXPECT_GE(lines[0]["values"].size(), 36U);
  EXPECT_EQ(lines[0]["values"][0]["key"], "driver.instance_id");
  EXPECT_EQ(lines[0]["values"][0]["value"], "driver-01");
  EXPECT_EQ(lines[0]["values"][0]["origin"], "default");
}

TEST_F(TpConfig, show_says_on_standard_error_what_is_wrong) {
  const auto sut = start({"config", "show", "--config", file("[driver]\nqos_stream_id = 0\n")});
  EXPECT_EQ(sut->wait(), 1);
  EXPECT_EQ(sut->out(), "");
  EXPECT_THAT(sut->err(), HasSubstr("driver.toml:2:17: driver.qos_stream_id: 0"));
}

TEST_F(TpConfig, explain_tells_all_about_a_key_as_the_file_and_as_the_table_names_it) {
  const std::string config = file(kGood);
  for (const char* name : {"profiles.<name>.header_nslots", "profiles.small.header_nslots"}) {
    const auto sut = start({"config", "explain", name, "--config", config});
    EXPECT_EQ(sut->wait(), 0);
    EXPECT_THAT(sut->out(),
                AllOf(StartsWith("profiles.<name>.header_nslots\n  Slots of "),
                      HasSubstr("\n  default   1024\n"), HasSubstr("\n  allowed   a power of two"),
                      HasSubstr("\n  now       profiles.small.header_nslots = 64  # "),
                      HasSubstr("driver.toml:6:17\n")));
  }
  const auto table = start({"config", "explain", "telemetry", "--json"});
  EXPECT_EQ(table->wait(), 0);
  const auto lines = json_lines(table->out());
  ASSERT_EQ(lines.size(), 2U);
  EXPECT_EQ(lines[0]["key"], "telemetry.enabled");
  EXPECT_EQ(lines[0]["variables"][1], "TP_TELEMETRY=1");
  EXPECT_EQ(lines[1]["now"][0]["value"], 10000);
}

TEST_F(TpConfig, explain_of_no_key_is_wrong_usage_and_says_which_was_meant) {
  const auto sut = start({"config", "explain", "shm.namspace"});
  EXPECT_EQ(sut->wait(), 2);
  EXPECT_EQ(sut->out(), "");
  EXPECT_THAT(sut->err(), HasSubstr("there is no key 'shm.namspace'; did you mean shm.namespace?"));
}

}  // namespace
}  // namespace tensorpool::test
