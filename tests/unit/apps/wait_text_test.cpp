#include "apps/wait_text.hpp"

#include <gtest/gtest.h>

#include "apps/doctor/wake.hpp"

namespace tensorpool::apps {
namespace {

TEST(WaitText, names_every_way_and_reads_its_own_names) {
  for (const WaitKind kind : kWaitKinds) {
    const Result<WaitStrategy> parsed = parse_wait(to_string(kind));
    ASSERT_TRUE(parsed) << to_string(kind);
    EXPECT_EQ(parsed->kind, kind);
    EXPECT_EQ(parsed->spin_for, WaitStrategy().spin_for);
  }
}

TEST(WaitText, takes_the_time_of_a_hybrid) {
  const Result<WaitStrategy> parsed = parse_wait("hybrid:250");
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->kind, WaitKind::kHybrid);
  EXPECT_EQ(parsed->spin_for, std::chrono::microseconds(250));
  EXPECT_EQ(parse_wait("hybrid:0").value().spin_for, Nanos(0));
}

TEST(WaitText, refuses_everything_else) {
  for (const char* const text : {"", "spinn", "hybrid:", "hybrid:x", "hybrid:5x", "hybrid:-1",
                                 "hybrid:1000001", "hybrid:99999999999", "park:5"}) {
    const Result<WaitStrategy> parsed = parse_wait(text);
    ASSERT_FALSE(parsed) << text;
    EXPECT_EQ(parsed.error().code, Errc::kInvalidArgument) << text;
  }
}

[[nodiscard]] std::vector<doctor::WakeFigures> three() {
  std::vector<doctor::WakeFigures> figures;
  for (const WaitKind kind : {WaitKind::kSpin, WaitKind::kPark, WaitKind::kHybrid}) {
    figures.push_back({.way = std::string(to_string(kind)), .kind = kind});
  }
  return figures;
}

TEST(WakeAdvice, spares_the_processors_where_there_are_few) {
  const auto few = doctor::recommend_waiting(three(), 2);
  const auto many = doctor::recommend_waiting(three(), 8);
  ASSERT_EQ(few.size(), 3U);
  ASSERT_EQ(many.size(), 3U);
  EXPECT_EQ(few[0], many[0]);
  EXPECT_NE(few[1].find("Not spin"), std::string::npos);
  EXPECT_EQ(many[1].find("Not spin"), std::string::npos);
}

TEST(WakeAdvice, says_nothing_without_figures) {
  EXPECT_TRUE(doctor::recommend_waiting({}, 8).empty());
}

}  // namespace
}  // namespace tensorpool::apps
