// One test per row of the table in the banner, then random histories against the sentences of
// §1.17.1.
#include "core/progress/progress_sender.hpp"

#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <deque>
#include <map>

#include "base/random.hpp"
#include "support/requirement.hpp"
#include "support/seed.hpp"

namespace tensorpool::core::progress {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;
using Report = ProgressSender::Report;
using Answer = ProgressSender::Answer;

constexpr Nanos kStart = seconds(1000);
constexpr Answer kNothing;
const std::array<Hints, 1> kOneConsumer{};

[[nodiscard]] ProgressSender make(const ProgressSender::Options& options = {}) {
  auto made = ProgressSender::create(options);
  EXPECT_TRUE(made);
  made->set_wishes(kOneConsumer);
  return std::move(*made);
}

/// `bytes` of a frame without rows.
[[nodiscard]] Answer fill(ProgressSender& sut, std::uint64_t seq, std::uint64_t bytes, Nanos now) {
  return sut.on_filled(seq, bytes, ProgressUnit::kNone, 0, now);
}

TEST(ProgressSender, a_claim_is_started_with_0_bytes) {
  TP_REQ("W344");
  ProgressSender sut = make();
  EXPECT_EQ(sut.on_claimed(7, kStart), (Report{.seq = 7, .bytes = 0, .state = State::kStarted}));
}

TEST(ProgressSender, a_one_shot_publish_is_complete_at_once) {
  TP_REQ("W342", "W344");
  ProgressSender sut = make();
  EXPECT_EQ(sut.on_committed(7, 500), (Report{.seq = 7, .bytes = 500, .state = State::kComplete}));
}

TEST(ProgressSender, growth_is_told_when_interval_and_threshold_allow) {
  TP_REQ("W347");
  ProgressSender sut = make();
  static_cast<void>(sut.on_claimed(7, kStart));
  EXPECT_EQ(fill(sut, 7, 65'536, kStart + microseconds(249)), kNothing);
  EXPECT_EQ(fill(sut, 7, 65'537, kStart + microseconds(250)),
            (Report{.seq = 7, .bytes = 65'537, .state = State::kProgress}));
  EXPECT_EQ(fill(sut, 7, 65'537 + 65'535, kStart + milliseconds(9)), kNothing);
  EXPECT_EQ(fill(sut, 7, 65'537 + 65'536, kStart + milliseconds(9)),
            (Report{.seq = 7, .bytes = 131'073, .state = State::kProgress}));
}

TEST(ProgressSender, rows_may_be_the_smaller_threshold) {
  TP_REQ("W348");
  ProgressSender sut = make({.settings = {.major_delta_units = 2}});
  static_cast<void>(sut.on_claimed(7, kStart));
  const Nanos later = kStart + milliseconds(1);
  EXPECT_EQ(sut.on_filled(7, 1'999, ProgressUnit::kRows, 1'000, later), kNothing);
  EXPECT_NE(sut.on_filled(7, 2'000, ProgressUnit::kRows, 1'000, later), kNothing);
}

TEST(ProgressSender, the_latest_value_that_was_held_back_is_told_as_soon_as_it_may_be) {
  TP_REQ("W353");
  ProgressSender sut = make();
  static_cast<void>(sut.on_claimed(7, kStart));
  static_cast<void>(fill(sut, 7, 70'000, kStart + microseconds(10)));
  static_cast<void>(fill(sut, 7, 80'000, kStart + microseconds(20)));
  EXPECT_EQ(sut.next_deadline(), kStart + microseconds(250));
  EXPECT_EQ(sut.poll(kStart + microseconds(249)), kNothing);
  EXPECT_EQ(sut.poll(kStart + microseconds(250)),
            (Report{.seq = 7, .bytes = 80'000, .state = State::kProgress}));
  EXPECT_EQ(sut.poll(kStart + seconds(1)), kNothing);
  EXPECT_EQ(sut.next_deadline(), Nanos::max());
}

TEST(ProgressSender, completion_comes_first_and_once) {
  TP_REQ("W344", "W353");
  ProgressSender sut = make();
  static_cast<void>(sut.on_claimed(7, kStart));
  static_cast<void>(fill(sut, 7, 80'000, kStart));
  EXPECT_EQ(sut.on_committed(7, 90'000),
            (Report{.seq = 7, .bytes = 90'000, .state = State::kComplete}));
  EXPECT_EQ(sut.poll(kStart + seconds(1)), kNothing);
  EXPECT_EQ(fill(sut, 7, 95'000, kStart + seconds(1)), kNothing);
}

TEST(ProgressSender, of_an_aborted_claim_nothing_more_is_told) {
  TP_REQ("W344");
  ProgressSender sut = make();
  static_cast<void>(sut.on_claimed(7, kStart));
  static_cast<void>(fill(sut, 7, 80'000, kStart));
  sut.on_aborted(7);
  EXPECT_EQ(sut.poll(kStart + seconds(1)), kNothing);
  EXPECT_EQ(fill(sut, 7, 90'000, kStart + seconds(1)), kNothing);
}

TEST(ProgressSender, nothing_is_told_while_nobody_wants_it) {
  TP_REQ("W343", "W351");
  ProgressSender sut = make();
  sut.set_wishes({});
  EXPECT_EQ(sut.on_claimed(7, kStart), kNothing);
  EXPECT_EQ(fill(sut, 7, 80'000, kStart + seconds(1)), kNothing);
  EXPECT_EQ(sut.on_committed(7, 90'000), kNothing);
  sut.set_wishes(kOneConsumer);
  static_cast<void>(sut.on_claimed(8, kStart));
  sut.set_wishes({});  // the last one has gone
  EXPECT_EQ(fill(sut, 8, 80'000, kStart + seconds(1)), kNothing);
  EXPECT_EQ(sut.poll(kStart + seconds(2)), kNothing);
  EXPECT_EQ(sut.next_deadline(), Nanos::max());
  EXPECT_EQ(sut.on_committed(8, 90'000), kNothing);
}

TEST(ProgressSender, changed_hints_take_effect_in_the_frame_that_is_being_filled) {
  TP_REQ("W351");
  ProgressSender sut = make();
  static_cast<void>(sut.on_claimed(7, kStart));
  const std::array<Hints, 1> slow{Hints{.interval_us = 5'000}};
  sut.set_wishes(slow);
  EXPECT_EQ(fill(sut, 7, 80'000, kStart + microseconds(4'999)), kNothing);
  EXPECT_NE(fill(sut, 7, 80'000, kStart + microseconds(5'000)), kNothing);
}

TEST(ProgressSender, changed_hints_take_effect_on_a_value_that_is_held_back) {
  TP_REQ("W347", "W351", "W353");
  const std::array<Hints, 1> keen{Hints{.bytes_delta = 4'096}};
  const std::array<Hints, 1> none{Hints{}};
  ProgressSender sut = make();
  sut.set_wishes(keen);
  static_cast<void>(sut.on_claimed(7, kStart));
  ASSERT_NE(fill(sut, 7, 100'000, kStart + milliseconds(1)), kNothing);
  EXPECT_EQ(fill(sut, 7, 105'000, kStart + milliseconds(1) + microseconds(50)), kNothing);
  sut.set_wishes(none);  // by whom 5,000 bytes are too few
  EXPECT_EQ(sut.next_deadline(), Nanos::max());
  EXPECT_EQ(sut.poll(kStart + milliseconds(2)), kNothing);
  sut.set_wishes(keen);  // and now they are not
  EXPECT_EQ(sut.poll(kStart + milliseconds(2)),
            (Report{.seq = 7, .bytes = 105'000, .state = State::kProgress}));
}

TEST(ProgressSender, bytes_never_go_down) {
  TP_REQ("W345");
  ProgressSender sut = make();
  static_cast<void>(sut.on_claimed(7, kStart));
  static_cast<void>(fill(sut, 7, 80'000, kStart + milliseconds(1)));
  EXPECT_EQ(fill(sut, 7, 10, kStart + milliseconds(2)), kNothing);
  EXPECT_EQ(sut.told_bytes(7), 80'000U);
  EXPECT_EQ(sut.on_committed(7, 79'999), kNothing);  // shorter than what was told
}

TEST(ProgressSender, the_cap_holds_for_the_stream_and_spares_start_and_completion) {
  TP_REQ("W352");
  ProgressSender sut =
      make({.settings = {.interval = Nanos{}, .bytes_delta = 1, .max_rate_hz = 2}});
  for (std::uint64_t seq = 0; seq < 4; ++seq) {
    EXPECT_NE(sut.on_claimed(seq, kStart), kNothing);
    EXPECT_EQ(fill(sut, seq, 10, kStart).has_value(), seq < 2) << seq;
  }
  EXPECT_NE(sut.on_committed(0, 10), kNothing);
  EXPECT_EQ(sut.next_deadline(), kStart + seconds(1));
  EXPECT_NE(sut.poll(kStart + seconds(1)), kNothing);
  EXPECT_NE(sut.poll(kStart + seconds(1)), kNothing);
  EXPECT_EQ(sut.poll(kStart + seconds(1)), kNothing);
}

TEST(ProgressSender, claims_beyond_its_size_only_complete) {
  TP_REQ("W342");
  ProgressSender sut = make({.frames_max = 1});
  EXPECT_NE(sut.on_claimed(0, kStart), kNothing);
  EXPECT_EQ(sut.on_claimed(1, kStart), kNothing);
  EXPECT_EQ(fill(sut, 1, 80'000, kStart + seconds(1)), kNothing);
  EXPECT_NE(sut.on_committed(1, 80'000), kNothing);
  EXPECT_NE(sut.on_committed(0, 80'000), kNothing);
}

TEST(ProgressSender, settings_that_cannot_be_kept_are_refused) {
  const auto refused = ProgressSender::create({.settings = {.max_rate_hz = 0}});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::kInvalidArgument);
}

/// What the rules say about all that was told.
class Account {
 public:
  explicit Account(std::uint32_t max_rate_hz) : max_rate_hz_(max_rate_hz) {}
  void expect_at_least(Nanos interval, std::uint64_t bytes) {
    interval_ = interval;
    bytes_ = bytes;
  }
  void on(const Answer& answer, Nanos now) {
    if (!answer) {
      return;
    }
    Told& told = frames_[answer->seq];
    EXPECT_GE(answer->bytes, told.bytes);
    if (answer->state == State::kStarted) {
      EXPECT_EQ(told.state, State::kUnknown);
    } else {
      EXPECT_NE(told.state, State::kComplete);
    }
    if (answer->state == State::kProgress) {
      EXPECT_NE(told.state, State::kUnknown);
      EXPECT_GE(now - told.at, interval_);
      EXPECT_GE(answer->bytes, told.bytes + bytes_);
      last_second_.push_back(now);
      while (now - last_second_.front() >= seconds(1)) {
        last_second_.pop_front();
      }
      EXPECT_LE(last_second_.size(), max_rate_hz_);
      ++progress;
    }
    told = {.state = answer->state, .bytes = answer->bytes, .at = now};
  }
  int progress = 0;

 private:
  struct Told {
    State state = State::kUnknown;
    std::uint64_t bytes = 0;
    Nanos at{};
  };
  std::uint32_t max_rate_hz_;
  Nanos interval_{};
  std::uint64_t bytes_ = 0;
  std::map<std::uint64_t, Told> frames_;
  std::deque<Nanos> last_second_;
};

TEST(ProgressSender, keeps_the_rules_in_random_histories) {
  TP_REQ("W343", "W344", "W345", "W347", "W352");
  const std::uint64_t seed = test::announced_seed();
  int progress = 0;
  for (std::uint64_t run = 0; run < 50 && !HasFailure(); ++run) {
    base::Random random(seed + run);
    const auto rate = static_cast<std::uint32_t>(random.between(1, 300));
    ProgressSender sut = make({.settings = {.max_rate_hz = rate}, .frames_max = 4});
    Account account(rate);
    account.expect_at_least(microseconds(250), 65'536);
    std::map<std::uint64_t, std::uint64_t> open;
    std::uint64_t next = 0;
    Nanos now = kStart;
    bool wanted = true;
    for (int step = 0; step < 2'000; ++step) {
      now += microseconds(random.below(300));
      Answer answer;
      const auto kind = random.below(20);
      if (kind == 0) {
        answer = sut.on_claimed(next, now);
        open[next++] = 0;
      } else if (kind == 1 && random.chance(1, 5)) {
        wanted = !wanted;
        sut.set_wishes(wanted ? std::span<const Hints>(kOneConsumer) : std::span<const Hints>());
      } else if (kind == 2 && !open.empty()) {
        answer = sut.on_committed(open.begin()->first, open.begin()->second + random.below(100));
        open.erase(open.begin());
      } else if (kind == 3 && !open.empty() && random.chance(1, 3)) {
        sut.on_aborted(open.begin()->first);
        open.erase(open.begin());
      } else if (kind < 12 && !open.empty()) {
        auto at = std::next(open.begin(), static_cast<std::ptrdiff_t>(random.below(open.size())));
        at->second += random.below(40'000);
        answer = fill(sut, at->first, at->second, now);
      } else {
        const Nanos due = sut.next_deadline();
        answer = sut.poll(now);
        EXPECT_EQ(answer.has_value(), now >= due);
      }
      EXPECT_TRUE(wanted || !answer);
      account.on(answer, now);
    }
    progress += account.progress;
  }
  EXPECT_GT(progress, 100);
}

}  // namespace
}  // namespace tensorpool::core::progress
