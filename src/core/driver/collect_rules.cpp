#include "core/driver/collect_rules.hpp"

#include <algorithm>

namespace tensorpool::inline v0::core::driver {
namespace {

/// 0 for what has not happened yet.
[[nodiscard]] std::uint64_t elapsed_ns(std::uint64_t since, Nanos now) noexcept {
  const auto at = static_cast<std::uint64_t>(now.count());
  return at > since ? at - since : 0;
}

/// D226. Both instants may be any number: they were read from files.
[[nodiscard]] std::uint64_t age_ns(const EpochFacts& facts, base::Now now) noexcept {
  const bool usable =
      facts.activity_ns != 0 && facts.activity_ns <= static_cast<std::uint64_t>(now.mono.count());
  return usable ? elapsed_ns(facts.activity_ns, now.mono)
                : elapsed_ns(facts.directory_changed_ns, now.real);
}

}  // namespace

std::optional<KeepReason> protected_by_number(std::uint64_t epoch,
                                              std::span<const std::uint64_t> existing,
                                              const CollectRequest& request,
                                              std::uint32_t keep) noexcept {
  const auto above = existing.end() - std::upper_bound(existing.begin(), existing.end(), epoch);
  if (!request.earlier_processes && static_cast<std::uint64_t>(above) < keep) {
    return KeepReason::kRank;
  }
  const bool none_current = request.current_epoch == 0;
  const bool highest_counts = none_current && !request.earlier_processes;  // D230
  if (highest_counts ? above == 0 : !none_current && epoch >= request.current_epoch) {
    return KeepReason::kCurrent;
  }
  if (std::find(request.referenced.begin(), request.referenced.end(), epoch) !=
      request.referenced.end()) {
    return KeepReason::kReferenced;
  }
  return std::nullopt;
}

std::optional<KeepReason> protected_by_facts(const EpochFacts& facts, const CollectRequest& request,
                                             Nanos min_age, base::Now now) noexcept {
  const bool any_age = request.waive_age || request.earlier_processes;
  if (!any_age && age_ns(facts, now) <= static_cast<std::uint64_t>(min_age.count())) {
    return KeepReason::kAge;
  }
  return facts.writer_alive ? std::optional(KeepReason::kWriterAlive) : std::nullopt;
}

}  // namespace tensorpool::inline v0::core::driver
