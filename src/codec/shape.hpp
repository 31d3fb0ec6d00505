// The outline of a message, and the one checker of bounds that serves all of them.
//
// A Shape tells block length, groups and variable fields; check_shape() walks a message along it,
// so that the generated code, whose getters throw, never sees a byte that was not checked.
// Spec: §1.5.1 (W78..W86, W449), D2..D7, S9..S15 and S23..S30, J7..J12, T83..T88.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "tensorpool/types/error.hpp"

namespace tensorpool::inline v0::codec {

enum class TailRule : std::uint8_t {
  kPlain,
  kMayBeMissing,  ///< The message may end right before this last field (S29, S30).
  kNotEmpty,      ///< A group without entries is malformed (T88).
  kBareEntries,   ///< Entries of block length 0 or 4, and no block to skip in either case (S23,
                  ///< S24).
};

struct Shape;

/// A group or a variable field, in the order of the wire.
struct Tail {
  std::string_view name;
  TailRule rule = TailRule::kPlain;
  const Shape* entry = nullptr;  ///< of a group; null: a variable field
  std::size_t entry_bytes = 0;   ///< of one decoded entry
};

struct Shape {
  std::uint16_t block_length = 0;
  std::span<const Tail> tails;
};

/// Walks the message `bytes`, whose block has `block_length` bytes, and returns how much scratch
/// memory its groups need: at most proportional to `bytes.size()` (W90). Fails with
/// kMalformedMessage.
[[nodiscard]] Result<std::size_t> check_shape(const Shape& shape, std::uint16_t block_length,
                                              std::span<const std::byte> bytes) noexcept;

}  // namespace tensorpool::inline v0::codec
