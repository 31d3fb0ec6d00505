// A TOML text as a tree that knows where everything stands, in the order of the file.
//
// What stands behind it is toml++, which nothing else sees. Thread contract: free function, any
// thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "tensorpool/types/expected.hpp"

namespace tensorpool::inline v0::config {

/// A place in a text, counted from 1; line 0: nowhere.
struct Place {
  std::uint32_t line = 0;
  std::uint32_t column = 0;

  friend constexpr auto operator<=>(const Place&, const Place&) = default;
};

struct Node {
  enum class Kind : std::uint8_t { kString, kInteger, kFloat, kBoolean, kTime, kArray, kTable };

  Kind kind = Kind::kTable;
  std::string name;            ///< the key; empty in arrays
  Place place;                 ///< of the value; of a table: of its key where it has one
  std::string text;            ///< of kString
  std::int64_t integer = 0;    ///< of kInteger
  bool boolean = false;        ///< of kBoolean
  std::vector<Node> children;  ///< of kArray and kTable, in the order of the file
};

/// `a string`, `an integer`, … for messages.
[[nodiscard]] std::string_view to_string(Node::Kind kind) noexcept;

/// Why a text is not TOML.
struct SyntaxError {
  Place place;
  std::string message;
};

/// The root table of `text`. Keys of more than 16 parts (`a.b.c…`) are refused as well.
[[nodiscard]] tl::expected<Node, SyntaxError> parse_document(std::string_view text);

}  // namespace tensorpool::inline v0::config
