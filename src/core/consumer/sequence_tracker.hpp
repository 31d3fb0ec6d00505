// Which sequence numbers of a mapping have been accounted for, and what a new one means. Spec:
// §1.12 (W258..W266).
//
// Pure and without memory access: one instance per mapping. Numbers reach it by two routes,
// descriptors and the ring itself (design: recover_gaps, direct mode), and are accounted for once.
//
// | event                          | verdict    | what the caller counts                 |
// | first number                   | kFirst     | nothing (W258)                         |
// | descriptor, last + 1           | kNext      | nothing (W259)                         |
// | descriptor, above last + 1     | kGap       | `missing` numbers lie between (W260)   |
// | descriptor, equal to the last  | kDuplicate | drops_duplicate (W261, W263)           |
// | descriptor, already read from the ring, above every earlier descriptor | kBehind | nothing |
// | descriptor, lower              | kRegression | seq_regressions, unmap (W262)         |
#pragma once

#include <cstdint>

#include "base/assert.hpp"

namespace tensorpool::inline v0::core::consumer {

class SequenceTracker {
 public:
  enum class Verdict : std::uint8_t { kFirst, kNext, kGap, kDuplicate, kBehind, kRegression };

  [[nodiscard]] Verdict judge(std::uint64_t seq) const noexcept {
    if (!started_) {
      return Verdict::kFirst;
    }
    if (seq >= next_) {
      return seq == next_ ? Verdict::kNext : Verdict::kGap;
    }
    if (!any_descriptor_ || seq > last_descriptor_) {
      return Verdict::kBehind;
    }
    return seq == last_descriptor_ || tolerate_lower_ ? Verdict::kDuplicate : Verdict::kRegression;
  }

  /// A descriptor was heard; moves nothing but the memory of descriptors. To be called before
  /// advance().
  void heard_descriptor(std::uint64_t seq) noexcept {
    if (!any_descriptor_ || seq > last_descriptor_) {
      last_descriptor_ = seq;
      any_descriptor_ = true;
    }
    if (seq >= next_) {
      tolerate_lower_ = false;  // W263: the first newer one has arrived
    }
  }

  /// Tracking begins with `seq` as the next number to be accounted for; nothing before it is
  /// counted.
  void begin_at(std::uint64_t seq) noexcept {
    TP_DCHECK(!started_);
    started_ = true;
    first_ = seq;
    next_ = seq;
  }

  /// Everything up to and including `seq` has been accounted for.
  void advance(std::uint64_t seq) noexcept {
    if (!started_) {
      begin_at(seq);
    }
    TP_DCHECK(seq >= next_);
    next_ = seq + 1;
  }

  /// The descriptor subscription was changed: numbers may be heard again until a newer one arrives
  /// (W263).
  void subscription_changed() noexcept { tolerate_lower_ = started_; }

  [[nodiscard]] bool started() const noexcept { return started_; }
  /// The number that follows the last one accounted for.
  [[nodiscard]] std::uint64_t next() const noexcept { return next_; }
  /// The highest number accounted for, or 0 before the first (W398).
  [[nodiscard]] std::uint64_t last() const noexcept { return accounted() == 0 ? 0 : next_ - 1; }
  /// Numbers accounted for in this mapping: b - a + 1 of the accounting identity.
  [[nodiscard]] std::uint64_t accounted() const noexcept { return next_ - first_; }

 private:
  bool started_ = false;
  bool any_descriptor_ = false;
  bool tolerate_lower_ = false;
  std::uint64_t first_ = 0;
  std::uint64_t next_ = 0;
  std::uint64_t last_descriptor_ = 0;
};

}  // namespace tensorpool::inline v0::core::consumer
