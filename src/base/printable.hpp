// Text of others on a terminal or in a log. Spec: W94.
#pragma once

#include <string>
#include <string_view>

namespace tensorpool::inline v0::base {

/// Printable US-ASCII as it is, every other byte as `\xNN`: a character is a column.
[[nodiscard]] std::string printable_ascii(std::string_view text);

/// The same, but UTF-8 stays where it is well-formed and shows something: no control characters,
/// none that turn the direction of writing.
[[nodiscard]] std::string printable(std::string_view text);

}  // namespace tensorpool::inline v0::base
