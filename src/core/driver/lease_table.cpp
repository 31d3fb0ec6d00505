#include "core/driver/lease_table.hpp"

#include <algorithm>

#include "base/assert.hpp"

namespace tensorpool::inline v0::core::driver {

LeaseTable::LeaseTable(std::uint64_t first_id, Nanos duration)
    : duration_(duration), first_id_(first_id), next_id_(first_id) {
  TP_ASSERT(first_id >= 1 && first_id <= kFirstIdMax);
}

const Lease& LeaseTable::issue(const LeaseGrant& grant, Nanos now) {
  OfStream& stream = by_stream_[grant.stream_id];
  const bool producer = grant.role == layout::Role::kProducer;
  TP_ASSERT(!by_client_.contains(grant.client_id) && !(producer && stream.producer != 0));
  by_expiry_.push_back({.id = next_id_++,
                        .grant = grant,
                        .attached_at = now,
                        .heard_at = now,
                        .expiry = now + duration_});
  const Position lease = std::prev(by_expiry_.end());
  by_id_.emplace(lease->id, lease);
  by_client_.emplace(grant.client_id, lease);
  ++stream.count;
  if (producer) {
    stream.producer = lease->id;
  } else {
    ++stream.consumers_by_epoch[grant.epoch];
  }
  return *lease;
}

const Lease* LeaseTable::find(std::uint64_t lease_id) const noexcept {
  const auto found = by_id_.find(lease_id);
  return found == by_id_.end() ? nullptr : &*found->second;
}

const Lease* LeaseTable::of_client(std::uint32_t client_id) const noexcept {
  const auto found = by_client_.find(client_id);
  return found == by_client_.end() ? nullptr : &*found->second;
}

const Lease* LeaseTable::producer_of(std::uint32_t stream_id) const noexcept {
  const auto found = by_stream_.find(stream_id);
  return found == by_stream_.end() ? nullptr : find(found->second.producer);
}

std::size_t LeaseTable::count_of(std::uint32_t stream_id) const noexcept {
  const auto found = by_stream_.find(stream_id);
  return found == by_stream_.end() ? 0 : found->second.count;
}

std::vector<std::uint64_t> LeaseTable::referenced_epochs(std::uint32_t stream_id,
                                                         std::uint64_t settled_epoch) const {
  std::vector<std::uint64_t> epochs;
  const auto found = by_stream_.find(stream_id);
  if (found == by_stream_.end()) {
    return epochs;
  }
  for (const auto& [epoch, count] : found->second.consumers_by_epoch) {
    epochs.push_back(std::max(epoch, settled_epoch));
  }
  if (const Lease* const producer = find(found->second.producer); producer != nullptr) {
    epochs.push_back(producer->grant.epoch);
  }
  std::sort(epochs.begin(), epochs.end());
  epochs.erase(std::unique(epochs.begin(), epochs.end()), epochs.end());
  return epochs;
}

Nanos LeaseTable::keep_alive(const Lease& lease, Nanos now) noexcept {
  const Position position = by_id_.find(lease.id)->second;
  const Nanos gap = now - position->heard_at;
  position->heard_at = now;
  position->expiry = now + duration_;
  position->kept_alive = true;
  by_expiry_.splice(by_expiry_.end(), by_expiry_, position);
  return gap;
}

const Lease* LeaseTable::first_expired(Nanos now) const noexcept {
  return !by_expiry_.empty() && now > by_expiry_.front().expiry ? &by_expiry_.front() : nullptr;
}

std::optional<Nanos> LeaseTable::next_expiry() const noexcept {
  // A lease lives through the instant of its expiry.
  return by_expiry_.empty() ? std::nullopt : std::optional(by_expiry_.front().expiry + Nanos{1});
}

Lease LeaseTable::remove(const Lease& lease) {
  const auto by_id = by_id_.find(lease.id);
  const Position position = by_id->second;
  Lease ended = *position;
  const auto stream = by_stream_.find(ended.grant.stream_id);
  if (stream->second.producer == ended.id) {
    stream->second.producer = 0;
  } else {
    const auto epoch = stream->second.consumers_by_epoch.find(ended.grant.epoch);
    if (--epoch->second == 0) {
      stream->second.consumers_by_epoch.erase(epoch);
    }
  }
  if (--stream->second.count == 0) {
    by_stream_.erase(stream);
  }
  by_client_.erase(ended.grant.client_id);
  by_id_.erase(by_id);
  by_expiry_.erase(position);
  return ended;
}

bool LeaseTable::check_invariants() const {
  std::map<std::uint32_t, std::size_t> counts;
  for (const Lease& lease : by_expiry_) {
    ++counts[lease.grant.stream_id];
    if (!issued(lease.id) || find(lease.id) != &lease ||
        of_client(lease.grant.client_id) != &lease) {
      return false;
    }
    if ((producer_of(lease.grant.stream_id) == &lease) !=
        (lease.grant.role == layout::Role::kProducer)) {
      return false;
    }
  }
  const auto earlier = [](const Lease& a, const Lease& b) { return a.expiry < b.expiry; };
  return by_id_.size() == size() && by_client_.size() == size() &&
         counts.size() == by_stream_.size() &&
         std::is_sorted(by_expiry_.begin(), by_expiry_.end(), earlier) &&
         std::all_of(counts.begin(), counts.end(),
                     [&](const auto& entry) { return count_of(entry.first) == entry.second; });
}

}  // namespace tensorpool::inline v0::core::driver
