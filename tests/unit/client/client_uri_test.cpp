#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tensorpool/client.hpp"

namespace tensorpool::test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(ClientUri, the_mode_is_one_word_apart) {
  EXPECT_EQ(ClientOptions::parse("tensorpool:standalone")->mode, DeploymentMode::kStandalone);
  EXPECT_EQ(ClientOptions::parse("tensorpool:driver")->mode, DeploymentMode::kDriver);
  EXPECT_EQ(ClientOptions::parse("tensorpool:embedded")->mode, DeploymentMode::kEmbedded);
}

TEST(ClientUri, without_keys_means_the_same_as_the_options_defaults) {
  const Result<ClientOptions> sut = ClientOptions::parse("tensorpool:standalone");
  ASSERT_TRUE(sut);
  const ClientOptions usual;
  EXPECT_EQ(sut->aeron_dir, usual.aeron_dir);
  EXPECT_EQ(sut->media_driver, usual.media_driver);
  EXPECT_EQ(sut->threading, usual.threading);
  EXPECT_EQ(sut->allowed_base_dirs, usual.allowed_base_dirs);
  EXPECT_EQ(sut->channels.control_stream_id, usual.channels.control_stream_id);
  EXPECT_EQ(sut->channels.announce_stream_id, usual.channels.announce_stream_id);
}

TEST(ClientUri, keys_set_the_options_of_their_names) {
  const Result<ClientOptions> sut = ClientOptions::parse(
      "tensorpool:embedded?aeron-dir=/a?b=c&d|media-driver=auto|threading=invoked|allowed-dir=/x|"
      "allowed-dir=/y|control-stream=7|announce-stream=2147483647|config=/etc/d.toml");
  ASSERT_TRUE(sut) << describe(sut.error());
  EXPECT_EQ(sut->aeron_dir, "/a?b=c&d");
  EXPECT_EQ(sut->media_driver, MediaDriverPolicy::kAuto);
  EXPECT_EQ(sut->threading, Threading::kInvoked);
  EXPECT_THAT(sut->allowed_base_dirs, ElementsAre("/x", "/y"));
  EXPECT_EQ(sut->channels.control_stream_id, 7);
  EXPECT_EQ(sut->channels.announce_stream_id, 2147483647);
  EXPECT_EQ(sut->driver.config_file, "/etc/d.toml");
}

TEST(ClientUri, what_is_wrong_is_refused_with_what_would_do) {
  struct Row {
    std::string uri;
    std::string hint;
  };
  const std::vector<Row> rows = {
      {"", "begin with tensorpool:"},
      {"aeron:ipc", "begin with tensorpool:"},
      {"tensorpool:", "use driver, embedded, standalone"},
      {"tensorpool:drivers", "use driver, embedded, standalone"},
      {"tensorpool:driver?", "write key=value"},
      {"tensorpool:driver?aeron-dir", "write key=value"},
      {"tensorpool:driver?aeron-dir=", "write key=value"},
      {"tensorpool:driver?=x", "write key=value"},
      {"tensorpool:driver?aeron-dir=/a|", "write key=value"},
      {"tensorpool:driver?aeron_dir=/a", "did you mean aeron-dir?"},
      {"tensorpool:driver?colour=red", "see ClientOptions"},
      {"tensorpool:driver?aeron-dir=/a|aeron-dir=/b", "give it once"},
      {"tensorpool:driver?threading=some", "use background, invoked"},
      {"tensorpool:driver?media-driver=none", "use external, auto, embedded"},
      {"tensorpool:driver?control-stream=0", "use 1 to 2147483647"},
      {"tensorpool:driver?control-stream=2147483648", "use 1 to 2147483647"},
      {"tensorpool:driver?announce-stream=1x", "use 1 to 2147483647"},
      {"tensorpool:driver?config=/etc/d.toml", "use tensorpool:embedded"},
      {"tensorpool:standalone?config=/etc/d.toml", "use tensorpool:embedded"},
  };
  for (const Row& row : rows) {
    const Result<ClientOptions> sut = ClientOptions::parse(row.uri);
    ASSERT_FALSE(sut) << row.uri;
    EXPECT_EQ(sut.error().code, Errc::kInvalidArgument) << row.uri;
    EXPECT_THAT(std::string(sut.error().subject_view()), HasSubstr(row.hint)) << row.uri;
    EXPECT_EQ(Client::connect(row.uri).error().code, Errc::kInvalidArgument);
  }
}

}  // namespace
}  // namespace tensorpool::test
