// What a producer says of the frames that it is filling. Spec: §1.17.1.
#include "client/producer_core.hpp"

namespace tensorpool::inline v0::detail {

bool ProducerCore::begin_filling(const OpenClaim& claim, const TensorInfo& info,
                                 std::size_t payload_bytes,
                                 std::optional<std::uint64_t> capture_time_ns) noexcept {
  if (client_->is_forked()) {
    return false;
  }
  take_offered();
  std::uint64_t timestamp_ns = 0;
  const Nanos now = read_clock(capture_time_ns, timestamp_ns);
  WrittenEpoch* const epoch = epoch_of(claim, now);
  if (epoch == nullptr) {
    return false;
  }
  if (!progress_.is_quiet() && payload_bytes < progress_.told_bytes(claim.seq)) {
    count<&ProducerCounters::invalid_params>(epoch->writer.counters());
    shared_.tally.tell_all(epoch->writer.counters());
    return false;  // as commit would say (W345)
  }
  const CommitStatus status =
      early_header_ ? epoch->writer.store_header_early(claim, info, payload_bytes, timestamp_ns)
                    : epoch->writer.check(claim, info, payload_bytes, timestamp_ns);
  shared_.tally.tell_all(epoch->writer.counters());
  return status == CommitStatus::kCommitted;
}

void ProducerCore::filled(const OpenClaim& claim, std::size_t bytes,
                          std::uint32_t unit_bytes) noexcept {
  if (progress_.is_quiet() || client_->is_forked()) {
    return;
  }
  take_offered();
  const Nanos now = client_->clock().mono();
  WrittenEpoch* const epoch = epoch_of(claim, now);
  if (epoch == nullptr || (early_header_ && !epoch->writer.has_early_header(claim))) {
    return;
  }
  if (early_header_) {
    if (commit_hook_.flush != nullptr) {
      commit_hook_.flush(commit_hook_.context, claim.payload.first(bytes));  // W155
    }
    WrittenEpoch::Writer::release_prefix(claim);
  }
  const bool told =
      progress_.on_filled(claim.seq, bytes, unit_bytes, now, epoch->writer.counters());
  shared_.tally.tell_all(epoch->writer.counters());
  if (told) {
    wake_whoever_sleeps(*epoch);
  }
}

[[gnu::cold]] void ProducerCore::tell_started(WrittenEpoch& epoch, std::uint64_t seq) noexcept {
  const bool told = progress_.on_claimed(seq, client_->clock().mono(), epoch.writer.counters());
  shared_.tally.tell_all(epoch.writer.counters());
  if (told) {
    wake_whoever_sleeps(epoch);
  }
}

[[gnu::cold]] void ProducerCore::tell_complete(WrittenEpoch& epoch,
                                               std::size_t payload_bytes) noexcept {
  progress_.on_committed(epoch.writer.committed_seq(), payload_bytes, client_->clock().mono(),
                         epoch.writer.counters());
  shared_.tally.tell_all(epoch.writer.counters());
}

}  // namespace tensorpool::inline v0::detail
