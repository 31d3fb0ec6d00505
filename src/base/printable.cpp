#include "base/printable.hpp"

#include <cstddef>
#include <cstdint>

namespace tensorpool::inline v0::base {
namespace {

[[nodiscard]] constexpr bool is_plain(unsigned char byte) noexcept {
  return byte >= 0x20 && byte < 0x7F;
}

void append_escaped(std::string& text, unsigned char byte) {
  constexpr char kHex[] = "0123456789abcdef";
  text += "\\x";
  text += kHex[byte >> 4U];
  text += kHex[byte & 15U];
}

/// Line and paragraph separators, marks and overrides of the direction of writing.
[[nodiscard]] constexpr bool shows_something(std::uint32_t point) noexcept {
  const bool turns = point == 0x200E || point == 0x200F || (point >= 0x2028 && point <= 0x202E) ||
                     (point >= 0x2066 && point <= 0x2069);
  const bool is_half = point >= 0xD800 && point <= 0xDFFF;
  return point >= 0xA0 && point <= 0x10FFFF && !turns && !is_half;
}

/// Bytes of the well-formed character of several bytes that `text` begins with; 0: none.
[[nodiscard]] std::size_t character_at(std::string_view text) noexcept {
  const auto byte = [text](std::size_t k) { return static_cast<unsigned char>(text[k]); };
  const std::size_t length = byte(0) >= 0xF0 ? 4 : byte(0) >= 0xE0 ? 3 : 2;
  if (byte(0) < 0xC2 || byte(0) > 0xF4 || text.size() < length) {
    return 0;
  }
  std::uint32_t point = byte(0) & (0xFFU >> (length + 1));
  for (std::size_t k = 1; k < length; ++k) {
    if ((byte(k) & 0xC0U) != 0x80) {
      return 0;
    }
    point = point << 6U | (byte(k) & 0x3FU);
  }
  constexpr std::uint32_t kLeast[] = {0, 0, 0x80, 0x800, 0x10000};
  return point >= kLeast[length] && shows_something(point) ? length : 0;
}

}  // namespace

std::string printable_ascii(std::string_view text) {
  std::string shown;
  for (const char each : text) {
    const auto byte = static_cast<unsigned char>(each);
    is_plain(byte) ? shown.push_back(each) : append_escaped(shown, byte);
  }
  return shown;
}

std::string printable(std::string_view text) {
  std::string shown;
  while (!text.empty()) {
    const auto byte = static_cast<unsigned char>(text.front());
    const std::size_t length = is_plain(byte) ? 1 : character_at(text);
    if (length == 0) {
      append_escaped(shown, byte);
    } else {
      shown.append(text.substr(0, length));
    }
    text.remove_prefix(length == 0 ? 1 : length);
  }
  return shown;
}

}  // namespace tensorpool::inline v0::base
