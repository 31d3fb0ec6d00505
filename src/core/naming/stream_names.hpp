// From the name of a stream to its numbers, where nobody hands out numbers (standalone mode).
//
// For producers that are given a name only, and for commands that subscribe to what these publish.
// Pure. Thread contract: free functions, any thread. See design §9, stream numbers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "core/crc32c.hpp"

namespace tensorpool::inline v0::core::naming {

/// CRC-32C (iSCSI, RFC 3720): 0xE3069283 for "123456789".
[[nodiscard]] constexpr std::uint32_t crc32c(std::string_view text) noexcept {
  Crc32c crc;
  for (const char c : text) {
    crc.update(static_cast<std::byte>(c));
  }
  return crc.digest();
}

/// The number of a stream that is known by name only: 10000 to 10999. Two names may share one:
/// whoever is about to publish looks for that first.
[[nodiscard]] constexpr std::uint32_t stream_number(std::string_view name) noexcept {
  return 10'000U + crc32c(name) % 1000U;
}

/// Between these lie the ids that descriptor_stream_id() gives, and those of QoS and metadata: what
/// everybody shares is found here, unless somebody says otherwise.
inline constexpr std::uint32_t kSharedStreamIdFirst = 1100;
inline constexpr std::uint32_t kSharedStreamIdLast = 2101;

/// The Aeron stream id of a stream's own descriptors, so that a stopped reader of one stream holds
/// up no other: 1100 + (n mod 1000), and 2100 or 2101 where that would be the id of QoS (1200) or
/// metadata (1300).
[[nodiscard]] constexpr std::int32_t descriptor_stream_id(std::uint32_t stream_number) noexcept {
  constexpr std::uint32_t kQos = 1200;
  constexpr std::uint32_t kMetadata = 1300;
  const std::uint32_t id = kSharedStreamIdFirst + stream_number % 1000U;
  return static_cast<std::int32_t>(id == kQos        ? kSharedStreamIdLast - 1
                                   : id == kMetadata ? kSharedStreamIdLast
                                                     : id);
}

}  // namespace tensorpool::inline v0::core::naming
