// Which Aeron stream the polling thread is told to be its own. There is no media driver: nothing is
// ever added, and what was begun stays under way.
#include "agents/assigned_stream.hpp"

#include <gtest/gtest.h>

#include "support/requirement.hpp"

namespace tensorpool::agents {
namespace {

using core::registration::OwnStream;

const OwnStream kFirst{.channel = "aeron:ipc", .stream_id = 31'000};
const OwnStream kNowhere{.channel = "rubbish", .stream_id = 31'001};

class AssignedStreamTest : public ::testing::Test {
 protected:
  bus::Client client_ = *bus::Client::create({.aeron_dir = "/nonexistent/aeron"});
  std::atomic<std::uint32_t> own_id_{0};
  AssignedStream sut{client_, *bus::Channel::parse("aeron:ipc"), 1100, own_id_};
};

TEST_F(AssignedStreamTest, names_the_stream_that_it_goes_to_until_that_is_cancelled) {
  TP_REQ("W325", "W327");
  sut.assign(kFirst);
  EXPECT_EQ(own_id_, 31'000U);
  EXPECT_TRUE(sut.link().is_moving());
  sut.assign({});
  EXPECT_EQ(own_id_, 0U);
  EXPECT_FALSE(sut.link().is_moving());
  EXPECT_FALSE(sut.take_refused().has_value());
}

TEST_F(AssignedStreamTest, names_the_stream_that_it_stays_on_when_it_cannot_go_to_the_next) {
  TP_REQ("W326");
  sut.assign(kFirst);
  sut.assign(kNowhere);  // before it has come to the first
  EXPECT_EQ(own_id_, 0U);
  EXPECT_FALSE(sut.link().is_moving());
  EXPECT_EQ(sut.take_refused(), kNowhere);
  EXPECT_FALSE(sut.take_refused().has_value());
}

}  // namespace
}  // namespace tensorpool::agents
