#include "apps/keys.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <optional>
#include <utility>

namespace tensorpool::inline v0::apps {
namespace {

using Kind = Key::Kind;

/// What follows ESC [ or ESC O.
constexpr auto kSequences = std::to_array<std::pair<std::string_view, Kind>>({
    {"A", Kind::kUp},
    {"B", Kind::kDown},
    {"C", Kind::kRight},
    {"D", Kind::kLeft},
    {"H", Kind::kHome},
    {"F", Kind::kEnd},
    {"1~", Kind::kHome},
    {"4~", Kind::kEnd},
    {"5~", Kind::kPageUp},
    {"6~", Kind::kPageDown},
    {"7~", Kind::kHome},
    {"8~", Kind::kEnd},
});

/// Without what says that Shift, Alt or Ctrl was held: `1;5A` is `A`.
[[nodiscard]] std::string_view without_modifiers(std::string_view sequence) noexcept {
  return sequence.starts_with("1;") ? sequence.substr(sequence.size() - 1) : sequence;
}

/// Length of the sequence behind ESC [ or ESC O: up to its final byte.
[[nodiscard]] std::size_t sequence_bytes(std::string_view rest) noexcept {
  const auto* const end =
      std::find_if(rest.begin(), rest.end(), [](char c) { return c >= '@' && c <= '~'; });
  return static_cast<std::size_t>(end - rest.begin()) + (end == rest.end() ? 0 : 1);
}

[[nodiscard]] std::optional<Key> single(char c) noexcept {
  switch (c) {
    case '\r':
    case '\n':
      return Key{.kind = Kind::kEnter};
    case '\x7f':
    case '\b':
      return Key{.kind = Kind::kBackspace};
    case '\x0c':
      return Key{.kind = Kind::kRedraw};
    default:
      return c >= ' ' && c <= '~' ? std::optional(Key{.character = c}) : std::nullopt;
  }
}

}  // namespace

std::vector<Key> parse_keys(std::string_view bytes) {
  std::vector<Key> keys;
  while (!bytes.empty()) {
    const char c = bytes.front();
    bytes.remove_prefix(1);
    if (c != '\x1b') {
      if (const std::optional<Key> key = single(c)) {
        keys.push_back(*key);
      }
      continue;
    }
    if (bytes.empty() || (bytes.front() != '[' && bytes.front() != 'O')) {
      keys.push_back({.kind = Kind::kEscape});
      continue;
    }
    bytes.remove_prefix(1);
    const std::size_t length = sequence_bytes(bytes);
    const std::string_view sequence = without_modifiers(bytes.substr(0, length));
    bytes.remove_prefix(length);
    const auto* const known =
        std::find_if(kSequences.begin(), kSequences.end(),
                     [sequence](const auto& one) { return one.first == sequence; });
    if (known != kSequences.end()) {
      keys.push_back({.kind = known->second});
    }
  }
  return keys;
}

}  // namespace tensorpool::inline v0::apps
