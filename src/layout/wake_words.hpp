// The two words by which a producer wakes the consumers of an epoch, as they lie in their file.
// Not part of the protocol of docs/spec: a file of this library's own (docs/adr/0030), that other
// implementations neither make nor miss.
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace tensorpool::inline v0::layout {

/// "TPWAKE01" as the bytes of the file, little-endian like all there is (W1).
inline constexpr std::uint64_t kWakeMagic = 0x3130'454B'4157'5054ULL;

/// `armed` and `ticket` have a cache line each: the first is read with each frame, the second when
/// somebody is woken. A futex is the low half of `ticket`.
struct WakeWords {
  std::uint64_t magic;
  std::uint64_t epoch;
  std::uint64_t stream_id;
  alignas(64) std::uint64_t armed;
  alignas(64) std::uint64_t ticket;
};

static_assert(std::is_trivially_copyable_v<WakeWords> && std::is_standard_layout_v<WakeWords>);
static_assert(offsetof(WakeWords, armed) == 64 && offsetof(WakeWords, ticket) == 128);
static_assert(sizeof(WakeWords) == 192);

}  // namespace tensorpool::inline v0::layout
