// What a client remembers of the streams it hears of.
#include "agents/stream_directory.hpp"

#include <gtest/gtest.h>

#include <string_view>
#include <vector>

#include "support/requirement.hpp"

namespace tensorpool::agents {
namespace {

constexpr std::uint32_t kStream = 10000;
constexpr core::Timing kTiming = core::Timing::around(std::chrono::milliseconds(100));
constexpr base::Now kStart{.mono = std::chrono::seconds(100), .real = std::chrono::hours(400000)};

[[nodiscard]] base::Now after(Nanos elapsed) {
  return {.mono = kStart.mono + elapsed, .real = kStart.real + elapsed};
}

class StreamDirectoryTest : public ::testing::Test {
 protected:
  void hear_name(std::uint64_t epoch, std::string_view name, std::string_view summary,
                 const base::Now& now = kStart) {
    layout::DataSourceAnnounce source;
    source.stream_id = kStream;
    source.epoch = epoch;
    source.name = name;
    source.summary = summary;
    sut_.on_data_source(source, now);
    sut_.remove_silent(now.mono);
  }
  void hear_regions(std::uint64_t epoch, std::uint32_t nslots, const base::Now& now = kStart,
                    Nanos joined_at = Nanos{0}) {
    layout::ShmPoolAnnounce announce;
    announce.stream_id = kStream;
    announce.epoch = epoch;
    announce.announce_timestamp_ns = static_cast<std::uint64_t>(now.mono.count());
    announce.header_nslots = nslots;
    sut_.on_announce(announce, joined_at, now);
    sut_.remove_silent(now.mono);
  }
  [[nodiscard]] StreamInfo info() const {
    const auto all = sut_.list();
    return all.size() == 1 ? all.front() : StreamInfo{};
  }

  StreamDirectory sut_{kTiming};
};

TEST_F(StreamDirectoryTest, a_name_of_a_higher_epoch_replaces_everything_that_was_stored) {
  TP_REQ("W377");
  hear_regions(5, 64);
  hear_name(5, "cam1", "first");
  hear_name(6, "cam2", "");
  EXPECT_EQ(info().epoch, 6U);
  EXPECT_EQ(info().name, "cam2");
  EXPECT_EQ(info().summary, "");
  EXPECT_EQ(info().nslots, 0U);  // those were the regions of epoch 5
  EXPECT_FALSE(sut_.find("cam1").has_value());
  EXPECT_FALSE(sut_.find("cam2").has_value());
  hear_regions(6, 32);
  EXPECT_EQ(sut_.find("cam2"), kStream);
}

TEST_F(StreamDirectoryTest, a_lower_epoch_is_ignored_until_the_stored_one_has_been_silent) {
  TP_REQ("W378");
  hear_name(6, "cam1", "stored");
  hear_name(5, "cam2", "late");
  hear_regions(5, 64);
  EXPECT_EQ(info().name, "cam1");
  EXPECT_EQ(info().nslots, 0U);
  const base::Now last_chance = after(kTiming.liveness_timeout);
  hear_name(5, "cam2", "late", last_chance);
  EXPECT_EQ(info().name, "cam1");
  sut_.remove_silent((last_chance.mono + Nanos{1}));
  hear_name(5, "cam2", "back", after(kTiming.liveness_timeout + Nanos{1}));
  EXPECT_EQ(info().epoch, 5U);
  EXPECT_EQ(info().name, "cam2");
}

TEST_F(StreamDirectoryTest, old_content_of_the_log_is_not_taken_for_news) {
  TP_REQ("W215", "W217");
  hear_regions(5, 64, kStart, kStart.mono + Nanos{1});  // sent before the image was there
  EXPECT_TRUE(sut_.list().empty());
  layout::ShmPoolAnnounce old;
  old.stream_id = kStream;
  old.epoch = 5;
  old.header_nslots = 64;
  old.announce_timestamp_ns =
      static_cast<std::uint64_t>((kStart.mono - kTiming.freshness_window).count() - 1);
  sut_.on_announce(old, Nanos{0}, kStart);
  EXPECT_TRUE(sut_.list().empty());
}

TEST_F(StreamDirectoryTest, of_two_streams_with_one_name_the_one_that_began_last_is_found) {
  hear_name(5, "cam1", "");
  hear_regions(5, 64);
  layout::DataSourceAnnounce other;
  other.stream_id = kStream + 1;
  other.epoch = 9;
  other.name = "cam1";
  sut_.on_data_source(other, kStart);
  EXPECT_EQ(sut_.find("cam1"), kStream);  // nobody knows the regions of the other
  layout::ShmPoolAnnounce regions;
  regions.stream_id = kStream + 1;
  regions.epoch = 9;
  regions.announce_timestamp_ns = static_cast<std::uint64_t>(kStart.mono.count());
  regions.header_nslots = 8;
  sut_.on_announce(regions, Nanos{0}, kStart);
  EXPECT_EQ(sut_.find("cam1"), kStream + 1);
}

TEST_F(StreamDirectoryTest, says_once_why_a_stream_of_another_clock_is_left_alone) {
  std::vector<Error> told;
  StreamDirectory sut(kTiming, [&](const Error& why) { told.push_back(why); });
  layout::ShmPoolAnnounce announce;
  announce.stream_id = kStream;
  announce.epoch = 5;
  announce.header_nslots = 8;
  const auto hear = [&](Nanos elapsed, Nanos ahead) {
    const base::Now now = after(elapsed);
    announce.announce_timestamp_ns = static_cast<std::uint64_t>((now.mono + ahead).count());
    sut.on_announce(announce, Nanos{0}, now);
    sut.remove_silent(now.mono);
  };
  using std::chrono::milliseconds;
  constexpr Nanos kAhead = std::chrono::hours(1);
  hear(milliseconds(0), kAhead);
  EXPECT_TRUE(sut.refused().empty());
  hear(milliseconds(100), kAhead);
  hear(milliseconds(200), kAhead);
  ASSERT_EQ(told.size(), 1U);
  EXPECT_EQ(told[0].code, Errc::kClockMismatch);
  EXPECT_EQ(told[0].stream_id, kStream);
  ASSERT_EQ(sut.refused().size(), 1U);
  EXPECT_TRUE(sut.list().empty());

  hear(milliseconds(300), Nanos{0});  // another producer, of our clock
  EXPECT_TRUE(sut.refused().empty());
  EXPECT_EQ(sut.list().size(), 1U);
}

TEST_F(StreamDirectoryTest, forgets_refused_streams_that_have_fallen_silent) {
  StreamDirectory sut(kTiming);
  layout::ShmPoolAnnounce announce;
  announce.stream_id = kStream;
  announce.epoch = 5;
  announce.announce_timestamp_ns = 1;
  for (const auto elapsed : {0, 100}) {
    const base::Now now = after(std::chrono::milliseconds(elapsed));
    announce.announce_timestamp_ns += 100'000'000;
    sut.on_announce(announce, Nanos{0}, now);
  }
  ASSERT_EQ(sut.refused().size(), 1U);
  sut.remove_silent(after(std::chrono::milliseconds(100) + kTiming.liveness_timeout).mono);
  EXPECT_EQ(sut.refused().size(), 1U);
  sut.remove_silent(after(std::chrono::milliseconds(101) + kTiming.liveness_timeout).mono);
  EXPECT_TRUE(sut.refused().empty());
}

}  // namespace
}  // namespace tensorpool::agents
