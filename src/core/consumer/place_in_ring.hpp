// How a reader stands in its ring, seen by somebody else in its process: how far the writer is
// ahead, and how old the frame is that it read last. Pure.
//
// A few loads from lines that the writer uses; for a look now and then, not for the data path.
//
// Thread contract: any thread, while the memory stays mapped.
#pragma once

#include <cstdint>
#include <optional>

#include "core/consumer/ring_search.hpp"
#include "core/ring/slot_header.hpp"

namespace tensorpool::inline v0::core::consumer {

struct PlaceInRing {
  std::uint64_t behind = 0;  ///< frames that the writer has begun since
  /// Capture time of the frame, while its slot still holds it and where it has one.
  std::optional<std::uint64_t> timestamp_ns = {};
};

/// Of a reader that has come to `seq`, which the writer has reached.
template <class Atom>
[[nodiscard]] PlaceInRing place_in_ring(const ring::StreamMemory<Atom>& memory,
                                        std::uint64_t seq) noexcept {
  const std::uint64_t word = word_for(memory, seq);
  if (!belongs(memory, word, seq) || ring::sequence_of(word) < seq) {
    return {};  // no word of a correct writer
  }
  PlaceInRing place{.behind = newest_from(memory, ring::sequence_of(word)) - seq};
  const auto* const slot = memory.slot(memory.index_of(seq));
  ring::SlotWords words{};
  const ring::ReadStatus read = ring::read_slot<Atom>(*slot, seq, [&]() noexcept {
    for (std::size_t k = layout::kSlotFrameFirstWord; k < layout::kSlotFrameEndWord; ++k) {
      words[k] = ring::load_header_word<Atom>(slot[k]);
    }
  });
  const std::uint64_t at = ring::decode_frame_words(words).timestamp_ns;
  if (read == ring::ReadStatus::kOk && at != layout::kTimestampNone) {
    place.timestamp_ns = at;
  }
  return place;
}

}  // namespace tensorpool::inline v0::core::consumer
