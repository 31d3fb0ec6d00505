#include <gtest/gtest.h>

#include <chrono>
#include <set>

#include "core/registration/hello_sender.hpp"
#include "core/registration/responder.hpp"
#include "core/registration/stream_move.hpp"
#include "core/timing.hpp"
#include "support/requirement.hpp"

namespace tensorpool::core::registration {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using Step = StreamMove::Step;

constexpr Nanos kStart = seconds(1000);

[[nodiscard]] HelloSender sender(ConsumerWish wish = {}) {
  HelloSender sut(10'000, seconds(1), std::move(wish), kStart);
  sut.set_consumer_id(7);
  return sut;
}

TEST(HelloSender, speaks_when_it_starts_and_at_every_interval) {
  TP_REQ("W282");
  HelloSender sut = sender();
  ASSERT_TRUE(sut.is_due(kStart));
  sut.sent(kStart);
  EXPECT_FALSE(sut.is_due(kStart + milliseconds(999)));
  EXPECT_TRUE(sut.is_due(kStart + milliseconds(1000)));
  EXPECT_TRUE(sut.is_due(kStart + milliseconds(1001)));  // until it was sent
}

TEST(HelloSender, speaks_at_once_when_something_changes) {
  TP_REQ("W283");
  ConsumerWish wish;
  HelloSender sut = sender(wish);
  const auto changes = {+[](ConsumerWish& w) { w.supports_shm = false; },
                        +[](ConsumerWish& w) { w.mode = layout::Mode::kRateLimited; },
                        +[](ConsumerWish& w) { w.max_rate_hz = 10; },
                        +[](ConsumerWish& w) { w.supports_progress = true; },
                        +[](ConsumerWish& w) { w.progress_interval_us = 500; },
                        +[](ConsumerWish& w) {
                          w.descriptors = {"aeron:ipc", 31'000};
                        },
                        +[](ConsumerWish& w) {
                          w.control = {"aeron:ipc", 32'000};
                        }};
  Nanos now = kStart;
  for (const auto change : changes) {
    sut.sent(now);
    sut.set_wish(wish);
    EXPECT_FALSE(sut.is_due(now));
    change(wish);
    sut.set_wish(wish);
    EXPECT_TRUE(sut.is_due(now));
    now += milliseconds(1);
  }
  sut.sent(now);
  sut.set_consumer_id(8);
  EXPECT_TRUE(sut.is_due(now));
  EXPECT_EQ(sut.hello().consumer_id, 8U);
}

TEST(HelloSender, speaks_at_least_three_times_before_anybody_forgets_it) {
  TP_REQ("W292");
  const Nanos patience = Responder::Options{}.stale_timeout;
  EXPECT_LE(3 * Timing{}.hello_interval, patience);
  EXPECT_LE(3 * Timing{}.qos_interval, patience);
}

TEST(HelloSender, says_nothing_without_a_number) {
  TP_REQ("W284");
  HelloSender sut(10'000, seconds(1), {}, kStart);
  EXPECT_FALSE(sut.is_due(kStart + seconds(10)));
  base::Random random(1);
  std::set<std::uint32_t> ids;
  for (int k = 0; k < 1000; ++k) {
    const std::uint32_t id = random_consumer_id(random);
    EXPECT_GE(id, 1U);
    EXPECT_LE(id, 0x7FFF'FFFFU);
    ids.insert(id);
  }
  EXPECT_GT(ids.size(), 990U);
}

TEST(HelloSender, asks_for_streams_of_its_own_as_long_as_they_are_wished) {
  TP_REQ("W287", "W288", "W289");
  HelloSender sut =
      sender({.descriptors = {"aeron:ipc", 31'000}, .control = {"aeron:ipc", 32'000}});
  for (Nanos now = kStart; now < kStart + seconds(5); now += seconds(1)) {
    EXPECT_EQ(sut.hello().descriptor_stream_id, 31'000U);
    EXPECT_EQ(sut.hello().descriptor_channel, "aeron:ipc");
    EXPECT_EQ(sut.hello().control_stream_id, 32'000U);
    EXPECT_EQ(sut.hello().control_channel, "aeron:ipc");
    sut.sent(now);
  }
  sut.set_wish({});
  EXPECT_EQ(sut.hello().descriptor_stream_id, 0U);
  EXPECT_EQ(sut.hello().descriptor_channel, "");
}

TEST(HelloSender, refuses_wishes_that_no_hello_can_say) {
  TP_REQ("W287", "W288", "W291");
  EXPECT_TRUE(check_wish({}));
  EXPECT_TRUE(check_wish({.max_rate_hz = 65535, .descriptors = {"aeron:ipc", 0x7FFF'FFFF}}));
  EXPECT_FALSE(check_wish({.max_rate_hz = 65536}));
  EXPECT_FALSE(check_wish({.descriptors = {"aeron:ipc", 0}}));
  EXPECT_FALSE(check_wish({.descriptors = {"", 31'000}}));
  EXPECT_FALSE(check_wish({.control = {"aeron:ipc", 0}}));
  EXPECT_FALSE(check_wish({.control = {"", 31'000}}));
  EXPECT_FALSE(check_wish({.control = {"aeron:ipc", 0x8000'0000}}));
}

TEST(HelloSender, gives_no_hints_about_progress_that_it_does_not_want) {
  TP_REQ("W290");
  ConsumerWish wish{
      .progress_interval_us = 1, .progress_bytes_delta = 2, .progress_major_delta_units = 3};
  HelloSender sut = sender(wish);
  EXPECT_EQ(sut.hello().progress_interval_us, std::nullopt);
  EXPECT_EQ(sut.hello().progress_bytes_delta, std::nullopt);
  EXPECT_EQ(sut.hello().progress_major_delta_units, std::nullopt);
  wish.supports_progress = true;
  sut.set_wish(wish);
  EXPECT_EQ(sut.hello().progress_interval_us, 1U);
  EXPECT_EQ(sut.hello().progress_bytes_delta, 2U);
  EXPECT_EQ(sut.hello().progress_major_delta_units, 3U);
}

const OwnStream kShared{};
const OwnStream kA{.channel = "aeron:ipc", .stream_id = 31'000};
const OwnStream kB{.channel = "aeron:ipc", .stream_id = 31'001};

TEST(StreamMove, leaves_its_stream_when_the_next_one_is_there) {
  TP_REQ("W325", "W327");
  StreamMove sut;
  EXPECT_EQ(sut.assign(kA), Step::kAdd);
  EXPECT_EQ(sut.target(), kA);
  EXPECT_EQ(sut.place(), kShared);
  sut.on_added(true);
  EXPECT_EQ(sut.place(), kA);
  EXPECT_EQ(sut.assign(kShared), Step::kAdd);
  EXPECT_EQ(sut.place(), kA);
  sut.on_added(true);
  EXPECT_EQ(sut.place(), kShared);
}

TEST(StreamMove, stays_where_it_is_when_the_next_one_cannot_be_had) {
  TP_REQ("W326", "W332");
  StreamMove sut;
  EXPECT_EQ(sut.assign(kA), Step::kAdd);
  sut.on_added(false);
  EXPECT_EQ(sut.place(), kShared);
  EXPECT_FALSE(sut.is_moving());
  EXPECT_EQ(sut.assign(kA), Step::kNothing);  // the same config again
  EXPECT_EQ(sut.assign(kB), Step::kAdd);
}

TEST(StreamMove, does_nothing_at_a_config_that_says_the_same) {
  TP_REQ("W332");
  StreamMove sut;
  EXPECT_EQ(sut.assign(kShared), Step::kNothing);
  EXPECT_EQ(sut.assign(kA), Step::kAdd);
  EXPECT_EQ(sut.assign(kA), Step::kNothing);
  sut.on_added(true);
  EXPECT_EQ(sut.assign(kA), Step::kNothing);
  EXPECT_EQ(sut.place(), kA);
}

TEST(StreamMove, goes_where_the_newest_config_sends_it) {
  TP_REQ("D258");
  StreamMove sut;
  EXPECT_EQ(sut.assign(kA), Step::kAdd);
  EXPECT_EQ(sut.assign(kB), Step::kAdd);
  EXPECT_EQ(sut.target(), kB);
  EXPECT_EQ(sut.assign(kShared), Step::kCancel);
  EXPECT_EQ(sut.place(), kShared);
  sut.on_added(true);  // of something that was cancelled
  EXPECT_EQ(sut.place(), kShared);
}

}  // namespace
}  // namespace tensorpool::core::registration
