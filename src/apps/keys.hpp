// Keys of a terminal, out of the bytes that it sends. Pure.
//
// Thread contract: free functions.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace tensorpool::inline v0::apps {

struct Key {
  enum class Kind : std::uint8_t {
    kCharacter,  ///< `character`, printable
    kUp,
    kDown,
    kLeft,
    kRight,
    kPageUp,
    kPageDown,
    kHome,
    kEnd,
    kEnter,
    kBackspace,
    kEscape,
    kRedraw,  ///< Ctrl-L
  };
  Kind kind = Kind::kCharacter;
  char character = 0;

  friend bool operator==(const Key&, const Key&) = default;
};

/// Those of `bytes`, which are what one read brought; what is no key is passed over.
[[nodiscard]] std::vector<Key> parse_keys(std::string_view bytes);

}  // namespace tensorpool::inline v0::apps
