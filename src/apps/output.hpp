// Standard output: data, a line at a time, for other programs.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

namespace tensorpool::inline v0::apps {

/// Writes `line` and a newline, whole and at once. False when the reader has gone: end quietly.
[[nodiscard]] bool put_line(std::string line) noexcept;

/// `json` on one line. Text that is not UTF-8 is replaced, never refused.
[[nodiscard]] bool put_json(const nlohmann::ordered_json& json);

}  // namespace tensorpool::inline v0::apps
