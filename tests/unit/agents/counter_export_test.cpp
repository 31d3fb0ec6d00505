// How counters come from the thread that counts to the one that shows them, and how many are asked
// for.
#include "agents/counter_export.hpp"

#include <gtest/gtest.h>

#include <string>
#include <thread>

#include "agents/producer_tally.hpp"
#include "agents/readout.hpp"

namespace tensorpool::test {
namespace {

using agents::CounterBudget;
using agents::ProducerTally;
using agents::Readout;
using namespace std::chrono_literals;

struct Pair {
  std::uint64_t first = 0;
  std::uint64_t second = 0;
};

TEST(Readout, is_answered_only_when_it_was_asked) {
  Readout<Pair> sut;
  Pair out;
  EXPECT_FALSE(sut.is_asked());
  EXPECT_FALSE(sut.collect(out));
  sut.ask();
  ASSERT_TRUE(sut.is_asked());
  EXPECT_FALSE(sut.collect(out)) << "nobody has answered";
  sut.answer({.first = 1, .second = 2});
  EXPECT_FALSE(sut.is_asked());
  ASSERT_TRUE(sut.collect(out));
  EXPECT_EQ(out.first + out.second, 3U);
  EXPECT_FALSE(sut.collect(out)) << "the same answer twice";
}

TEST(Readout, waits_for_the_answer_before_it_asks_again) {
  Readout<Pair> sut;
  sut.ask();
  sut.answer({});
  sut.ask();
  EXPECT_FALSE(sut.is_asked());
  Pair out;
  EXPECT_TRUE(sut.collect(out));
  sut.ask();
  EXPECT_TRUE(sut.is_asked());
}

TEST(Readout, gives_answers_of_one_moment) {
  Readout<Pair> sut;
  constexpr int kAnswers = 500;
  std::thread data([&sut] {
    for (std::uint64_t answers = 0, n = 0; answers < kAnswers; ++n) {
      if (sut.is_asked()) {
        sut.answer({.first = n, .second = ~n});
        ++answers;
      } else {
        std::this_thread::yield();
      }
    }
  });
  for (int answers = 0; answers < kAnswers;) {
    sut.ask();
    Pair out;
    if (sut.collect(out)) {
      ASSERT_EQ(out.first, ~out.second);
      ++answers;
    } else {
      std::this_thread::yield();
    }
  }
  data.join();
}

TEST(ProducerTally, tells_single_counters_and_all) {
  ProducerTally sut;
  ProducerCounters counters{.frames_published = 5, .drops_no_pool = 2, .wakes_put_off = 7};
  sut.tell<&ProducerCounters::frames_published>(counters);
  EXPECT_EQ(sut.read().frames_published, 5U);
  EXPECT_EQ(sut.read().drops_no_pool, 0U);
  sut.tell<&ProducerCounters::wakes_put_off>(counters);
  EXPECT_EQ(sut.read().wakes_put_off, 7U);
  sut.tell_all(counters);
  EXPECT_EQ(sut.read().drops_no_pool, 2U);
}

TEST(CounterIdentity, is_another_one_for_each_object_of_a_process) {
  const auto first = agents::identity_of(layout::CounterRole::kProducer, "cam1");
  const auto second = agents::identity_of(layout::CounterRole::kProducer, "cam1");
  EXPECT_NE(first.instance, second.instance);
  EXPECT_EQ(first.pid, second.pid);
  EXPECT_EQ(first.name, "cam1");
}

TEST(CounterBudget, lets_few_be_asked_for_at_a_time) {
  CounterBudget sut({});
  for (int k = 0; k < CounterBudget::kPendingMax; ++k) {
    ASSERT_TRUE(sut.may_ask(0s));
    sut.on_asked();
  }
  EXPECT_FALSE(sut.may_ask(0s));
  sut.on_answered();
  EXPECT_TRUE(sut.may_ask(0s));
}

TEST(CounterBudget, leaves_the_last_quarter_to_others) {
  EXPECT_TRUE(CounterBudget::may_keep(0, 8192));
  EXPECT_TRUE(CounterBudget::may_keep(6143, 8192));
  EXPECT_FALSE(CounterBudget::may_keep(6144, 8192));
}

TEST(CounterBudget, pauses_after_a_refusal_says_it_once_and_counts_each) {
  int said = 0;
  CounterBudget sut([&said](LogLevel level, std::string_view line) {
    EXPECT_EQ(level, LogLevel::kWarning);
    EXPECT_NE(line.find("full"), std::string_view::npos);
    ++said;
  });
  sut.on_refused("full", 100s);
  EXPECT_FALSE(sut.may_ask(100s));
  EXPECT_FALSE(sut.may_ask(100s + CounterBudget::kPause - 1ns));
  EXPECT_TRUE(sut.may_ask(100s + CounterBudget::kPause));
  sut.on_refused("full", 110s);
  EXPECT_EQ(said, 1);
  EXPECT_EQ(sut.refused(), 2U);
}

}  // namespace
}  // namespace tensorpool::test
