#include "core/consumer/foreign_clock.hpp"

#include <gmock/gmock.h>

#include <chrono>
#include <string>

namespace tensorpool::core::consumer {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::HasSubstr;

class ForeignClockTest : public ::testing::Test {
 protected:
  /// An announce of a sender whose clock is ahead by `offset`, received after `delay`.
  std::optional<Error> refuse(Nanos offset, Nanos delay = Nanos{0}, bool realtime = false) {
    const Nanos clock = realtime ? now_.real : now_.mono;
    return sut_.on_refused(static_cast<std::uint64_t>((clock + offset - delay).count()), realtime,
                           now_);
  }
  void wait(Nanos span) {
    now_.mono += span;
    now_.real += span;
  }

  base::Now now_{.mono = seconds(1000), .real = seconds(1'800'000'000)};
  ForeignClock sut_{seconds(1)};
};

TEST_F(ForeignClockTest, is_certain_when_a_later_announce_lies_as_far_off) {
  EXPECT_FALSE(refuse(seconds(100)));
  wait(seconds(1));
  const auto why = refuse(seconds(100), milliseconds(20));
  ASSERT_TRUE(why);
  EXPECT_EQ(why->code, Errc::kClockMismatch);
}

TEST_F(ForeignClockTest, names_both_clocks_and_which_is_ahead) {
  refuse(seconds(100));
  wait(seconds(1));
  EXPECT_THAT(std::string(refuse(seconds(100))->subject_view()),
              HasSubstr("CLOCK_MONOTONIC: announcer's 1101.0 s, ours 1001.0 s: ahead by 100.0 s"));
  refuse(-seconds(200));
  wait(seconds(1));
  EXPECT_THAT(std::string(refuse(-seconds(200))->subject_view()),
              HasSubstr("802.0 s, ours 1002.0 s: behind by 200.0 s"));
}

TEST_F(ForeignClockTest, names_both_clocks_in_full_however_far_they_have_got) {
  now_.real = seconds(9'000'000'000);
  refuse(-seconds(1'999'999'999), Nanos{0}, true);
  wait(seconds(1));
  const auto why = refuse(-seconds(1'999'999'999), Nanos{0}, true);
  ASSERT_TRUE(why);
  EXPECT_THAT(std::string(why->subject_view()), HasSubstr("CLOCK_REALTIME"));
  EXPECT_THAT(std::string(why->subject_view()), HasSubstr("behind by 1999999999.0 s"));
}

TEST_F(ForeignClockTest, says_nothing_of_announces_that_waited_for_a_process_that_was_stopped) {
  for (int age = 10; age > 3; --age) {  // all found at once, each a period younger
    EXPECT_FALSE(refuse(-seconds(age))) << age;
    wait(milliseconds(1));
  }
}

TEST_F(ForeignClockTest, says_nothing_of_repetitions_within_half_a_period) {
  refuse(seconds(100));
  wait(milliseconds(499));
  EXPECT_FALSE(refuse(seconds(100)));
  wait(milliseconds(1));
  EXPECT_TRUE(refuse(seconds(100)));
}

TEST_F(ForeignClockTest, begins_anew_when_the_distance_changes) {
  refuse(seconds(100));
  wait(seconds(1));
  EXPECT_FALSE(refuse(seconds(101)));
  wait(seconds(1));
  EXPECT_TRUE(refuse(seconds(101)));
}

TEST_F(ForeignClockTest, begins_anew_after_an_announce_that_passed) {
  refuse(seconds(100));
  wait(seconds(1));
  sut_.on_passed();
  EXPECT_FALSE(refuse(seconds(100)));
}

TEST_F(ForeignClockTest, looks_at_each_clock_by_itself) {
  refuse(seconds(100));
  wait(seconds(1));
  EXPECT_FALSE(refuse(seconds(100), Nanos{0}, true));
}

}  // namespace
}  // namespace tensorpool::core::consumer
