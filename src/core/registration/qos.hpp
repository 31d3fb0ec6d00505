// QoS messages: when they are sent, and what those who hear them make of them. Spec: §1.19.
//
// Pure. The observer keys by stream and party: the same id on another stream is another party
// (W399), and numbers that go back or another epoch mean that the sender began anew, not that it
// errs (W400).
//
// Thread contract: one thread at a time. Allocates: the observer, in proportion to `parties_max`.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <vector>

#include "layout/messages_900.hpp"
#include "tensorpool/types/time.hpp"

namespace tensorpool::inline v0::core::registration {

/// Something that is sent once per interval, and again when that failed (W211, W393, W394).
class Periodic {
 public:
  Periodic(Nanos interval, Nanos now) noexcept : interval_(interval), due_at_(now) {}
  [[nodiscard]] bool is_due(Nanos now) const noexcept { return now >= due_at_; }
  void sent(Nanos now) noexcept { due_at_ = now + interval_; }
  [[nodiscard]] Nanos next_deadline() const noexcept { return due_at_; }

 private:
  Nanos interval_;
  Nanos due_at_;
};

class QosObserver {
 public:
  enum class Role : std::uint8_t { kProducer, kConsumer };

  /// What is known of one party.
  struct Party {
    Role role = Role::kConsumer;
    std::uint32_t stream_id = 0;
    std::uint32_t id = 0;
    std::uint64_t epoch = 0;
    std::uint64_t seq = 0;  ///< currentSeq or lastSeqSeen
    std::uint64_t drops_gap = 0;
    std::uint64_t drops_late = 0;
    std::optional<layout::Mode> mode = {};  ///< the last valid one (W401)
    std::uint64_t restarts = 0;
    Nanos heard_at{};
  };

  enum class [[nodiscard]] Verdict : std::uint8_t{
      kNew, kUpdate,
      kRestart,  ///< the party began anew (W400)
      kNoRoom,   ///< `parties_max` others are known; not remembered
  };

  explicit QosObserver(std::size_t parties_max = 4096) : parties_max_(parties_max) {}

  Verdict on_qos(const layout::QosProducer& qos, Nanos now) {
    return take({.role = Role::kProducer,
                 .stream_id = qos.stream_id,
                 .id = qos.producer_id,
                 .epoch = qos.epoch,
                 .seq = qos.current_seq,
                 .heard_at = now});
  }
  Verdict on_qos(const layout::QosConsumer& qos, Nanos now) {
    return take({.role = Role::kConsumer,
                 .stream_id = qos.stream_id,
                 .id = qos.consumer_id,
                 .epoch = qos.epoch,
                 .seq = qos.last_seq_seen,
                 .drops_gap = qos.drops_gap,
                 .drops_late = qos.drops_late,
                 .mode = qos.mode,
                 .heard_at = now});
  }
  void remove_silent(Nanos now, Nanos timeout) {
    std::erase_if(parties_, [&](const Party& party) { return now - party.heard_at >= timeout; });
  }

  [[nodiscard]] const Party* find(Role role, std::uint32_t stream_id,
                                  std::uint32_t id) const noexcept {
    const auto found = std::find_if(parties_.begin(), parties_.end(), [&](const Party& one) {
      return one.role == role && one.stream_id == stream_id && one.id == id;
    });
    return found == parties_.end() ? nullptr : &*found;
  }
  [[nodiscard]] const std::vector<Party>& parties() const noexcept { return parties_; }

 private:
  Verdict take(Party said) {
    auto* const known = const_cast<Party*>(find(said.role, said.stream_id, said.id));
    if (known == nullptr) {
      if (parties_.size() == parties_max_) {
        return Verdict::kNoRoom;
      }
      parties_.push_back(said);
      return Verdict::kNew;
    }
    const bool restarted = said.epoch != known->epoch || said.seq < known->seq ||
                           said.drops_gap < known->drops_gap || said.drops_late < known->drops_late;
    said.restarts = known->restarts + (restarted ? 1 : 0);
    if (!said.mode) {
      said.mode = known->mode;
    }
    *known = said;
    return restarted ? Verdict::kRestart : Verdict::kUpdate;
  }

  std::size_t parties_max_;
  std::vector<Party> parties_;
};

}  // namespace tensorpool::inline v0::core::registration
