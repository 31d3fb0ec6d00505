// What a foreign producer is judged by: chapter 1 of docs/spec, as far as it shows on the bus and
// in shared memory. Pure: the record comes from watch_producer.hpp.
//
// Thread contract: plain values and free functions.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "apps/conform/heard.hpp"
#include "core/region/superblock.hpp"
#include "layout/slot.hpp"
#include "layout/superblock.hpp"

namespace tensorpool::inline v0::apps::conform {

/// A slot as it lay in the ring when its descriptor was heard: commit word, copy, commit word.
struct SlotLook {
  Nanos at{};
  std::uint64_t epoch = 0;
  std::uint64_t seq = 0;  ///< of the descriptor
  std::uint32_t index = 0;
  std::uint64_t word_before = 0;
  std::uint64_t word_after = 0;
  std::array<std::byte, layout::kHeaderSlotBytes> bytes{};
};

/// A commit word that was not the one seen before in this slot.
struct WordLook {
  std::uint64_t epoch = 0;
  std::uint32_t index = 0;
  std::uint64_t word = 0;
};

/// One region, as announced, as opened by the rules of §1.7, and as it was at the end.
struct RegionLook {
  std::string uri;
  core::region::ExpectedRegion expected;
  std::optional<Error> refused = {};
  std::uint64_t file_bytes = 0;
  std::uint32_t file_mode = 0;
  layout::Superblock first{};
  layout::Superblock last{};
  std::vector<Nanos> refreshed = {};  ///< when another activity was seen
};

/// The slots of a ring when it was opened; when it was empty then, again at its first descriptor.
struct RingLook {
  std::uint64_t epoch = 0;
  std::vector<std::uint64_t> words = {};
};

/// A hello that the harness has sent, and for how long it waited for an answer.
enum class Ask : std::uint8_t {
  kNothing,       ///< no request
  kOwnStream,     ///< a descriptor stream, in order
  kOwnAgain,      ///< the same once more
  kGiveUp,        ///< by the same consumer, without the request
  kChannelOnly,   ///< half a request
  kIdOnly,        ///< the other half
  kUdp,           ///< a channel that is not allowed by default
  kNoShm,         ///< supportsShm FALSE
  kLongBlock,     ///< a request in a block that is longer than listed
  kRateLimited,   ///< an own stream of kSlowHz
  kOtherStream,   ///< of a stream that nobody has
  kConsumerZero,  ///< consumerId 0
};
inline constexpr std::uint32_t kSlowHz = 5;
struct AskLook {
  Ask ask = Ask::kNothing;
  std::uint32_t stream_id = 0;
  std::uint32_t consumer_id = 0;
  std::uint32_t own_stream_id = 0;  ///< that was asked for; 0: none
  Window window = {};
};

/// One start of the program, until it was stopped.
struct ProducerLife {
  Window window = {};
  HeardList heard = {};
  std::vector<SlotLook> slots = {};
  std::vector<WordLook> words = {};
  std::vector<RingLook> rings = {};
  std::vector<RegionLook> regions = {};
  std::vector<AskLook> asks = {};
  Window disturbed = {};  ///< from the first message that makes no sense on; empty: none was sent
  Nanos progress_wanted_at = Nanos::max();  ///< the first hello with supportsProgress TRUE
  bool alive = false;                       ///< when it was told to stop
};

struct ProducerRecord {
  std::uint32_t stream_id = 0;
  Nanos period = std::chrono::seconds(1);  ///< of announces, activity and QoS
  std::vector<ProducerLife> lives = {};
};

[[nodiscard]] std::span<const Case<ProducerRecord>> producer_cases() noexcept;

}  // namespace tensorpool::inline v0::apps::conform
