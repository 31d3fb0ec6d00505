// Attaches that wait for the regions of their stream, in the order of their arrival.
//
// For the driver's machine. At most one per client; a stream has at most one that wants to be its
// producer. What waits longer than kPatience is late (D345) and gets no lease any more.
//
// Memory: at most kMax entries. Thread contract: one thread at a time; `now` never decreases.
// Spec: D345.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <vector>

#include "layout/messages_901.hpp"
#include "tensorpool/types/time.hpp"

namespace tensorpool::inline v0::core::driver {

struct PendingAttach {
  layout::ShmAttachRequest request;
  std::uint32_t stream_id = 0;  ///< the allocated one where the request has 0
  Nanos received_at{};
  bool needs_new_epoch = false;            ///< a producer, or the new user of a reclaimed id
  std::optional<std::uint32_t> node_id{};  ///< reserved
  std::uint64_t replay_of = 0;             ///< the lease that it has already, if it has
  std::uint64_t ticket = 0;                ///< grows with every arrival

  [[nodiscard]] bool producer() const noexcept {
    return request.role == layout::Role::kProducer && replay_of == 0;
  }
};

class PendingAttaches {
 public:
  static constexpr std::size_t kMax = 16384;
  static constexpr Nanos kPatience = std::chrono::seconds(5);

  [[nodiscard]] std::size_t size() const noexcept { return by_ticket_.size(); }
  [[nodiscard]] bool full() const noexcept { return size() >= kMax; }
  /// Those that would become a lease.
  [[nodiscard]] std::size_t new_leases() const noexcept { return size() - replays_; }

  /// Precondition: not full, and nothing of this client waits.
  void add(PendingAttach attach);
  PendingAttach take(std::uint64_t ticket);

  [[nodiscard]] const PendingAttach* of_client(std::uint32_t client_id) const noexcept;
  [[nodiscard]] const PendingAttach* producer_of(std::uint32_t stream_id) const noexcept;
  [[nodiscard]] bool any_of(std::uint32_t stream_id) const noexcept {
    return by_stream_.contains(stream_id);
  }
  /// In the order of arrival.
  [[nodiscard]] std::vector<const PendingAttach*> of_stream(std::uint32_t stream_id) const;
  [[nodiscard]] std::vector<std::uint64_t> tickets() const;

  /// The oldest one if it is late, else nullptr.
  [[nodiscard]] const PendingAttach* first_late(Nanos now) const noexcept;
  [[nodiscard]] std::optional<Nanos> next_deadline() const noexcept;

 private:
  std::map<std::uint64_t, PendingAttach> by_ticket_;
  std::map<std::uint32_t, std::uint64_t> by_client_;
  std::map<std::uint32_t, std::set<std::uint64_t>> by_stream_;
  std::map<std::uint32_t, std::uint64_t> producers_;
  std::size_t replays_ = 0;
  std::uint64_t next_ticket_ = 1;
};

}  // namespace tensorpool::inline v0::core::driver
