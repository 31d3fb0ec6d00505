// Which epochs a driver may delete: each condition by itself, and all of them against a second
// reading of the table.
#include "core/driver/collect_rules.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <chrono>
#include <limits>
#include <set>
#include <vector>

#include "support/requirement.hpp"

namespace tensorpool::core::driver {
namespace {

using namespace std::chrono_literals;

constexpr base::Now kNow{.mono = 1000s, .real = 1'000'000s};
constexpr Nanos kMinAge = 3s;

[[nodiscard]] constexpr std::uint64_t ns(Nanos at) {
  return static_cast<std::uint64_t>(at.count());
}

using Reason = std::optional<KeepReason>;
const std::vector<std::uint64_t> kExisting = {10, 20, 30, 40, 50};

TEST(CollectRules, the_highest_epochs_that_exist_stay_by_rank) {
  TP_REQ("D225", "D228");
  const CollectRequest request{.stream_id = 1, .current_epoch = 45};
  EXPECT_EQ(protected_by_number(50, kExisting, request, 2), KeepReason::kRank);
  EXPECT_EQ(protected_by_number(40, kExisting, request, 2), KeepReason::kRank);
  EXPECT_EQ(protected_by_number(30, kExisting, request, 2), std::nullopt);
  EXPECT_EQ(protected_by_number(30, kExisting, request, 3), KeepReason::kRank);
  EXPECT_EQ(protected_by_number(10, kExisting, request, 100), KeepReason::kRank);
  // Far apart, as numbers of a clock are: it is the place among them that counts.
  EXPECT_EQ(protected_by_number(1, std::vector<std::uint64_t>{1, 1'000'000}, request, 2),
            KeepReason::kRank);
}

TEST(CollectRules, the_current_epoch_stays_and_what_is_above_it) {
  TP_REQ("D225");
  const CollectRequest request{.stream_id = 1, .current_epoch = 30};
  EXPECT_EQ(protected_by_number(30, kExisting, request, 1), KeepReason::kCurrent);
  EXPECT_EQ(protected_by_number(40, kExisting, request, 1), KeepReason::kCurrent);
  EXPECT_EQ(protected_by_number(20, kExisting, request, 1), std::nullopt);
}

TEST(CollectRules, without_a_current_epoch_the_highest_counts_as_such) {
  TP_REQ("D230");
  const CollectRequest request{.stream_id = 1, .current_epoch = 0};
  EXPECT_EQ(protected_by_number(50, kExisting, request, 0), KeepReason::kCurrent);
  EXPECT_EQ(protected_by_number(40, kExisting, request, 0), std::nullopt);
}

TEST(CollectRules, an_epoch_with_a_lease_stays) {
  TP_REQ("D225");
  const CollectRequest request{.stream_id = 1, .current_epoch = 50, .referenced = {20, 7}};
  EXPECT_EQ(protected_by_number(20, kExisting, request, 1), KeepReason::kReferenced);
  EXPECT_EQ(protected_by_number(10, kExisting, request, 1), std::nullopt);
}

TEST(CollectRules, the_epochs_of_earlier_processes_may_all_go_but_those_in_use) {
  TP_REQ("D215");
  CollectRequest request{.stream_id = 1, .referenced = {20}, .earlier_processes = true};
  EXPECT_EQ(protected_by_number(50, kExisting, request, 2), std::nullopt);
  EXPECT_EQ(protected_by_number(20, kExisting, request, 2), KeepReason::kReferenced);
  const EpochFacts fresh{.activity_ns = ns(kNow.mono), .writer_alive = false};
  EXPECT_EQ(protected_by_facts(fresh, request, kMinAge, kNow), std::nullopt);
  const EpochFacts alive{.activity_ns = 1, .writer_alive = true};
  EXPECT_EQ(protected_by_facts(alive, request, kMinAge, kNow), KeepReason::kWriterAlive);
  request.current_epoch = 40;  // at any later time the own ones are not earlier ones
  EXPECT_EQ(protected_by_number(40, kExisting, request, 2), KeepReason::kCurrent);
  EXPECT_EQ(protected_by_number(50, kExisting, request, 2), KeepReason::kCurrent);
}

[[nodiscard]] Reason by_age(std::uint64_t activity_ns, std::uint64_t changed_ns) {
  return protected_by_facts({.activity_ns = activity_ns, .directory_changed_ns = changed_ns}, {},
                            kMinAge, kNow);
}

TEST(CollectRules, the_age_has_to_exceed_the_minimum) {
  TP_REQ("D225", "D226");
  EXPECT_EQ(by_age(ns(kNow.mono - kMinAge), 0), KeepReason::kAge);
  EXPECT_EQ(by_age(ns(kNow.mono - kMinAge) - 1, ns(kNow.real)), std::nullopt);
  EXPECT_EQ(by_age(ns(kNow.mono), 0), KeepReason::kAge);
}

TEST(CollectRules, without_a_usable_timestamp_the_directory_tells_the_age) {
  TP_REQ("D226");
  constexpr std::uint64_t kMost = std::numeric_limits<std::uint64_t>::max();
  for (const std::uint64_t unusable : {std::uint64_t{0}, ns(kNow.mono) + 1, kMost}) {
    EXPECT_EQ(by_age(unusable, ns(kNow.real - kMinAge)), KeepReason::kAge) << unusable;
    EXPECT_EQ(by_age(unusable, ns(kNow.real - kMinAge) - 1), std::nullopt) << unusable;
    EXPECT_EQ(by_age(unusable, ns(kNow.real) + 1), KeepReason::kAge) << unusable;
    EXPECT_EQ(by_age(unusable, kMost), KeepReason::kAge) << unusable;
  }
}

TEST(CollectRules, waiving_the_age_waives_nothing_else) {
  TP_REQ("D231");
  const CollectRequest request{.current_epoch = 30, .referenced = {10}, .waive_age = true};
  const EpochFacts fresh{.activity_ns = ns(kNow.mono), .writer_alive = false};
  const EpochFacts alive{.activity_ns = ns(kNow.mono), .writer_alive = true};
  EXPECT_EQ(protected_by_facts(fresh, request, kMinAge, kNow), std::nullopt);
  EXPECT_EQ(protected_by_facts(alive, request, kMinAge, kNow), KeepReason::kWriterAlive);
  EXPECT_EQ(protected_by_number(10, kExisting, request, 1), KeepReason::kReferenced);
  EXPECT_EQ(protected_by_number(30, kExisting, request, 1), KeepReason::kCurrent);
  EXPECT_EQ(protected_by_number(50, kExisting, request, 1), KeepReason::kRank);
}

TEST(CollectRules, a_live_writer_protects_however_old_it_is) {
  TP_REQ("D225");
  EXPECT_EQ(protected_by_facts({.activity_ns = 1, .writer_alive = true}, {}, kMinAge, kNow),
            KeepReason::kWriterAlive);
}

/// The table of D225 read a second time, over sets instead of positions.
RC_GTEST_PROP(CollectRules, agree_with_the_table_read_otherwise, ()) {
  record_requirements({"D225", "D228"});
  const auto numbers =
      *rc::gen::container<std::set<std::uint64_t>>(rc::gen::inRange<std::uint64_t>(1, 30));
  RC_PRE(!numbers.empty());
  const std::vector<std::uint64_t> existing(numbers.begin(), numbers.end());
  const auto epoch = *rc::gen::elementOf(existing);
  const auto keep = *rc::gen::inRange<std::uint32_t>(1, 6);
  const CollectRequest request{.current_epoch = *rc::gen::inRange<std::uint64_t>(0, 31),
                               .referenced = *rc::gen::container<std::vector<std::uint64_t>>(
                                   rc::gen::inRange<std::uint64_t>(1, 30))};
  const auto higher = std::count_if(existing.begin(), existing.end(),
                                    [&](std::uint64_t other) { return other > epoch; });
  const std::uint64_t current =
      request.current_epoch == 0 ? *numbers.rbegin() : request.current_epoch;
  const bool referenced =
      std::set(request.referenced.begin(), request.referenced.end()).contains(epoch);
  const bool may_go = higher >= keep && epoch < current && !referenced;
  RC_ASSERT(protected_by_number(epoch, existing, request, keep).has_value() == !may_go);
}

}  // namespace
}  // namespace tensorpool::core::driver
