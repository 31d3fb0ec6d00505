// What the kernel says of a process.
#include "os/process_stat.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

namespace tensorpool::test {
namespace {

using namespace std::chrono_literals;

constexpr const char* kLine =
    "4242 (tp) S 1 4242 4242 34817 4242 4194304 1000 0 3 0 150 50 0 0 20 0 5 0 987654 1000000 500";

TEST(ProcessStat, has_name_start_and_processor_time) {
  const auto sut = os::parse_process_stat(kLine, 100);
  ASSERT_TRUE(sut);
  EXPECT_EQ(sut->name, "tp");
  EXPECT_EQ(sut->start_ticks, 987'654U);
  EXPECT_EQ(sut->cpu, 2s);
}

TEST(ProcessStat, finds_its_way_behind_any_name) {
  std::string line = kLine;
  line.replace(line.find("(tp)"), 4, "(a) S 1 (b c)");
  const auto sut = os::parse_process_stat(line, 100);
  ASSERT_TRUE(sut);
  EXPECT_EQ(sut->name, "a) S 1 (b c");
  EXPECT_EQ(sut->start_ticks, 987'654U);
}

TEST(ProcessStat, is_not_made_of_other_text) {
  EXPECT_FALSE(os::parse_process_stat("", 100));
  EXPECT_FALSE(os::parse_process_stat(")(", 100));
  EXPECT_FALSE(os::parse_process_stat("1 (x) S 1 2 3", 100));
  EXPECT_FALSE(os::parse_process_stat(
      "1 (x) S 1 2 3 4 5 6 7 8 9 10 eleven 12 13 14 15 16 17 18 19 20", 100));
}

TEST(ProcessStat, is_there_for_ourselves_and_for_nobody_who_is_not) {
  const os::OwnProcess own = os::own_process();
  EXPECT_EQ(own.pid, static_cast<std::uint64_t>(::getpid()));
  const auto sut = os::read_process_stat(own.pid);
  ASSERT_TRUE(sut);
  EXPECT_EQ(sut->start_ticks, own.start_ticks);
  EXPECT_NE(own.start_ticks, 0U);
  EXPECT_FALSE(os::read_process_stat(0));
  EXPECT_FALSE(os::read_process_stat(~std::uint64_t{0}));
}

}  // namespace
}  // namespace tensorpool::test
