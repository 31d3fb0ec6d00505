#include "config/document.hpp"

#define TOML_EXCEPTIONS 0
#define TOML_ENABLE_FORMATTERS 0
#define TOML_HEADER_ONLY 1
#include <toml++/toml.h>

#include <algorithm>
#include <cstddef>
#include <optional>
#include <utility>

namespace tensorpool::inline v0::config {
namespace {

/// Behind the string that begins at `at`. A string that nothing ends is for toml++ to refuse.
[[nodiscard]] std::size_t skip_string(std::string_view text, std::size_t at) noexcept {
  const char quote = text[at];
  const std::string_view three = text.substr(at, 3);
  const bool many_lines = three.size() == 3 && three[1] == quote && three[2] == quote;
  const std::string_view end = many_lines ? three : three.substr(0, 1);
  for (at += end.size(); at < text.size(); ++at) {
    if (text[at] == '\\' && quote == '"') {
      ++at;
    } else if (text[at] == '\n' && !many_lines) {
      return at;
    } else if (text.substr(at).starts_with(end)) {
      // The last of up to five quotes ends a string of many lines.
      for (int more = 0; many_lines && more < 2 && text.substr(at + 1).starts_with(end); ++more) {
        ++at;
      }
      return at + end.size();
    }
  }
  return text.size();
}

/// Where a key has too many parts. toml++ makes a table of each part and destroys them
/// recursively: a key of some hundred KB would exhaust the stack.
[[nodiscard]] std::optional<std::size_t> find_deep_key(std::string_view text) noexcept {
  constexpr std::size_t kKeyPartsMax = 16;
  std::size_t parts = 1;
  for (std::size_t at = 0; at < text.size();) {
    const char c = text[at];
    if (c == '"' || c == '\'') {
      at = skip_string(text, at);
      continue;
    }
    if (c == '#') {
      at = std::min(text.find('\n', at), text.size());
      continue;
    }
    if (c == '.' && ++parts > kKeyPartsMax) {
      return at;
    }
    if (std::string_view("\n=,[]{}").find(c) != std::string_view::npos) {
      parts = 1;
    }
    ++at;
  }
  return std::nullopt;
}

[[nodiscard]] Place place_of(std::string_view text, std::size_t at) noexcept {
  const std::string_view before = text.substr(0, at);
  const std::size_t newline = before.rfind('\n');
  const std::size_t column = newline == std::string_view::npos ? at + 1 : at - newline;
  return {.line = static_cast<std::uint32_t>(1 + std::ranges::count(before, '\n')),
          .column = static_cast<std::uint32_t>(column)};
}

[[nodiscard]] Place begin_of(const toml::source_region& region) noexcept {
  return {.line = region.begin.line, .column = region.begin.column};
}

[[nodiscard]] Node::Kind kind_of(const toml::node& node) noexcept {
  switch (node.type()) {
    case toml::node_type::string:
      return Node::Kind::kString;
    case toml::node_type::integer:
      return Node::Kind::kInteger;
    case toml::node_type::floating_point:
      return Node::Kind::kFloat;
    case toml::node_type::boolean:
      return Node::Kind::kBoolean;
    case toml::node_type::array:
      return Node::Kind::kArray;
    case toml::node_type::table:
      return Node::Kind::kTable;
    case toml::node_type::none:
    case toml::node_type::date:
    case toml::node_type::time:
    case toml::node_type::date_time:
      break;
  }
  return Node::Kind::kTime;
}

[[nodiscard]] Node tree_of(const toml::node& from) {
  Node node;
  node.kind = kind_of(from);
  node.place = begin_of(from.source());
  if (const auto* text = from.as_string()) {
    node.text = text->get();
  } else if (const auto* integer = from.as_integer()) {
    node.integer = integer->get();
  } else if (const auto* boolean = from.as_boolean()) {
    node.boolean = boolean->get();
  } else if (const auto* array = from.as_array()) {
    for (const toml::node& item : *array) {
      node.children.push_back(tree_of(item));
    }
  } else if (const auto* table = from.as_table()) {
    std::vector<std::pair<Place, Node>> members;
    for (const auto& [key, value] : *table) {
      Node member = tree_of(value);
      member.name = key.str();
      const Place place = begin_of(key.source());
      if (member.kind == Node::Kind::kTable) {
        member.place = place;
      }
      members.emplace_back(place, std::move(member));
    }
    // toml++ keeps a table by name.
    std::ranges::stable_sort(members, {}, &std::pair<Place, Node>::first);
    for (auto& [place, member] : members) {
      node.children.push_back(std::move(member));
    }
  }
  return node;
}

}  // namespace

std::string_view to_string(Node::Kind kind) noexcept {
  switch (kind) {
    case Node::Kind::kString:
      return "a string";
    case Node::Kind::kInteger:
      return "an integer";
    case Node::Kind::kFloat:
      return "a number with a fraction";
    case Node::Kind::kBoolean:
      return "a boolean";
    case Node::Kind::kTime:
      return "a date or time";
    case Node::Kind::kArray:
      return "an array";
    case Node::Kind::kTable:
      return "a table";
  }
  return "nothing";
}

tl::expected<Node, SyntaxError> parse_document(std::string_view text) {
  if (const auto deep = find_deep_key(text)) {
    return tl::unexpected<SyntaxError>(
        {.place = place_of(text, *deep), .message = "a key of more than 16 parts"});
  }
  const toml::parse_result parsed = toml::parse(text);
  if (!parsed) {
    const toml::parse_error& error = parsed.error();
    return tl::unexpected<SyntaxError>(
        {.place = begin_of(error.source()), .message = std::string(error.description())});
  }
  return tree_of(parsed.table());
}

}  // namespace tensorpool::inline v0::config
