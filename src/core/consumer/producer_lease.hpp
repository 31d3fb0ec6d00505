// Which notice of the driver ends the lease of the producer that a consumer reads from, and what
// may be mapped afterwards. Spec: §2.10 (D170..D173), §2.20 (D317).
//
// Notices and announces may come on different streams and overtake each other; their timestamps and
// the producer's id tell which was first.
//
// Pure. Thread contract: one thread at a time.
#pragma once

#include <algorithm>
#include <cstdint>

#include "layout/messages_901.hpp"
#include "tensorpool/types/time.hpp"

namespace tensorpool::inline v0::core::consumer {

class ProducerLease {
 public:
  /// An accepted announce. `stamp`: its time in now_mono.
  void on_announce(std::uint64_t epoch, std::uint32_t producer_id, Nanos stamp) noexcept {
    producer_id_ = producer_id;
    introduce(epoch, stamp);
  }
  /// A lease of the consumer's own was granted, at `received`; the epoch may be lower than before.
  void on_attached(std::uint64_t epoch, Nanos received) noexcept {
    introduce(epoch, received);
    highest_epoch_ = epoch;
    ended_epoch_ = 0;
  }

  /// Whether the notice ends the present producer's lease. From then on only later epochs may be
  /// mapped. Precondition: it is about the consumer's stream.
  [[nodiscard]] bool is_ended_by(const layout::ShmLeaseRevoked& notice) noexcept {
    const bool known = notice.reason >= layout::LeaseRevokeReason::kDetached &&
                       notice.reason <= layout::LeaseRevokeReason::kRevoked;  // D167
    const bool other_producer = producer_id_ != 0 && producer_id_ != notice.client_id;
    const bool epoch_is_newer =
        static_cast<std::uint64_t>(introduced_at_.count()) >= notice.timestamp_ns;
    if (!known || notice.role != layout::Role::kProducer || other_producer || epoch_is_newer) {
      return false;
    }
    ended_epoch_ = highest_epoch_;
    return true;
  }

  /// False for the epochs that ended with their producer's lease.
  [[nodiscard]] bool may_map(std::uint64_t epoch) const noexcept { return epoch > ended_epoch_; }

 private:
  void introduce(std::uint64_t epoch, Nanos at) noexcept {
    if (epoch != newest_epoch_) {
      newest_epoch_ = epoch;
      introduced_at_ = at;
    }
    highest_epoch_ = std::max(highest_epoch_, epoch);
  }

  std::uint32_t producer_id_ = 0;    ///< of the newest accepted announce
  std::uint64_t newest_epoch_ = 0;   ///< accepted or granted last
  Nanos introduced_at_{};            ///< when it was first heard of
  std::uint64_t highest_epoch_ = 0;  ///< ever accepted or mapped
  std::uint64_t ended_epoch_ = 0;
};

}  // namespace tensorpool::inline v0::core::consumer
