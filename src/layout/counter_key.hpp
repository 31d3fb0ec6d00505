// The key of a counter that a producer or a consumer shows among those of the media driver: whose
// it is. The counter's type id says what it counts (core/telemetry). Decision: docs/adr/0034.
//
// The media driver keeps the 112 bytes of a key and not their number, so that a shorter one is
// followed by zeros.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "base/endian.hpp"

namespace tensorpool::inline v0::layout {

inline constexpr std::uint16_t kCounterKeyVersion = 1;

enum class CounterRole : std::uint8_t { kProducer = 1, kConsumer = 2 };

struct CounterKey {
  base::Le<std::uint16_t> version;
  base::Le<CounterRole> role;
  base::Le<std::uint8_t> pad;  ///< 0
  base::Le<std::uint32_t> stream_id;
  base::Le<std::uint32_t> client_id;      ///< producerId or consumerId
  base::Le<std::uint32_t> instance;       ///< tells two of one process apart
  base::Le<std::uint64_t> pid;            ///< as the process itself sees it
  base::Le<std::uint64_t> process_start;  ///< in clock ticks since boot; 0: not known
  std::array<char, 80> name;              ///< of the stream, US-ASCII, cut; zeros where unknown
};

static_assert(std::is_trivially_copyable_v<CounterKey> && std::is_standard_layout_v<CounterKey>);
static_assert(sizeof(CounterKey) == 112 && alignof(CounterKey) == 1);
static_assert(offsetof(CounterKey, version) == 0);
static_assert(offsetof(CounterKey, role) == 2);
static_assert(offsetof(CounterKey, stream_id) == 4);
static_assert(offsetof(CounterKey, client_id) == 8);
static_assert(offsetof(CounterKey, instance) == 12);
static_assert(offsetof(CounterKey, pid) == 16);
static_assert(offsetof(CounterKey, process_start) == 24);
static_assert(offsetof(CounterKey, name) == 32);

}  // namespace tensorpool::inline v0::layout
