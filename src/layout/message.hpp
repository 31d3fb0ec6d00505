// What the plain message structs of messages_900.hpp … messages_910.hpp have in common.
//
// The structs are views: texts and byte strings point into the received message (or into whatever
// the sender keeps them in), groups into an array that somebody else owns. They are trivially
// copyable and never allocate, so sans-IO machines take and return them by value. A decoded message
// is valid as long as the bytes it was decoded from and the codec's scratch memory.
//
// Absent values: an optional integer is a std::optional, an absent text has length 0 (W97), an
// absent group has no entries. Every member has an initialiser, for designated ones name only some.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "layout/limits.hpp"

namespace tensorpool::inline v0::layout {

/// What tells a message from others, and the header that a sender of version 1 gives it.
struct MessageType {
  std::uint16_t schema_id;
  std::uint16_t template_id;
  std::uint16_t block_length;
  std::string_view name;
};

inline constexpr std::uint16_t kSchemaVersionMax = 1;         // W76
inline constexpr std::size_t kMessageHeaderBytes = 8;         // §1.5.1
inline constexpr std::size_t kGroupHeaderBytes = 4;           // §1.5.1
inline constexpr std::size_t kGroupEntriesMax = 65534;        // W449
inline constexpr std::size_t kVarLengthBytes = 4;             // §1.5.1
inline constexpr std::uint64_t kVarBytesMax = 1'073'741'824;  // W84

/// A borrowed list that compares by content: the entries of a group, or binary data.
template <class T>
class ListView : public std::span<const T> {
 public:
  using std::span<const T>::span;
  friend constexpr bool operator==(const ListView& a, const ListView& b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end());
  }
};
using Text = std::string_view;
using Bytes = ListView<std::byte>;

/// One payload pool, as announces (§1.5.5), attach responses (§2.2) and discovery (§5.2.2) list it.
struct PayloadPool {
  static constexpr std::uint16_t kBlockLength = 10;

  std::uint16_t pool_id = 0;
  std::uint32_t pool_nslots = 0;
  std::uint32_t stride_bytes = 0;
  Text region_uri{};

  friend bool operator==(const PayloadPool&, const PayloadPool&) = default;
};

/// A stream id that 0 and 2^32-1 leave open (W98, W99).
[[nodiscard]] constexpr std::optional<std::uint32_t> assigned_stream_id(std::uint32_t id) noexcept {
  return valid_stream_id(id) ? std::optional(id) : std::nullopt;
}

/// Whether `text` may stand where a channel or a URI is expected (W91, W92). The empty text, which
/// means absent, may.
[[nodiscard]] constexpr bool valid_channel_text(Text text) noexcept {
  return text.size() <= kUriBytesMax &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= 0x21 && c <= 0x7E; });
}

}  // namespace tensorpool::inline v0::layout
