#include "core/region/cleanup.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <limits>

#include "support/requirement.hpp"

namespace tensorpool::core::region {
namespace {

using namespace std::chrono_literals;

constexpr Nanos kWindow = 3s;
constexpr base::Now kNow{.mono = 100s, .real = 1'000'000s};

[[nodiscard]] constexpr std::uint64_t ns(Nanos at) {
  return static_cast<std::uint64_t>(at.count());
}

TEST(Freshness, ends_after_the_window_on_both_sides) {
  TP_REQ("W418");
  EXPECT_FALSE(outside_window(ns(kNow.mono), kNow.mono, kWindow));
  EXPECT_FALSE(outside_window(ns(kNow.mono - kWindow), kNow.mono, kWindow));
  EXPECT_TRUE(outside_window(ns(kNow.mono - kWindow) - 1, kNow.mono, kWindow));
  EXPECT_FALSE(outside_window(ns(kNow.mono + kWindow), kNow.mono, kWindow));
  EXPECT_TRUE(outside_window(ns(kNow.mono + kWindow) + 1, kNow.mono, kWindow));
  EXPECT_TRUE(outside_window(0, kNow.mono, kWindow));
  EXPECT_TRUE(outside_window(std::numeric_limits<std::uint64_t>::max(), kNow.mono, kWindow));
}

struct Row {
  const char* requirement;
  EpochEvidence evidence;
  EpochVerdict verdict;
};

TEST(EpochVerdict, removes_only_what_is_old_and_abandoned) {
  TP_REQ("W417", "W418", "W419", "W420", "W425");
  const std::uint64_t fresh = ns(kNow.mono - 1s);
  const std::uint64_t stale = ns(kNow.mono - 4s);
  const std::uint64_t ahead = ns(kNow.mono + 4s);
  const std::uint64_t new_file = ns(kNow.real - 1s);
  const std::uint64_t old_file = ns(kNow.real - 4s);
  const Row table[] = {
      {"W417", {9, true, stale, false, old_file}, EpochVerdict::kCurrent},
      {"W417", {9, false, stale, false, old_file}, EpochVerdict::kCurrent},
      {"W418", {1, true, fresh, false, old_file}, EpochVerdict::kFresh},
      {"W418", {1, true, stale, false, new_file}, EpochVerdict::kRemove},
      {"W418", {1, true, ahead, false, new_file}, EpochVerdict::kRemove},
      {"W419", {1, true, stale, true, old_file}, EpochVerdict::kOwnerAlive},
      {"W419", {1, true, ahead, true, old_file}, EpochVerdict::kOwnerAlive},
      {"W420", {1, false, fresh, true, old_file}, EpochVerdict::kRemove},
      {"W420", {1, false, stale, false, new_file}, EpochVerdict::kFresh},
      {"W420", {10, false, 0, true, old_file}, EpochVerdict::kRemove},
  };
  for (const Row& row : table) {
    EXPECT_EQ(judge_epoch(row.evidence, 9, kNow, kWindow), row.verdict) << row.requirement;
  }
}

}  // namespace
}  // namespace tensorpool::core::region
