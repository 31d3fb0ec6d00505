#include "apps/metadata_text.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "apps/json_text.hpp"
#include "apps/text.hpp"
#include "base/printable.hpp"

namespace tensorpool::inline v0::apps {
using base::printable;

Result<Attribute> parse_attribute(std::string_view text) {
  const std::size_t equals = text.find('=');
  if (equals == 0 || equals == std::string_view::npos) {
    return fail(Errc::kInvalidArgument, text);
  }
  const std::string key(text.substr(0, equals));
  Attribute made = Attribute::text(key, text.substr(equals + 1));
  const std::string_view content = *made.as_text();
  const std::size_t blank = content.find(' ');
  const std::string_view unit =
      blank == std::string_view::npos ? std::string_view() : content.substr(blank + 1);
  if (unit.find_first_of(" \"") != std::string_view::npos) {
    return made;
  }
  const Attribute digits = Attribute::text(key, content.substr(0, blank));
  if (const auto integer = digits.as_integer()) {
    return Attribute::integer(key, *integer, unit);
  }
  if (const auto number = digits.as_number()) {
    return Attribute::number(key, *number, unit);
  }
  return made;
}

std::string value_text(const Attribute& attribute) {
  const std::optional<std::string_view> text = attribute.as_text();
  const std::string_view unit = attribute.unit();
  if (!text && attribute.media_type() != "application/json") {
    return fmt::format("{}, {}", printable(attribute.format), bytes_text(attribute.value.size()));
  }
  const std::string_view content(reinterpret_cast<const char*>(attribute.value.data()),
                                 attribute.value.size());
  return unit.empty() ? printable(content)
                      : fmt::format("{} {}", printable(content), printable(unit));
}

nlohmann::ordered_json value_json(const Attribute& attribute) {
  nlohmann::ordered_json json;
  if (const auto integer = attribute.as_integer()) {
    json["value"] = *integer;
  } else if (const auto number = attribute.as_number()) {
    json["value"] = *number;
  } else if (const auto text = attribute.as_text()) {
    json["value"] = *text;
  } else if (attribute.media_type() == "application/json") {
    const std::string_view content(reinterpret_cast<const char*>(attribute.value.data()),
                                   attribute.value.size());
    json["value"] = parse_json(content);
    if (json["value"].is_discarded()) {
      json["value"] = content;
    }
  } else {
    json["value_bytes"] = attribute.value.size();
  }
  if (!attribute.unit().empty()) {
    json["unit"] = attribute.unit();
  }
  json["format"] = attribute.format;
  return json;
}

}  // namespace tensorpool::inline v0::apps
