// Records made by hand, and what every list of cases has to stand.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "apps/conform/heard.hpp"

namespace tensorpool::apps::conform::testing {

using std::chrono::milliseconds;
using std::chrono::seconds;

inline constexpr Nanos kStart = seconds(1000);
inline constexpr std::uint32_t kStream = 10'000;

template <class M>
[[nodiscard]] Heard heard(Nanos at, Wire on, const M& message) {
  Heard one{.at = at, .on = on, .bytes = std::vector<std::byte>(codec::encoded_size(message))};
  EXPECT_TRUE(codec::encode(message, std::span(one.bytes)).has_value());
  return one;
}

/// In the order of time: as they are heard.
inline void sort(HeardList& list) {
  std::stable_sort(list.begin(), list.end(),
                   [](const Heard& a, const Heard& b) { return a.at < b.at; });
}

template <class Record>
[[nodiscard]] Finding finding_of(std::span<const Case<Record>> cases, std::string_view name,
                                 const Record& record) {
  const auto found = std::find_if(cases.begin(), cases.end(),
                                  [name](const auto& one) { return one.name == name; });
  return found == cases.end() ? not_observable("no such case") : found->judge(record);
}

/// What makes a good record bad, by the name of the case that has to see it.
template <class Record>
using Faults = std::multimap<std::string, std::function<void(Record&)>>;

/// No case passes on nothing, all pass on `good`, each of `faults` is seen by its case, and no case
/// is without a fault: so none can only pass.
template <class Record>
void expect_honest(std::span<const Case<Record>> cases, const std::function<Record()>& good,
                   const Faults<Record>& faults) {
  const Record record = good();
  for (const Case<Record>& one : cases) {
    SCOPED_TRACE(std::string(one.name));
    EXPECT_NE(one.judge(Record{}).outcome, Outcome::kPassed);
    const Finding finding = one.judge(record);
    EXPECT_EQ(finding.outcome, Outcome::kPassed) << finding.seen;
    EXPECT_GT(faults.count(std::string(one.name)), 0U) << "no fault for it";
    EXPECT_FALSE(one.ids.empty() || one.rule.empty());
  }
  for (const auto& [name, spoil] : faults) {
    SCOPED_TRACE(name);
    Record bad = good();
    spoil(bad);
    const Finding finding = finding_of(cases, name, bad);
    EXPECT_EQ(finding.outcome, Outcome::kFailed) << finding.seen;
  }
}

}  // namespace tensorpool::apps::conform::testing
