// The standard comparison: what is promised, against its floor in the same run.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "apps/bench/case.hpp"
#include "tensorpool/types/error.hpp"

namespace tensorpool::inline v0::apps::bench {

/// One promise: `value` is computed from the medians of ours and of the floors, and has to be on
/// the right side of `goal`.
struct Promise {
  std::string what;
  std::string unit;          ///< of `ours` and `floor`
  std::vector<Case> ours;    ///< one
  std::vector<Case> floors;  ///< the best of them counts
  double (*figure)(const Outcome&);
  bool more_is_better = false;
  enum class Relation : std::uint8_t {
    kRatioAtLeast,
    kRatioAtMost,
    kDifferenceAtMost,
    kLinearAtMost
  } relation;
  double goal = 0;    ///< of the ratio or the difference; for kLinearAtMost the factor
  double offset = 0;  ///< kLinearAtMost: floor * goal + offset
};

struct Verdict {
  double ours = 0;
  double floor = 0;
  double value = 0;  ///< ratio or difference
  bool met = false;
};

[[nodiscard]] std::vector<Promise> standard_promises();

/// Judges one promise from several repetitions, by their medians. Precondition: neither is empty.
[[nodiscard]] Verdict judge(const Promise& promise, const std::vector<double>& ours,
                            const std::vector<double>& floors);

}  // namespace tensorpool::inline v0::apps::bench
