// Which node id a lease gets. A node id marks the trace ids that its holder makes, so no two active
// leases have the same one, and a released one rests before somebody else gets it.
//
// For the driver's machine. An id is available when no lease holds it, no pending attach has
// reserved it, and it has rested for the cooldown; its former holder need not wait.
//
// Memory: one entry for each id from 1 to 1023 (D102); above, one for each id that is held,
// reserved or resting, and at most kRestingMax resting ones: what hostile clients make rest beyond
// that makes further requests for such ids fail, never an id come back too early.
//
// Thread contract: one thread at a time. Spec: §2.8 (D94..D102).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "tensorpool/types/time.hpp"

namespace tensorpool::inline v0::core::driver {

class NodeIds {
 public:
  /// The highest id that is assigned without being asked for: trace ids have 10 bits for it.
  static constexpr std::uint32_t kAssignedMax = 1023;
  static constexpr std::size_t kRestingMax = 65536;

  explicit NodeIds(Nanos cooldown) noexcept : cooldown_(cooldown) {}

  /// The id that a request asks for; null and 0 are no preference (D94).
  [[nodiscard]] static constexpr std::optional<std::uint32_t> preference(
      std::optional<std::uint32_t> desired) noexcept {
    constexpr std::uint32_t kNull = std::numeric_limits<std::uint32_t>::max();
    return desired == 0U || desired == kNull ? std::nullopt : desired;
  }

  /// D97.
  [[nodiscard]] bool available(std::uint32_t id, std::uint32_t client_id, Nanos now);

  /// Keeps an available id for an attach that waits for its regions.
  /// Precondition: available.
  void reserve(std::uint32_t id);
  /// The attach came to nothing: the id is as it was.
  void unreserve(std::uint32_t id);

  /// Gives an id to a new lease: the reserved one, or one that nobody asked for (D98); nothing when
  /// there is none (D99).
  [[nodiscard]] std::optional<std::uint32_t> assign(std::optional<std::uint32_t> reserved,
                                                    std::uint32_t client_id, Nanos now);

  /// The lease that held `id` has ended: it begins to rest.
  void release(std::uint32_t id, Nanos now);

  [[nodiscard]] bool held(std::uint32_t id) const noexcept {
    const Entry* const entry = find(id);
    return entry != nullptr && entry->state == State::kHeld;
  }
  /// Entries above 1023, for tests of the bound.
  [[nodiscard]] std::size_t remembered_above_assigned() const noexcept { return above_.size(); }

 private:
  enum class State : std::uint8_t { kNever, kHeld, kReleased };
  struct Entry {
    State state = State::kNever;
    bool reserved = false;
    std::uint32_t client_id = 0;  ///< holder, or former holder
    Nanos released_at{};
  };

  [[nodiscard]] const Entry* find(std::uint32_t id) const noexcept;
  [[nodiscard]] Entry& entry_of(std::uint32_t id);
  [[nodiscard]] bool available(const Entry& entry, std::uint32_t client_id,
                               Nanos now) const noexcept;
  [[nodiscard]] std::optional<std::uint32_t> choose(std::uint32_t client_id,
                                                    Nanos now) const noexcept;
  void forget_rested(Nanos now);

  Nanos cooldown_;
  std::array<Entry, kAssignedMax + 1> assigned_{};  ///< by id; 0 is not used
  std::map<std::uint32_t, Entry> above_;
  std::set<std::pair<Nanos, std::uint32_t>> resting_;  ///< ids above 1023 by time of release
};

}  // namespace tensorpool::inline v0::core::driver
