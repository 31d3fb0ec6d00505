// hot-path: only for a number that is being written or was aborted: 4 looks at its word, then 2
// later words per call. No allocation, no system call, no clock.
//
// Tells a frame that is still being written from one that was aborted, without a descriptor. Frames
// are committed in order (W181, W182): a later one that is committed proves the abort.
//
// Thread contract: one thread at a time; one instance per mapping.
#pragma once

#include <cstdint>
#include <optional>

#include "base/mark.hpp"
#include "base/relax.hpp"
#include "core/consumer/ring_search.hpp"

namespace tensorpool::inline v0::core::consumer {

template <class Atom>
class AbortProof {
 public:
  using Memory = ring::StreamMemory<Atom>;

  enum class Verdict : std::uint8_t {
    kNone,     ///< nothing is known yet
    kChanged,  ///< no longer IN_PROGRESS: look at it again
    kAborted,
  };

  /// Precondition: the slot of `next` was seen IN_PROGRESS for `next`.
  [[nodiscard]] Verdict judge(const Memory& memory, std::uint64_t next) noexcept {
    if (is_finished_soon(memory, next)) {
      return Verdict::kChanged;
    }
    if (memory.nslots == 1) {
      return Verdict::kNone;
    }
    // The following slot, and all others in turn, in case that one was aborted too.
    later_ = later_ % (memory.nslots - 1U) + 1U;
    if (next >= committed_later_ && !find_committed(memory, next, next + 1) &&
        !find_committed(memory, next, next + later_)) {
      return Verdict::kNone;
    }
    if (!still_in_progress(memory, next)) {
      TP_MARK("a frame is committed while its abort is being proven");
      return Verdict::kChanged;
    }
    TP_MARK("a later frame proves that a number was aborted");
    return Verdict::kAborted;
  }

 private:
  /// True when it is finished after a moment. A frame that is copied by one call is, and looking at
  /// other slots meanwhile takes lines that the writer needs next.
  [[nodiscard]] static bool is_finished_soon(const Memory& memory, std::uint64_t next) noexcept {
    constexpr int kLooks = 4;
    for (int look = 0; look < kLooks; ++look) {
      base::relax();
      if (!still_in_progress(memory, next)) {
        return true;
      }
    }
    return false;
  }

  /// True when the slot of `seq` holds a committed frame above `next`; remembers it, since it
  /// proves the same of every number in between.
  [[nodiscard]] bool find_committed(const Memory& memory, std::uint64_t next,
                                    std::uint64_t seq) noexcept {
    const std::optional<std::uint64_t> found = committed_after(memory, next, seq);
    committed_later_ = found.value_or(committed_later_);
    return found.has_value();
  }

  std::uint32_t later_ = 0;            // looked at last, counted from the next number
  std::uint64_t committed_later_ = 0;  // known to be committed
};

}  // namespace tensorpool::inline v0::core::consumer
