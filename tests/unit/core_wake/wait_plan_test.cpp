#include "core/wake/wait_plan.hpp"

#include <gtest/gtest.h>

namespace tensorpool::core::wake {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using Action = WaitPlan::Action;

constexpr Nanos kSpinFor = microseconds(20);

[[nodiscard]] WaitPlan plan(WaitKind kind) {
  return WaitPlan({.kind = kind, .spin_for = kSpinFor});
}

TEST(WaitPlan, never_stops_looking_where_that_is_the_strategy) {
  for (const bool can_park : {false, true}) {
    EXPECT_EQ(plan(WaitKind::kSpin).next(milliseconds(5), can_park).action, Action::kSpin);
    EXPECT_EQ(plan(WaitKind::kYield).next(milliseconds(5), can_park).action, Action::kYield);
  }
}

TEST(WaitPlan, parks_at_once_and_for_a_bounded_time) {
  WaitPlan sut = plan(WaitKind::kPark);
  const WaitPlan::Step step = sut.next(Nanos(0), true);
  EXPECT_EQ(step.action, Action::kPark);
  EXPECT_EQ(step.at_most, WaitPlan::kParkMax);
}

TEST(WaitPlan, of_a_hybrid_spins_before_it_parks) {
  WaitPlan sut = plan(WaitKind::kHybrid);
  EXPECT_EQ(sut.next(kSpinFor - Nanos(1), true).action, Action::kSpin);
  EXPECT_EQ(sut.next(kSpinFor, true).action, Action::kPark);
}

TEST(WaitPlan, falls_back_to_pauses_where_nobody_wakes) {
  for (const WaitKind kind : {WaitKind::kPark, WaitKind::kHybrid}) {
    WaitPlan sut = plan(kind);
    EXPECT_EQ(sut.next(Nanos(0), false).action, Action::kSpin);
    for (std::uint32_t k = 0; k < WaitPlan::kYields; ++k) {
      EXPECT_EQ(sut.next(kSpinFor, false).action, Action::kYield);
    }
    const WaitPlan::Step first = sut.next(kSpinFor, false);
    EXPECT_EQ(first.action, Action::kPause);
    EXPECT_EQ(first.at_most, WaitPlan::kPauseMin);
    EXPECT_EQ(sut.next(kSpinFor, true).action, Action::kPark) << "the words have come";
  }
}

TEST(WaitPlan, of_a_backoff_spins_yields_and_pauses_ever_longer) {
  WaitPlan sut = plan(WaitKind::kBackoff);
  for (std::uint32_t k = 0; k < WaitPlan::kSpins; ++k) {
    EXPECT_EQ(sut.next(Nanos(0), true).action, Action::kSpin);
  }
  for (std::uint32_t k = 0; k < WaitPlan::kYields; ++k) {
    EXPECT_EQ(sut.next(Nanos(0), true).action, Action::kYield);
  }
  for (Nanos pause = WaitPlan::kPauseMin; pause < WaitPlan::kPauseMax; pause *= 2) {
    const WaitPlan::Step step = sut.next(Nanos(0), true);
    EXPECT_EQ(step.action, Action::kPause);
    EXPECT_EQ(step.at_most, pause);
  }
  EXPECT_EQ(sut.next(Nanos(0), true).at_most, WaitPlan::kPauseMax);
  EXPECT_EQ(sut.next(Nanos(0), true).at_most, WaitPlan::kPauseMax);
}

}  // namespace
}  // namespace tensorpool::core::wake
