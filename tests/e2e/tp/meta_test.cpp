// tp meta and tp pub --meta: attributes from one process to another.
#include "support/requirement.hpp"
#include "tp_process.hpp"

namespace tensorpool::test {
namespace {

class Meta : public TpTest {
 protected:
  [[nodiscard]] std::unique_ptr<TpProcess> camera() {
    return publish("cam1", {"--sim", "ramp", "--shape", "4,4", "--hz", "100", "--meta",
                            "exposure=250 us", "--meta", "camera=left eye", "--meta", "gain=2"});
  }
};

TEST_F(Meta, get_prints_the_set_of_a_stream_that_was_there_before) {
  TP_REQ("W371");
  const auto pub = camera();
  const auto get = start({"meta", "get", "cam1", "--timeout", "60", "--json"});
  ASSERT_EQ(get->wait(), 0);
  const auto lines = json_lines(get->out());
  ASSERT_EQ(lines.size(), 1U);
  EXPECT_EQ(lines[0]["meta_version"], 1);
  EXPECT_EQ(lines[0]["stream"], "cam1");
  EXPECT_EQ(lines[0]["attributes"]["exposure"]["value"], 250);
  EXPECT_EQ(lines[0]["attributes"]["exposure"]["unit"], "us");
  EXPECT_EQ(lines[0]["attributes"]["camera"]["value"], "left eye");
  EXPECT_EQ(lines[0]["attributes"]["camera"]["format"], "text/plain");

  const auto one = start({"meta", "get", "cam1", "exposure", "--timeout", "60"});
  ASSERT_EQ(one->wait(), 0);
  EXPECT_EQ(one->out(), "250 us\n");
  const auto none = start({"meta", "get", "cam1", "colour", "--timeout", "60"});
  EXPECT_EQ(none->wait(), 1);
  EXPECT_EQ(none->out(), "");
}

TEST_F(Meta, watch_prints_what_comes) {
  const auto watch = start({"meta", "watch", "cam1", "--count", "1"});
  const auto pub = camera();
  ASSERT_EQ(watch->wait(), 0);
  EXPECT_NE(watch->out().find("exposure  250 us"), std::string::npos) << watch->out();
}

TEST_F(Meta, set_changes_what_it_names_while_frames_go_on) {
  TP_REQ("W372", "W373");
  const auto pub = camera();
  const auto set = start({"meta", "set", "cam1", "exposure=300 us", "filter=H", "--remove", "gain",
                          "--timeout", "60", "--json"});
  ASSERT_EQ(set->wait(), 0) << set->err();
  const auto lines = json_lines(set->out());
  ASSERT_EQ(lines.size(), 1U);
  EXPECT_EQ(lines[0]["attributes"]["exposure"]["value"], 300);
  EXPECT_EQ(lines[0]["attributes"]["filter"]["value"], "H");

  const auto get = start({"meta", "get", "cam1", "--timeout", "60", "--json"});
  ASSERT_EQ(get->wait(), 0);
  const auto told = json_lines(get->out());
  ASSERT_EQ(told.size(), 1U);
  EXPECT_EQ(told[0]["meta_version"], 2);
  EXPECT_EQ(told[0]["attributes"]["exposure"]["value"], 300);
  EXPECT_EQ(told[0]["attributes"]["exposure"]["unit"], "us");
  EXPECT_EQ(told[0]["attributes"]["filter"]["value"], "H");
  EXPECT_EQ(told[0]["attributes"]["camera"]["value"], "left eye");
  EXPECT_FALSE(told[0]["attributes"].contains("gain"));
}

TEST_F(Meta, set_says_what_it_cannot_do) {
  const auto pub = camera();
  const auto unknown = start({"meta", "set", "cam1", "--remove", "colour", "--timeout", "60"});
  EXPECT_EQ(unknown->wait(), 1);
  EXPECT_NE(unknown->err().find("colour"), std::string::npos) << unknown->err();
  EXPECT_EQ(start({"meta", "set", "cam1", "nothing"})->wait(), 2);
  const auto idle = start({"meta", "set", "cam1", "--timeout", "60"});
  EXPECT_EQ(idle->wait(), 2);
}

TEST_F(Meta, set_reaches_a_publisher_that_waits) {
  const auto pub = publish("cam1", {"--sim", "ramp", "--hz", "0.01", "--wait"});
  const auto set = start({"meta", "set", "cam1", "camera=left", "--timeout", "60"});
  ASSERT_EQ(set->wait(), 0) << set->err();
  EXPECT_EQ(set->out(), "attributes:\n  camera  left\n");
}

TEST_F(Meta, a_wrong_attribute_is_a_wrong_usage) {
  EXPECT_EQ(publish("cam1", {"--sim", "ramp", "--meta", "nothing"})->wait(), 2);
  EXPECT_EQ(publish("cam1", {"--sim", "ramp", "--meta", "=3"})->wait(), 2);
}

}  // namespace
}  // namespace tensorpool::test
