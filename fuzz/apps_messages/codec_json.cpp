// `tp codec` in both directions: what is accepted comes back the same.
#include "apps/messages/codec_json.hpp"

#include <string>
#include <string_view>

#include "harness/fuzz.hpp"

using tensorpool::apps::error_to_json;
using tensorpool::apps::message_hex_to_json;
using tensorpool::apps::message_json_to_hex;

/// Any text as the JSON of a message.
int fuzz_codec_json(std::span<const std::byte> input) {
  const std::string_view text(reinterpret_cast<const char*>(input.data()), input.size());
  const auto hex = message_json_to_hex(text);
  if (!hex) {
    TP_FUZZ_CHECK(!error_to_json(hex.error()).empty());
    return 0;
  }
  const auto json = message_hex_to_json(*hex);
  TP_FUZZ_CHECK(json.has_value());
  TP_FUZZ_CHECK(message_json_to_hex(*json) == *hex);
  return 0;
}

/// Any bytes, given as hex digits, as a message.
int fuzz_codec_hex(std::span<const std::byte> input) {
  std::string digits;
  for (const std::byte byte : input) {
    digits += "0123456789abcdef"[std::to_integer<unsigned>(byte) >> 4U];
    digits += "0123456789ABCDEF"[std::to_integer<unsigned>(byte) & 15U];
  }
  const auto json = message_hex_to_json(digits);
  if (!json) {
    TP_FUZZ_CHECK(!error_to_json(json.error()).empty());
    return 0;
  }
  const auto hex = message_json_to_hex(*json);
  TP_FUZZ_CHECK(hex.has_value());
  const auto again = message_hex_to_json(*hex);
  TP_FUZZ_CHECK(again.has_value());
  TP_FUZZ_CHECK(message_json_to_hex(*again) == *hex);
  return 0;
}
