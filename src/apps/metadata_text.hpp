// Metadata for people and for programs. Pure.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

#include "tensorpool/types/metadata.hpp"

namespace tensorpool::inline v0::apps {

/// `exposure=250 us` is a number with its unit, `gain=2` one without, `camera=left` a text.
[[nodiscard]] Result<Attribute> parse_attribute(std::string_view text);

/// `250 us`, `left`, `image/png, 12.3 KiB`: the value; unprintable bytes are escaped (W94).
[[nodiscard]] std::string value_text(const Attribute& attribute);
/// A number, a text, or an object with format and size.
[[nodiscard]] nlohmann::ordered_json value_json(const Attribute& attribute);

}  // namespace tensorpool::inline v0::apps
