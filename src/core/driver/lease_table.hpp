// The active leases of a driver: found by id, by client and by stream, and in the order in which
// they expire.
//
// For the driver's machine. Every lease is extended by the same duration, so the order of expiry is
// the order of the last signs of life: a keepalive moves a lease to the end of a list, the expiry
// check looks at its front. Neither allocates.
//
// Thread contract: one thread at a time; `now` never decreases. Spec: §2.10 (D129..D139), §2.14.
#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <map>
#include <optional>
#include <unordered_map>
#include <vector>

#include "layout/messages_901.hpp"
#include "tensorpool/types/time.hpp"

namespace tensorpool::inline v0::core::driver {

/// What an attach was granted; fixed for the life of the lease (D129).
struct LeaseGrant {
  std::uint32_t stream_id = 0;
  std::uint32_t client_id = 0;
  layout::Role role = layout::Role::kConsumer;
  std::optional<std::uint32_t> node_id{};
  std::uint64_t epoch = 0;                ///< of the attach response
  std::uint32_t requested_stream_id = 0;  ///< 0: the driver allocated `stream_id`
  std::int64_t correlation_id = 0;        ///< of the attach request
};

struct Lease {
  std::uint64_t id = 0;
  LeaseGrant grant;
  Nanos attached_at{};
  Nanos heard_at{};  ///< attach or last keepalive
  Nanos expiry{};
  bool kept_alive = false;  ///< ACTIVE: at least one keepalive has come; before, ATTACHED
};

class LeaseTable {
 public:
  /// The highest number that leases may begin with (D130).
  static constexpr std::uint64_t kFirstIdMax = std::uint64_t{1} << 62U;

  /// `first_id`: a random number from 1 to kFirstIdMax, another one in each life of a driver.
  LeaseTable(std::uint64_t first_id, Nanos duration);

  /// Precondition: the client has no lease; the stream has no producer lease if this is one.
  const Lease& issue(const LeaseGrant& grant, Nanos now);

  [[nodiscard]] const Lease* find(std::uint64_t lease_id) const noexcept;
  [[nodiscard]] const Lease* of_client(std::uint32_t client_id) const noexcept;
  [[nodiscard]] const Lease* producer_of(std::uint32_t stream_id) const noexcept;
  [[nodiscard]] std::size_t count_of(std::uint32_t stream_id) const noexcept;
  [[nodiscard]] std::size_t size() const noexcept { return by_expiry_.size(); }
  /// Whether this life of the driver has given out `lease_id`, ended or not.
  [[nodiscard]] bool issued(std::uint64_t lease_id) const noexcept {
    return lease_id >= first_id_ && lease_id < next_id_;
  }

  /// The epochs that leases of the stream refer to, ascending (§2.14). `settled_epoch`: the newest
  /// one that has been announced long enough for consumers to have moved to it.
  [[nodiscard]] std::vector<std::uint64_t> referenced_epochs(std::uint32_t stream_id,
                                                             std::uint64_t settled_epoch) const;

  /// A keepalive of an active lease (D133, D137). Returns the time since the previous sign of life.
  Nanos keep_alive(const Lease& lease, Nanos now) noexcept;

  /// The lease that is longest past its expiry, or nullptr (D139).
  [[nodiscard]] const Lease* first_expired(Nanos now) const noexcept;
  /// When first_expired() can next say something else; nothing without leases.
  [[nodiscard]] std::optional<Nanos> next_expiry() const noexcept;

  /// Ends a lease and returns what it was.
  Lease remove(const Lease& lease);

  /// All of them, the next to expire first.
  [[nodiscard]] const std::list<Lease>& all() const noexcept { return by_expiry_; }
  [[nodiscard]] bool check_invariants() const;

 private:
  using Position = std::list<Lease>::iterator;

  struct OfStream {
    std::uint64_t producer = 0;  ///< lease id; 0: none
    std::size_t count = 0;       ///< producer included
    std::map<std::uint64_t, std::size_t> consumers_by_epoch;
  };

  Nanos duration_;
  std::uint64_t first_id_;
  std::uint64_t next_id_;
  std::list<Lease> by_expiry_;
  std::unordered_map<std::uint64_t, Position> by_id_;
  // Ordered, because clients choose these numbers and could make them collide in a hash table.
  std::map<std::uint32_t, Position> by_client_;
  std::map<std::uint32_t, OfStream> by_stream_;
};

}  // namespace tensorpool::inline v0::core::driver
