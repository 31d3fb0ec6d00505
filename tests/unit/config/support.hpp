// Configuration texts, and how they are loaded here.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "config/effective.hpp"
#include "config/load.hpp"

namespace tensorpool::config::test {

/// The tables that no configuration is without.
inline constexpr std::string_view kTables = R"(
[profiles.small]
header_nslots = 64
payload_pools = [ { pool_id = 1, stride_bytes = 1048576 } ]

[streams.first]
stream_id = 10000
profile = "small"
)";

[[nodiscard]] inline auto load_text(std::string text, Environment environment = {}) {
  const File file{.name = "driver.toml", .text = std::move(text)};
  return load({.file = &file, .environment = std::move(environment), .user = "alice"});
}

/// `[table]` with one key, and what no configuration is without.
[[nodiscard]] inline std::string with_key(std::string_view key, std::string_view value) {
  const std::size_t dot = key.rfind('.');
  std::string text("[");
  text.append(key.substr(0, dot)).append("]\n").append(key.substr(dot + 1)).append(" = ");
  return text.append(value).append("\n").append(kTables);
}

[[nodiscard]] inline std::vector<std::string> texts_of(const std::vector<Problem>& problems) {
  std::vector<std::string> texts;
  for (const Problem& problem : problems) {
    texts.push_back(to_text(problem));
  }
  return texts;
}

/// Of a configuration that is refused; empty when it is not.
[[nodiscard]] inline std::vector<std::string> errors_of(std::string text,
                                                        Environment environment = {}) {
  const auto loaded = load_text(std::move(text), std::move(environment));
  return loaded ? std::vector<std::string>() : texts_of(loaded.error().errors);
}

/// The keys that are to blame, each once.
[[nodiscard]] inline std::vector<std::string> keys_of(const std::vector<Problem>& problems) {
  std::vector<std::string> keys;
  for (const Problem& problem : problems) {
    keys.push_back(problem.key);
  }
  std::ranges::sort(keys);
  keys.erase(std::unique(keys.begin(), keys.end()), keys.end());
  return keys;
}

[[nodiscard]] inline EffectiveValue effective(const Loaded& loaded, std::string_view key) {
  for (EffectiveValue& value : effective_values(loaded)) {
    if (value.full_key == key) {
      return std::move(value);
    }
  }
  return {};
}

[[nodiscard]] inline std::string effective_text(const Loaded& loaded) {
  std::string text;
  for (const auto& [line, comment] : effective_toml(loaded)) {
    text.append(line).append(comment.empty() ? "" : "  # ").append(comment).append("\n");
  }
  return text;
}

}  // namespace tensorpool::config::test
