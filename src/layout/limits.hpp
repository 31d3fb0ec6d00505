// Numbers of the protocol that are part of the format. Spec: §1.3, §1.5, §1.24.
#pragma once

#include <cstddef>
#include <cstdint>

namespace tensorpool::inline v0::layout {

inline constexpr std::uint32_t kLayoutVersion = 1;                    // W12
inline constexpr std::size_t kSuperblockBytes = 64;                   // W3
inline constexpr std::size_t kHeaderSlotBytes = 256;                  // W24
inline constexpr std::size_t kPoolsMax = 256;                         // W226
inline constexpr std::uint32_t kStrideGranularity = 64;               // W39
inline constexpr std::size_t kUriBytesMax = 4096;                     // W92, W109
inline constexpr std::uint64_t kSeqLimit = 1ULL << 63U;               // W162, W255
inline constexpr std::uint64_t kEpochMax = 0xFFFF'FFFF'FFFF'FFFEULL;  // W409
inline constexpr std::uint32_t kStreamIdMax = 0xFFFF'FFFEU;           // W7
inline constexpr std::uint16_t kPoolIdInvalid = 0xFFFF;               // W228

[[nodiscard]] constexpr bool valid_stream_id(std::uint32_t id) noexcept {
  return id >= 1 && id <= kStreamIdMax;
}
[[nodiscard]] constexpr bool valid_epoch(std::uint64_t epoch) noexcept {
  return epoch >= 1 && epoch <= kEpochMax;
}
[[nodiscard]] constexpr bool is_power_of_two(std::uint64_t n) noexcept {
  return n != 0 && (n & (n - 1)) == 0;
}

/// Bytes of a header ring file (W4) and of a payload pool file (W5), in 64-bit arithmetic (W6).
[[nodiscard]] constexpr std::uint64_t header_ring_bytes(std::uint32_t nslots) noexcept {
  return kSuperblockBytes + std::uint64_t{nslots} * kHeaderSlotBytes;
}
[[nodiscard]] constexpr std::uint64_t payload_pool_bytes(std::uint32_t nslots,
                                                         std::uint32_t stride_bytes) noexcept {
  return kSuperblockBytes + std::uint64_t{nslots} * stride_bytes;
}

}  // namespace tensorpool::inline v0::layout
