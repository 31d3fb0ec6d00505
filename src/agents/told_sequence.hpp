// How far one thread has come, for others to tell: the number of a frame, and the epoch that it is
// of. A number of one epoch is never taken for one of another (W398).
//
// Thread contract: tell() and go_on() belong to one thread, of() to any.
// Invariants
//  1. Between a number of one epoch and a number of another one `epoch_` is 0.
//  2. Whoever finds an epoch, then a number, then the same epoch, has a number of that epoch: it is
//     not of an earlier one, because the epoch is told behind its first number (told-epoch); and
//     had it been of a later one, the 0 before it would be seen as well (told-seq).
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>

namespace tensorpool::inline v0::agents {

/// `Word` is another than std::atomic in tests, which look at what happens between two accesses.
template <class Word = std::atomic<std::uint64_t>>
class ToldSequence {
 public:
  /// `epoch` 0: there is none.
  void tell(std::uint64_t epoch, std::uint64_t seq) noexcept {
    const bool same = epoch_.load(std::memory_order_relaxed) == epoch;  // nobody else stores
    if (!same) [[unlikely]] {
      epoch_.store(0, std::memory_order_relaxed);  // before the next one, which releases it
    }
    seq_.store(seq, std::memory_order_release);  // sync(told-seq): publish
    if (!same) [[unlikely]] {
      epoch_.store(epoch, std::memory_order_release);  // sync(told-epoch): publish
    }
  }

  /// Another number, of the epoch that was told last: one store.
  void go_on(std::uint64_t seq) noexcept {
    seq_.store(seq, std::memory_order_release);  // sync(told-seq): publish
  }

  /// What was told last, if that is of `epoch`, which is not 0.
  [[nodiscard]] std::optional<std::uint64_t> of(std::uint64_t epoch) const noexcept {
    if (epoch_.load(std::memory_order_acquire) != epoch) {  // sync(told-epoch): observe
      return std::nullopt;
    }
    // sync(told-seq): observe. It also keeps the load below from moving up.
    const std::uint64_t seq = seq_.load(std::memory_order_acquire);
    if (epoch_.load(std::memory_order_relaxed) != epoch) {
      return std::nullopt;
    }
    return seq;
  }

 private:
  Word epoch_{0};
  Word seq_{0};
};

}  // namespace tensorpool::inline v0::agents
