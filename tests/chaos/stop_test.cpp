// Stops each process for a while, and lets it go on: what has to lapse lapses, what must not does
// not, and service is back within twice the longest of lease, silence and Aeron's time-outs.
#include <gtest/gtest.h>

#include <csignal>
#include <thread>
#include <tuple>

#include "chaos/fleet.hpp"
#include "chaos/table.hpp"
#include "support/requirement.hpp"

namespace tensorpool::chaos {
namespace {

using std::chrono::seconds;

constexpr seconds kLease{3};
constexpr seconds kAeron{10};
constexpr seconds kBackWithin = 2 * kAeron;

/// Of all runs of this program.
[[nodiscard]] Table& table() {
  static Table stops("stops");
  return stops;
}

class Stopped : public ::testing::TestWithParam<std::tuple<Role, int>> {};

TEST_P(Stopped, goes_on) {
  TP_REQ("D145");
  const auto [role, for_seconds] = GetParam();
  Fleet fleet(Pace::kDefaults);
  fleet.start();
  ASSERT_TRUE(fleet.flows());
  const std::uint64_t epoch = fleet.observer().epoch();
  const pid_t pid = fleet.process(role)->pid();
  const auto stopped = Fleet::Clock::now();
  fleet.process(role)->stop();
  std::this_thread::sleep_for(seconds(for_seconds));  // the input of this test
  fleet.send(role, SIGCONT);
  const auto resumed = Fleet::Clock::now();
  ASSERT_TRUE(fleet.flows());
  const auto back_at = Fleet::Clock::now();
  const auto back = back_at - resumed;
  EXPECT_LT(back, kBackWithin);
  if (role == Role::kProducer && seconds(for_seconds) > kLease) {
    EXPECT_GT(fleet.observer().epoch(), epoch) << "a producer writes on without a lease";
  }
  if (role != Role::kDriver && role != Role::kMediaDriver && seconds(for_seconds) < kLease) {
    EXPECT_EQ(fleet.observer().epoch(), epoch) << "a lease lapsed too early";
  }
  if (role == Role::kProducer || role == Role::kConsumer) {
    EXPECT_EQ(fleet.process(role)->pid(), pid) << "it did not live through being stopped";
  }
  const Observer::Noticed noticed = fleet.observer().noticed(stopped, back_at);
  const Observer::Findings findings = fleet.observer().finish();
  EXPECT_EQ(findings.torn, 0U);
  EXPECT_EQ(findings.backwards, 0U);
  EXPECT_EQ(findings.unbalanced, 0U);
  if (role == Role::kConsumer) {
    EXPECT_LT(noticed.silence, seconds(1)) << "a stopped reader cost another one frames";
  }
  table().add(role, std::to_string(for_seconds) + " s", back, noticed);
  fleet.finish();
}

INSTANTIATE_TEST_SUITE_P(All, Stopped,
                         ::testing::Combine(::testing::ValuesIn(kRoles),
                                            ::testing::Values(1, 4, 7, 15)),
                         [](const auto& tested) {
                           std::string name(name_of(std::get<0>(tested.param)));
                           std::replace(name.begin(), name.end(), ' ', '_');
                           return name + "_for_" + std::to_string(std::get<1>(tested.param)) + "_s";
                         });

}  // namespace
}  // namespace tensorpool::chaos
