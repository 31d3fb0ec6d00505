// Which counters moved, by name: so that a test can demand that exactly these did and no other.
#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <map>
#include <string_view>

#include "tensorpool/types/counters.hpp"

namespace tensorpool::test {

using Changes = std::map<std::string_view, std::uint64_t>;

inline constexpr std::array kProducerCounterNames{std::string_view("frames_published"),
                                                  std::string_view("claims_aborted"),
                                                  std::string_view("claims_dropped"),
                                                  std::string_view("drops_no_pool"),
                                                  std::string_view("invalid_params"),
                                                  std::string_view("descriptor_not_connected"),
                                                  std::string_view("descriptor_backpressured"),
                                                  std::string_view("descriptor_admin_action"),
                                                  std::string_view("descriptor_closed"),
                                                  std::string_view("descriptor_error"),
                                                  std::string_view("announces_sent"),
                                                  std::string_view("announces_failed"),
                                                  std::string_view("wakes"),
                                                  std::string_view("wakes_put_off"),
                                                  std::string_view("progress_sent"),
                                                  std::string_view("progress_unsent")};

inline constexpr std::array kConsumerCounterNames{std::string_view("frames_ok"),
                                                  std::string_view("drops_gap"),
                                                  std::string_view("drops_late"),
                                                  std::string_view("drops_in_progress"),
                                                  std::string_view("drops_seq_mismatch"),
                                                  std::string_view("drops_changed"),
                                                  std::string_view("drops_header_invalid"),
                                                  std::string_view("drops_payload_invalid"),
                                                  std::string_view("drops_epoch_mismatch"),
                                                  std::string_view("drops_unmapped"),
                                                  std::string_view("drops_rate_limited"),
                                                  std::string_view("drops_duplicate"),
                                                  std::string_view("rate_skips"),
                                                  std::string_view("seq_regressions"),
                                                  std::string_view("resyncs"),
                                                  std::string_view("remaps"),
                                                  std::string_view("malformed_messages"),
                                                  std::string_view("unsupported_version"),
                                                  std::string_view("progress_rejected"),
                                                  std::string_view("recovered"),
                                                  std::string_view("skipped_by_reader"),
                                                  std::string_view("changed_after_use"),
                                                  std::string_view("implausible"),
                                                  std::string_view("descriptors_behind"),
                                                  std::string_view("discontinuities"),
                                                  std::string_view("sleeps"),
                                                  std::string_view("wakes"),
                                                  std::string_view("progress_reports"),
                                                  std::string_view("prefixes_changed")};

static_assert(sizeof(ProducerCounters) == kProducerCounterNames.size() * 8);
static_assert(sizeof(ConsumerCounters) == kConsumerCounterNames.size() * 8);

template <std::size_t kCount, class Counters>
[[nodiscard]] Changes named_changes(const std::array<std::string_view, kCount>& names,
                                    const Counters& before, const Counters& after) {
  using Values = std::array<std::uint64_t, kCount>;
  const auto first = std::bit_cast<Values>(before);
  const auto last = std::bit_cast<Values>(after);
  Changes moved;
  for (std::size_t k = 0; k < kCount; ++k) {
    if (first[k] != last[k]) {
      moved[names[k]] = last[k] - first[k];
    }
  }
  return moved;
}

[[nodiscard]] inline Changes changes(const ConsumerCounters& before,
                                     const ConsumerCounters& after) {
  return named_changes(kConsumerCounterNames, before, after);
}
[[nodiscard]] inline Changes changes(const ProducerCounters& before,
                                     const ProducerCounters& after) {
  return named_changes(kProducerCounterNames, before, after);
}

}  // namespace tensorpool::test
