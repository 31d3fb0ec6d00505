// Messages as hex, one a line, to JSON and back: what `tp codec` does.
// Thread contract: a free function; it reads and writes the streams that it is given.
#pragma once

#include <cstdint>
#include <iosfwd>
#include <span>
#include <string>

namespace tensorpool::inline v0::apps {

enum class CodecDirection : std::uint8_t { kDecode, kEncode };

struct CodecOptions {
  CodecDirection direction = CodecDirection::kDecode;
  bool json = false;                      ///< encode: {"v":1,"hex":"…"} instead of bare digits
  std::span<const std::string> messages;  ///< empty: every line of the input that is not blank
};

/// Writes one line for each message: the result or {"error":…}. Returns the exit code: 0, or 1 when
/// a message was malformed.
[[nodiscard]] int convert_lines(const CodecOptions& options, std::istream& in, std::ostream& out);

}  // namespace tensorpool::inline v0::apps
