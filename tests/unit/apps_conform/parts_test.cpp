// The command line of the program under test, messages that make no sense, periods.
#include <gtest/gtest.h>

#include "apps/conform/program.hpp"
#include "apps/conform/strange.hpp"
#include "layout/messages_900.hpp"
#include "support.hpp"

namespace tensorpool::apps::conform::testing {
namespace {

TEST(FillIn, puts_values_where_their_names_stand) {
  const std::map<std::string, std::string> values = {{"stream_id", "7"}, {"shm_dir", "/a b"}};
  EXPECT_EQ(fill_in("pub {stream_id} '{shm_dir}' {stream_id}", values).value(), "pub 7 '/a b' 7");
  EXPECT_EQ(fill_in("no names", values).value(), "no names");
  EXPECT_EQ(fill_in("${{HOME}", values).value(), "${HOME}");
  EXPECT_EQ(fill_in("{nothing}", values).error().code, Errc::kInvalidArgument);
  EXPECT_EQ(fill_in("{stream_id", values).error().code, Errc::kInvalidArgument);
}

TEST(StrangeMessages, mean_nothing_to_any_receiver) {
  codec::Scratch scratch;
  for (const std::vector<std::byte>& one : strange_messages()) {
    const auto wire = codec::decode<codec::Message900>(one, scratch);
    const auto driver = codec::decode<codec::Message901>(one, scratch);
    EXPECT_FALSE(driver.has_value());
    // Those that can be decoded are about a stream that nobody may have.
    if (const auto* const descriptor =
            wire ? std::get_if<layout::FrameDescriptor>(&*wire) : nullptr) {
      EXPECT_EQ(descriptor->stream_id, 0xFFFF'FFFFU);
    }
  }
}

TEST(WithLongBlock, says_the_same_in_more_bytes) {
  const layout::FrameDescriptor message{.stream_id = 5, .epoch = 6, .seq = 7};
  codec::Scratch scratch;
  const std::vector<std::byte> longer = with_long_block(message);
  EXPECT_EQ(longer.size(), codec::encoded_size(message) + 9);
  EXPECT_EQ(codec::decode<layout::FrameDescriptor>(longer, scratch).value(), message);
  EXPECT_EQ(codec::peek_header(longer)->block_length, 48);
}

TEST(JudgePeriod, wants_two_signs_that_are_no_two_periods_apart_up_to_the_end) {
  const std::vector<Nanos> times = {seconds(1), seconds(2), seconds(4)};
  const auto outcome = [](std::span<const Nanos> some, Nanos end) {
    return judge_period(some, seconds(1), end, "signs").outcome;
  };
  EXPECT_EQ(outcome(times, seconds(6)), Outcome::kPassed);
  EXPECT_EQ(outcome(times, seconds(6) + Nanos{1}), Outcome::kFailed);
  EXPECT_EQ(outcome(std::vector<Nanos>{seconds(1), seconds(3) + Nanos{1}}, seconds(4)),
            Outcome::kFailed);
  EXPECT_EQ(outcome(std::span(times).first(1), seconds(1)), Outcome::kFailed);
}

TEST(JudgeFraming, sees_another_length_or_version_or_end) {
  const HeardList good = {heard(kStart, Wire::kQos, layout::QosProducer{.stream_id = kStream})};
  EXPECT_EQ(judge_framing(good, 900, {}).outcome, Outcome::kPassed);
  EXPECT_EQ(judge_framing(good, 901, {}).outcome, Outcome::kNotObservable);
  for (const std::size_t at : {std::size_t{0}, std::size_t{6}}) {
    HeardList bad = good;
    bad[0].bytes[at] = std::byte{2};
    EXPECT_EQ(judge_framing(bad, 900, {}).outcome, Outcome::kFailed);
  }
  HeardList bad = good;
  bad[0].bytes.pop_back();
  EXPECT_EQ(judge_framing(bad, 900, {}).outcome, Outcome::kFailed);
}

TEST(JudgeAll, judges_those_that_are_wanted) {
  struct Nothing {};
  const Case<Nothing> cases[] = {
      {"a", "W1", "is right", [](const Nothing&) { return passed(""); }},
      {"b", "W2", "is wrong", [](const Nothing&) { return failed(""); }}};
  const auto all = judge_all(std::span<const Case<Nothing>>(cases), Nothing{});
  ASSERT_EQ(all.size(), 2U);
  EXPECT_EQ(all[1].finding.outcome, Outcome::kFailed);
  const std::vector<std::string> wanted = {"b"};
  const auto some = judge_all(std::span<const Case<Nothing>>(cases), Nothing{}, wanted);
  ASSERT_EQ(some.size(), 1U);
  EXPECT_EQ(some[0].name, "b");
}

}  // namespace
}  // namespace tensorpool::apps::conform::testing
