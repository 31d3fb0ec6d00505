#include "client/progress_reader.hpp"

#include <algorithm>

namespace tensorpool::inline v0::detail {

using core::progress::ProgressTracker;
using Verdict = ProgressTracker::Verdict;

void ProgressReader::attach(const MappedEpoch& epoch) {
  epoch_ = &epoch;
  prefixes_.attach(epoch.memory);
  std::uint32_t largest = 0;
  for (const core::ring::PoolMemory& pool : epoch.memory.pools) {
    largest = std::max(largest, pool.stride_bytes);
  }
  tracker_ = ProgressTracker({.stream_id = epoch.regions.stream_id(), .wants_progress = true});
  tracker_.attach(epoch.epoch(), epoch.memory.nslots, largest);
}

void ProgressReader::detach() noexcept {
  epoch_ = nullptr;
  prefixes_.detach();
  tracker_.detach();  // W244
}

bool ProgressReader::judge(std::span<const std::byte> bytes, bool is_own, PrefixRecord& record,
                           ConsumerCounters& counters) noexcept {
  const Result<layout::FrameProgress> message =
      codec::decode<layout::FrameProgress>(bytes, scratch_);
  if (!message) {
    const Errc code = message.error().code;
    counters.malformed_messages += is_own && code == Errc::kMalformedMessage ? 1 : 0;
    counters.unsupported_version += is_own && code == Errc::kUnsupportedVersion ? 1 : 0;
    return false;
  }
  const ProgressTracker::Outcome outcome =
      tracker_.on_message(*message, [this](std::uint64_t seq, std::uint64_t filled_bytes) {
        return prefixes_.look(seq, filled_bytes);
      });
  switch (outcome.verdict) {
    case Verdict::kIgnored:
      return false;
    case Verdict::kMalformed:
      ++counters.malformed_messages;
      return false;
    case Verdict::kRejected:
      ++counters.progress_rejected;
      return false;
    case Verdict::kInformation:
    case Verdict::kPrefix:
      break;
  }
  ++counters.progress_reports;
  record.seq = message->seq;
  record.epoch = message->epoch;
  record.filled_bytes = message->payload_bytes_filled;
  record.state = static_cast<ProgressState>(message->state);
  if (outcome.verdict == Verdict::kPrefix) {
    record.data = outcome.prefix.payload;
    record.readable_bytes = outcome.bytes;
    record.payload_bytes = outcome.prefix.values_len_bytes;
    record.info = &outcome.prefix.tensor->info;
    record.commit = epoch_->memory.slot(epoch_->memory.index_of(message->seq));
    record.mapping = epoch_;
    record.early_header = early_header_;
  }
  return true;
}

bool still_valid(const PrefixRecord& record) noexcept {
  return ProgressReader::prefix_unchanged(record) &&
         record.mapping->current.load(
             std::memory_order_acquire) &&  // sync(mapping-current): observe
         !record.mapping->is_forked();
}

}  // namespace tensorpool::inline v0::detail
