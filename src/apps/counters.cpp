#include "apps/counters.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <span>
#include <string_view>

#include "apps/text.hpp"

namespace tensorpool::inline v0::apps {
namespace {

/// A counter with its name, and what a person has to know when it is not 0 ("": nothing).
template <class Counters>
struct Row {
  std::string_view name;
  std::uint64_t Counters::*counter;
  std::string_view meaning;
};

#define TP_ROW(counter, meaning) \
  { #counter, &Counters::counter, meaning }

constexpr auto kProducerRows = [] {
  using Counters = ProducerCounters;
  return std::to_array<Row<Counters>>({
      TP_ROW(frames_published, ""),
      TP_ROW(claims_aborted, "claimed slots were given back: readers see a gap for each"),
      TP_ROW(claims_dropped, "claimed slots were let go: readers see a gap for each"),
      TP_ROW(drops_no_pool, "frames were larger than a slot"),
      TP_ROW(invalid_params, "frames were refused for their description"),
      TP_ROW(descriptor_not_connected, ""),
      TP_ROW(descriptor_backpressured,
             "descriptors were held up by a slow or stopped reader; readers find these frames in "
             "the ring"),
      TP_ROW(descriptor_admin_action, "descriptors were held up by the media driver"),
      TP_ROW(descriptor_closed,
             "frames had no descriptor: the media driver was away, or not reached yet"),
      TP_ROW(descriptor_error, "descriptors were refused by the media driver"),
      TP_ROW(announces_sent, ""),
      TP_ROW(announces_failed, ""),
      TP_ROW(wakes, ""),
      TP_ROW(wakes_put_off, "sleeping readers were not woken at once: some ask for it too often"),
      TP_ROW(progress_sent, ""),
      TP_ROW(progress_unsent, ""),
  });
}();

constexpr auto kConsumerRows = [] {
  using Counters = ConsumerCounters;
  return std::to_array<Row<Counters>>({
      TP_ROW(frames_ok, ""),
      TP_ROW(drops_gap,
             "overwritten before this reader came to them: it was too slow, or the ring too short"),
      TP_ROW(drops_late, ""),
      TP_ROW(drops_in_progress, "overwritten just when they were to be read"),
      TP_ROW(drops_seq_mismatch, "overwritten before they were read"),
      TP_ROW(drops_changed, "overwritten while they were read"),
      TP_ROW(drops_header_invalid, "with a header that makes no sense"),
      TP_ROW(drops_payload_invalid, "with a payload that makes no sense"),
      TP_ROW(drops_epoch_mismatch, ""),
      TP_ROW(drops_unmapped, ""),
      TP_ROW(drops_rate_limited, "left out by the rate limit"),
      TP_ROW(drops_duplicate, ""),
      TP_ROW(rate_skips, ""),
      TP_ROW(seq_regressions, ""),
      TP_ROW(resyncs, ""),
      TP_ROW(remaps, ""),
      TP_ROW(malformed_messages, ""),
      TP_ROW(unsupported_version, ""),
      TP_ROW(progress_rejected, ""),
      TP_ROW(recovered, ""),
      TP_ROW(skipped_by_reader, ""),
      TP_ROW(changed_after_use, ""),
      TP_ROW(implausible, ""),
      TP_ROW(descriptors_behind, ""),
      TP_ROW(discontinuities, ""),
      TP_ROW(sleeps, ""),
      TP_ROW(wakes, ""),
      TP_ROW(progress_reports, ""),
      TP_ROW(prefixes_changed, ""),
  });
}();

constexpr auto kAttachRows = [] {
  using Counters = AttachCounters;
  return std::to_array<Row<Counters>>({
      TP_ROW(attach_attempts, ""),
      TP_ROW(attach_timeouts, ""),
      TP_ROW(attach_protocol_errors, ""),
      TP_ROW(lease_lost, ""),
      TP_ROW(keepalives_sent, ""),
      TP_ROW(driver_event_rejects, ""),
      TP_ROW(stale_responses, ""),
  });
}();

constexpr auto kBufferRows = [] {
  using Counters = BufferQueueCounters;
  return std::to_array<Row<Counters>>({
      TP_ROW(taken, ""),
      TP_ROW(committed, ""),
      TP_ROW(late, ""),
      TP_ROW(given_back, ""),
      TP_ROW(stale, ""),
      TP_ROW(refused, ""),
      TP_ROW(copied, ""),
      TP_ROW(late_returns, ""),
      TP_ROW(slots_skipped, ""),
      TP_ROW(addresses_refused, ""),
  });
}();

#undef TP_ROW

template <class Counters>
nlohmann::ordered_json to_json(std::span<const Row<Counters>> rows, const Counters& counters) {
  nlohmann::ordered_json json;
  for (const Row<Counters>& row : rows) {
    json[std::string(row.name)] = counters.*row.counter;
  }
  return json;
}

template <class Counters>
std::vector<std::string> to_lines(std::span<const Row<Counters>> rows, const Counters& counters) {
  std::vector<std::string> lines;
  for (const Row<Counters>& row : rows) {
    if (!row.meaning.empty() && counters.*row.counter != 0) {
      lines.push_back(
          fmt::format("{:>12}  {} ({})", grouped(counters.*row.counter), row.meaning, row.name));
    }
  }
  return lines;
}

}  // namespace

nlohmann::ordered_json counters_json(const ProducerCounters& counters) {
  return to_json<ProducerCounters>(kProducerRows, counters);
}

nlohmann::ordered_json counters_json(const ConsumerCounters& counters) {
  return to_json<ConsumerCounters>(kConsumerRows, counters);
}

nlohmann::ordered_json counters_json(const AttachCounters& counters) {
  return to_json<AttachCounters>(kAttachRows, counters);
}

nlohmann::ordered_json counters_json(const BufferQueueCounters& counters) {
  return to_json<BufferQueueCounters>(kBufferRows, counters);
}

std::uint64_t frames_lost(const ConsumerCounters& counters) noexcept {
  return counters.drops_gap + (counters.drops_late - counters.implausible);
}

ConsumerCounters without_losses_of(ConsumerCounters now, const ConsumerCounters& before) noexcept {
  for (const auto& row : kConsumerRows) {
    now.*row.counter -= row.name.starts_with("drops_") ? before.*row.counter : 0;
  }
  now.implausible -= before.implausible;  // a part of drops_late
  return now;
}

std::vector<std::string> troubles(const ProducerCounters& counters) {
  return to_lines<ProducerCounters>(kProducerRows, counters);
}

std::vector<std::string> troubles(const ConsumerCounters& counters) {
  return to_lines<ConsumerCounters>(kConsumerRows, counters);
}

}  // namespace tensorpool::inline v0::apps
