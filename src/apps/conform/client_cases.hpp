// What a foreign client of a driver is judged by (chapter 2 of docs/spec): its requests are left
// unanswered, refused, answered wrongly and granted by hand, its leases taken away. Pure: the
// record comes from drive_client.hpp.
//
// Thread contract: plain values and free functions.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "apps/conform/heard.hpp"
#include "layout/messages_901.hpp"

namespace tensorpool::inline v0::apps::conform {

/// What the hand-driven driver does. Each begins with a request of the client, or with its lease.
enum class Act : std::uint8_t {
  kSilent,        ///< requests stay unanswered
  kRejected,      ///< REJECTED, with a text of its own
  kWrongGrant,    ///< OK with headerSlotBytes 128
  kGranted,       ///< OK with a lease of kLease
  kForeign,       ///< answers to nobody, the end of another lease, unknown templates
  kRevoked,       ///< the lease is revoked
  kGrantedAgain,  ///< OK for the next request
  kShutdown,      ///< ShmDriverShutdown, for a reason that nobody knows
  kLastGrant,     ///< OK for the next request
  kStopped,       ///< the program is told to stop
  kNewStart,      ///< it is started again
  kRefused,       ///< INVALID_PARAMS
};
inline constexpr Nanos kLease = std::chrono::seconds(3);

struct ActLook {
  Act act = Act::kSilent;
  std::int64_t correlation_id = 0;  ///< of the request that was answered
  std::uint64_t lease_id = 0;       ///< that was granted, or ended
  Window window = {};
};

struct ClientRecord {
  std::uint32_t stream_id = 0;
  HeardList heard = {};  ///< what the client has sent
  std::vector<ActLook> acts = {};
  bool alive = false;  ///< when it was told to stop
};

[[nodiscard]] std::span<const Case<ClientRecord>> client_cases() noexcept;

}  // namespace tensorpool::inline v0::apps::conform
