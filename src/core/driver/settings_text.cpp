#include "core/driver/settings_text.hpp"

#include <array>
#include <charconv>

#include "core/region/directories.hpp"

namespace tensorpool::inline v0::core::driver {
namespace {

[[nodiscard]] std::string joined(std::string prefix, std::string_view leaf) {
  return leaf.empty() ? prefix : prefix.append(".").append(leaf);
}

}  // namespace

std::string quoted(std::string_view value) {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  std::string text = "\"";
  for (const char c : value) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7F) {
      text.append("\\u00") += kDigits[byte / 16U];
      text += kDigits[byte % 16U];
    } else {
      text.append(c == '"' || c == '\\' ? "\\" : "") += c;
    }
  }
  return text += '"';
}

std::string octal(std::uint32_t mode) {
  std::array<char, 12> digits{};
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), mode, 8).ptr;
  return {digits.data(), end};
}

std::string text_of(const IdRange& range) {
  return std::to_string(range.first) + "-" + std::to_string(range.last);
}

std::string key_text(std::string_view name) {
  // A bare key has the bytes that a namespace has.
  return region::check_namespace(name) ? std::string(name) : quoted(name);
}

std::string profile_key(std::string_view name, std::string_view leaf) {
  return joined("profiles." + key_text(name), leaf);
}

std::string pool_key(std::string_view profile, std::size_t index, std::string_view leaf) {
  return joined(profile_key(profile, "payload_pools[" + std::to_string(index) + "]"), leaf);
}

std::string stream_key(std::string_view name, std::string_view leaf) {
  return joined("streams." + key_text(name), leaf);
}

}  // namespace tensorpool::inline v0::core::driver
