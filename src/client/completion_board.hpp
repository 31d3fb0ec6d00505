// Where the threads of a device put the buffers that they have done with, for the thread that owns
// the buffers to find.
//
// A place for each buffer in the place of a queue: a buffer comes back once for each time that it
// is lent, so nothing can overflow, nobody waits for anybody, and what comes back twice, or was
// never lent, is told at once to whoever brings it.
//
//     free --lend--> lent --put--> (being put) --> there --take--> free
//
// Invariants. (1) Of several puts of one lending exactly one succeeds: it has moved the state from
// `lent`, which nobody moves it to but lend(). (2) A record is written only between that and
// `there`, and read only between `there` and `free`. (3) Whoever sleeps has said so before it
// looked at the count of puts for the last time, and whoever puts has counted before it looks
// whether anybody sleeps: of the two, one sees the other.
//
// Thread contract: put: any thread. Everything else: the owner.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <type_traits>

#include "base/assert.hpp"
#include "os/futex.hpp"
#include "tensorpool/types/time.hpp"

namespace tensorpool::inline v0::detail {

template <class Record>
class CompletionBoard {
  static_assert(std::is_trivially_copyable_v<Record>);

 public:
  static constexpr std::uint32_t kPlacesMax = 1U << 16U;

  /// Precondition: 1 to kPlacesMax places.
  explicit CompletionBoard(std::uint32_t places)
      : count_(places), places_(std::make_unique<Place[]>(places)) {
    TP_ASSERT(places > 0 && places <= kPlacesMax);
  }
  CompletionBoard(const CompletionBoard&) = delete;
  CompletionBoard& operator=(const CompletionBoard&) = delete;

  /// Begins a lending of place number `index`, and names it. Precondition: the place is free.
  [[nodiscard]] std::uint64_t lend(std::uint32_t index) noexcept {
    Place& place = places_[index];
    const std::uint64_t turn = turn_of(place.state.load(std::memory_order_relaxed)) + 1;
    place.state.store(state_of(turn, Phase::kLent),
                      std::memory_order_release);  // sync(board-lend): publish
    return turn << 16U | index;
  }

  /// The buffer of lending `id` is back. False where it is not out.
  bool put(std::uint64_t id, const Record& record) noexcept {
    const auto index = static_cast<std::uint32_t>(id & (kPlacesMax - 1));
    if (index >= count_) {
      return false;
    }
    Place& place = places_[index];
    std::uint64_t expected = state_of(id >> 16U, Phase::kLent);
    // sync(board-lend): observe. The owner has done with the record of the lending before.
    if (!place.state.compare_exchange_strong(expected, state_of(id >> 16U, Phase::kBeingPut),
                                             std::memory_order_acquire,
                                             std::memory_order_relaxed)) {
      return false;
    }
    place.record = record;
    place.state.store(state_of(id >> 16U, Phase::kThere),
                      std::memory_order_release);  // sync(board-put): publish
    puts().fetch_add(1, std::memory_order_seq_cst);
    if (asleep_.load(std::memory_order_seq_cst)) {
      os::futex_wake_all(puts_);
    }
    return true;
  }

  /// What was put for lending `id`, which ends with that; nothing while it is out.
  [[nodiscard]] std::optional<Record> take(std::uint64_t id) noexcept {
    Place& place = places_[id & (kPlacesMax - 1)];
    const std::uint64_t turn = id >> 16U;
    // sync(board-put): observe
    if (place.state.load(std::memory_order_acquire) != state_of(turn, Phase::kThere)) {
      return std::nullopt;
    }
    const Record record = place.record;
    place.state.store(state_of(turn, Phase::kFree), std::memory_order_relaxed);
    return record;
  }

  /// How often something was put. To be read before looking what is there, and given to `wait`.
  [[nodiscard]] std::uint64_t put_count() noexcept {
    return puts().load(std::memory_order_seq_cst);
  }
  /// Sleeps until there were more puts than `seen`, at most for `at_most`. Returns for other
  /// reasons, too.
  void wait(std::uint64_t seen, Nanos at_most) noexcept {
    asleep_.store(true, std::memory_order_seq_cst);
    if (put_count() == seen) {
      os::futex_wait(puts_, seen, at_most);
    }
    asleep_.store(false, std::memory_order_relaxed);
  }

 private:
  enum class Phase : std::uint8_t { kFree, kLent, kBeingPut, kThere };
  struct Place {
    std::atomic<std::uint64_t> state{0};
    Record record{};
  };
  [[nodiscard]] static constexpr std::uint64_t state_of(std::uint64_t turn, Phase phase) noexcept {
    return turn << 2U | static_cast<std::uint64_t>(phase);
  }
  [[nodiscard]] static constexpr std::uint64_t turn_of(std::uint64_t state) noexcept {
    return state >> 2U;
  }
  [[nodiscard]] std::atomic_ref<std::uint64_t> puts() noexcept {
    return std::atomic_ref<std::uint64_t>(puts_);
  }

  std::uint32_t count_;
  std::unique_ptr<Place[]> places_;
  alignas(8) std::uint64_t puts_ = 0;  // a plain word, because the kernel looks at it, too
  std::atomic<bool> asleep_{false};
};

}  // namespace tensorpool::inline v0::detail
