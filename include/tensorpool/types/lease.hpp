// Where a client stands with its lease from a driver. Spec: §2.20.
#pragma once

#include <cstdint>
#include <string_view>

#include "tensorpool/export.hpp"

namespace tensorpool::inline v0 {

/// State of an attach client.
enum class AttachState : std::uint8_t {
  kUnattached,  ///< wants no lease, or was refused one for good
  kAttaching,   ///< has asked, or waits until it can ask
  kAttached,    ///< holds a lease; its regions are mapped
  kDetaching,   ///< gives its lease back
  kBackoff,     ///< waits before the next attempt
};

/// Why a lease was lost.
enum class LeaseLoss : std::uint8_t {
  kRevoked,         ///< the driver has ended it and said so
  kExpired,         ///< its deadline went by without a keepalive getting out
  kKeepalive,       ///< a keepalive could not be sent
  kDriverShutdown,  ///< the driver went down and said so
  kDriverSilent,    ///< no announce for the driver silence timeout
  kNewerEpoch,      ///< the driver announces another producer, or a later epoch than the lease's
};

[[nodiscard]] TENSORPOOL_EXPORT std::string_view to_string(AttachState state) noexcept;
[[nodiscard]] TENSORPOOL_EXPORT std::string_view to_string(LeaseLoss loss) noexcept;

}  // namespace tensorpool::inline v0
