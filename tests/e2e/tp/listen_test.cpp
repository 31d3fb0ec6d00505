// tp listen beside a driver with a camera and a reader: what goes over the bus, live and from a
// file.
#include <gmock/gmock.h>

#include <csignal>
#include <fstream>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "tp_process.hpp"

namespace tensorpool::test {
namespace {

using ::testing::HasSubstr;
using ::testing::IsSupersetOf;
using ::testing::SizeIs;
using Json = nlohmann::json;

class TpListen : public TpTest {
 protected:
  void SetUp() override {
    camera_ = start({"pub", "cam1", "--sim", "ramp", "--shape", "64", "--dtype", "u2", "--hz",
                     "500", "--no-wait", "--shm-dir", path("")});
    ASSERT_TRUE(camera_->says("publishing")) << camera_->err();
    reader_ = start({"sub", "cam1", "--shm-dir", path("")});
    ASSERT_TRUE(reader_->says("mapped epoch")) << reader_->err();
  }
  [[nodiscard]] std::set<std::string> all(const std::string& out, const char* key) const {
    std::set<std::string> found;
    for (const Json& line : json_lines(out)) {
      found.insert(line.value(key, ""));
    }
    return found;
  }

  std::unique_ptr<TpProcess> camera_;
  std::unique_ptr<TpProcess> reader_;
};

TEST_F(TpListen, hears_who_announces_and_who_registers) {
  const auto sut = start({"listen", "--json"});
  ASSERT_TRUE(eventually(
      [&] {
        return ::testing::Value(
            all(sut->out(), "message"),
            IsSupersetOf({"ShmPoolAnnounce", "DataSourceAnnounce", "ConsumerHello"}));
      },
      kRest))
      << sut->out();
  sut->send(SIGINT);
  EXPECT_EQ(sut->wait(), 0);
  EXPECT_FALSE(all(sut->out(), "message").contains("FrameDescriptor"));
}

TEST_F(TpListen, hears_the_descriptors_of_one_stream) {
  const auto sut = start({"listen", "descriptor", "--stream", "cam1", "--count", "5", "--json"});
  EXPECT_EQ(sut->wait(), 0) << sut->err();
  const std::vector<Json> lines = json_lines(sut->out());
  ASSERT_THAT(lines, SizeIs(5));
  for (std::size_t k = 1; k < lines.size(); ++k) {
    EXPECT_EQ(lines[k]["message"], "FrameDescriptor");
    EXPECT_EQ(lines[k]["fields"]["seq"], lines[0]["fields"]["seq"].get<std::uint64_t>() + k);
  }
}

TEST_F(TpListen, keeps_messages_in_a_file_and_reads_them_back) {
  const auto capture =
      start({"listen", "--capture", path("heard"), "--message", "ShmPoolAnnounce", "--count", "3"});
  EXPECT_EQ(capture->wait(), 0) << capture->err();
  EXPECT_EQ(capture->out(), "");
  EXPECT_THAT(capture->err(), HasSubstr("3 messages"));
  const auto sut = start({"listen", "--from", path("heard"), "--json"});
  EXPECT_EQ(sut->wait(), 0) << sut->err();
  EXPECT_THAT(json_lines(sut->out()), SizeIs(3));
  EXPECT_EQ(all(sut->out(), "message"), std::set<std::string>{"ShmPoolAnnounce"});
  const auto none = start({"listen", "qos", "--from", path("heard")});
  EXPECT_EQ(none->wait(), 0);
  EXPECT_EQ(none->out(), "");
}

TEST_F(TpListen, says_what_is_wrong_with_what_it_was_asked) {
  EXPECT_EQ(start({"listen", "descriptor"})->wait(), 1);
  EXPECT_EQ(start({"listen", "nonsense"})->wait(), 2);
  for (const char* const at : {"contrl=1500", "control", "control=", "control=1500abc", "=1500",
                               "control=0", "control=4294967296"}) {
    EXPECT_EQ(start({"listen", "--at", at})->wait(), 2) << at;
  }
  EXPECT_EQ(start({"listen", "--from", path("nowhere")})->wait(), 1);
  std::ofstream(path("broken")) << "{\"v\":1}\n";
  const auto sut = start({"listen", "--from", path("broken")});
  EXPECT_EQ(sut->wait(), 1);
  EXPECT_THAT(sut->err(), HasSubstr("line 1"));
}

}  // namespace
}  // namespace tensorpool::test
