#include "config/value.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>
#include <utility>

#include "core/driver/settings_text.hpp"

namespace tensorpool::inline v0::config {
namespace {

using core::driver::IdRange;

template <class... Cases>
struct Overload : Cases... {
  using Cases::operator()...;
};
template <class... Cases>
Overload(Cases...) -> Overload<Cases...>;

[[nodiscard]] Refusal wrong_kind(const Node& found, std::string_view needed) {
  return std::string("is ").append(to_string(found.kind)).append(", not ").append(needed);
}

[[nodiscard]] std::string out_of_range(std::string_view number) {
  return std::string(number) + " is out of range";
}

// -------------------------------------------------------------------------------------- numbers

/// Digits only: no sign, no blank.
[[nodiscard]] Refusal parse_number(std::string_view text, std::uint64_t highest,
                                   std::uint64_t& number, int base = 10) {
  const char* end = text.data() + text.size();
  const auto [stopped, error] = std::from_chars(text.data(), end, number, base);
  if (text.empty() || stopped != end || error == std::errc::invalid_argument) {
    return core::driver::quoted(text) + (base == 8 ? " is no octal number" : " is no number");
  }
  return error != std::errc{} || number > highest ? Refusal(out_of_range(text)) : std::nullopt;
}

[[nodiscard]] Refusal read_number(const Node& value, std::uint64_t highest, std::uint64_t& number) {
  if (value.kind != Node::Kind::kInteger) {
    return wrong_kind(value, "an integer");
  }
  number = static_cast<std::uint64_t>(value.integer);
  return value.integer < 0 || number > highest
             ? Refusal(out_of_range(std::to_string(value.integer)))
             : std::nullopt;
}

[[nodiscard]] Refusal read_number(std::string_view value, std::uint64_t highest,
                                  std::uint64_t& number) {
  return parse_number(value, highest, number);
}

/// Reads a number that fits `T` and hands it on.
template <class T, class From, class Store>
[[nodiscard]] Refusal with_number(const From& value, const Store& store) {
  std::uint64_t number = 0;
  Refusal refusal =
      read_number(value, static_cast<std::uint64_t>(std::numeric_limits<T>::max()), number);
  if (!refusal) {
    store(static_cast<T>(number));
  }
  return refusal;
}

// --------------------------------------------------------------------------------------- ranges

[[nodiscard]] std::string_view without_blanks(std::string_view text) noexcept {
  constexpr std::string_view kBlanks = " \t";
  const std::size_t first = text.find_first_not_of(kBlanks);
  return first == std::string_view::npos
             ? std::string_view()
             : text.substr(first, text.find_last_not_of(kBlanks) - first + 1);
}

/// `a-b`, `a,b` or `a`. Whether the ids may be is for check_settings to say.
[[nodiscard]] Refusal parse_range(std::string_view text, IdRange& range) {
  const std::size_t between = text.find_first_of("-,");
  std::array<std::string_view, 2> ends = {text, text};
  if (between != std::string_view::npos) {
    ends = {text.substr(0, between), text.substr(between + 1)};
  }
  for (const auto& [end, id] :
       {std::pair(ends[0], &range.first), std::pair(ends[1], &range.last)}) {
    std::uint64_t number = 0;
    if (Refusal refusal =
            parse_number(without_blanks(end), std::numeric_limits<std::uint32_t>::max(), number)) {
      return refusal;
    }
    *id = static_cast<std::uint32_t>(number);
  }
  return std::nullopt;
}

[[nodiscard]] Refusal read_range_text(std::string_view text, std::vector<IdRange>& ranges) {
  if (text.empty()) {
    ranges.clear();
    return std::nullopt;
  }
  IdRange range;
  Refusal refusal = parse_range(text, range);
  if (!refusal) {
    ranges = {range};
  }
  return refusal;
}

[[nodiscard]] Refusal read_id(const Node& value, std::uint32_t& id) {
  return with_number<std::uint32_t>(value, [&](std::uint32_t number) { id = number; });
}

[[nodiscard]] Refusal read_range_array(const std::vector<Node>& items,
                                       std::vector<IdRange>& ranges) {
  std::vector<IdRange> read;
  if (items.size() == 2 && items.front().kind == Node::Kind::kInteger) {
    IdRange& range = read.emplace_back();
    Refusal refusal = read_id(items.front(), range.first);
    if (!refusal) {
      refusal = read_id(items.back(), range.last);
    }
    if (refusal) {
      return refusal;
    }
  } else {
    for (const Node& item : items) {
      if (item.kind != Node::Kind::kString) {
        return "is an array of neither two integers nor strings";
      }
      if (Refusal refusal = parse_range(item.text, read.emplace_back())) {
        return refusal;
      }
    }
  }
  ranges = std::move(read);
  return std::nullopt;
}

[[nodiscard]] Refusal read_ranges(const Node& value, std::vector<IdRange>& ranges) {
  switch (value.kind) {
    case Node::Kind::kString:
      return read_range_text(value.text, ranges);
    case Node::Kind::kArray:
      return read_range_array(value.children, ranges);
    default:
      return wrong_kind(value, "a range");
  }
}

[[nodiscard]] Refusal read_ranges(std::string_view value, std::vector<IdRange>& ranges) {
  return read_range_text(value, ranges);
}

// ------------------------------------------------------------------------------------ the others

[[nodiscard]] Refusal read_text(const Node& value, std::string& text) {
  if (value.kind != Node::Kind::kString) {
    return wrong_kind(value, "a string");
  }
  text = value.text;
  return std::nullopt;
}

[[nodiscard]] Refusal read_text(std::string_view value, std::string& text) {
  text = value;
  return std::nullopt;
}

[[nodiscard]] Refusal read_flag(const Node& value, bool& flag) {
  if (value.kind != Node::Kind::kBoolean) {
    return wrong_kind(value, "a boolean");
  }
  flag = value.boolean;
  return std::nullopt;
}

[[nodiscard]] Refusal read_flag(std::string_view value, bool& flag) {
  std::string lower(value);
  std::ranges::transform(lower, lower.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  if (lower != "true" && lower != "false" && lower != "1" && lower != "0") {
    return core::driver::quoted(value) + " is no boolean";
  }
  flag = lower == "true" || lower == "1";
  return std::nullopt;
}

[[nodiscard]] Refusal read_list(const Node& value, std::vector<std::string>& list) {
  if (value.kind != Node::Kind::kArray) {
    return wrong_kind(value, "an array");
  }
  std::vector<std::string> read;
  for (const Node& item : value.children) {
    if (item.kind != Node::Kind::kString) {
      return std::string("contains ").append(to_string(item.kind)).append(", not only strings");
    }
    read.push_back(item.text);
  }
  list = std::move(read);
  return std::nullopt;
}

/// `a:b:c`.
[[nodiscard]] Refusal read_list(std::string_view value, std::vector<std::string>& list) {
  list.clear();
  for (bool more = !value.empty(); more;) {
    const std::size_t colon = value.find(':');
    list.emplace_back(value.substr(0, colon));
    more = colon != std::string_view::npos;
    value.remove_prefix(more ? colon + 1 : value.size());
  }
  return std::nullopt;
}

template <class From>
[[nodiscard]] Refusal read_mode(const From& value, std::uint32_t& mode) {
  std::string text;
  Refusal refusal = read_text(value, text);
  std::uint64_t number = 0;
  if (!refusal) {
    refusal = parse_number(text, std::numeric_limits<std::uint32_t>::max(), number, 8);
  }
  if (!refusal) {
    mode = static_cast<std::uint32_t>(number);
  }
  return refusal;
}

template <class From>
[[nodiscard]] Refusal assign_from(const Slot& slot, const From& value) {
  return std::visit(
      Overload{
          [&](std::string* text) { return read_text(value, *text); },
          [&](bool* flag) { return read_flag(value, *flag); },
          [&](std::uint16_t* at) {
            return with_number<std::uint16_t>(value, [&](std::uint16_t number) { *at = number; });
          },
          [&](std::uint32_t* at) {
            return with_number<std::uint32_t>(value, [&](std::uint32_t number) { *at = number; });
          },
          [&](std::optional<std::uint32_t>* at) {
            return with_number<std::uint32_t>(value, [&](std::uint32_t number) { *at = number; });
          },
          [&](Milliseconds ms) {
            return with_number<std::uint32_t>(
                value, [&](std::uint32_t number) { *ms.at = std::chrono::milliseconds(number); });
          },
          [&](Nanoseconds ns) {
            return with_number<Nanos::rep>(value,
                                           [&](Nanos::rep number) { *ns.at = Nanos(number); });
          },
          [&](OctalMode mode) { return read_mode(value, *mode.at); },
          [&](OptionalMode mode) {
            std::uint32_t read = 0;
            Refusal refusal = read_mode(value, read);
            *mode.at = refusal ? std::nullopt : std::optional(read);
            return refusal;
          },
          [&](Fixed fixed) {
            std::uint32_t given = fixed.only;
            Refusal refusal =
                with_number<std::uint32_t>(value, [&](std::uint32_t number) { given = number; });
            return refusal || given == fixed.only ? refusal
                                                  : Refusal(out_of_range(std::to_string(given)));
          },
          [&](std::vector<IdRange>* ranges) { return read_ranges(value, *ranges); },
          [&](std::vector<std::string>* list) { return read_list(value, *list); },
          [&](OptionalList list) {
            Refusal refusal = read_list(value, *list.at);
            return refusal || !list.at->empty() ? refusal : Refusal("is empty");
          },
      },
      slot);
}

/// `["a", "b"]`.
template <class Items, class Text>
[[nodiscard]] std::string array_text(const Items& items, const Text& text_of) {
  std::string text;
  for (const auto& item : items) {
    text += (text.empty() ? "" : ", ") + core::driver::quoted(text_of(item));
  }
  return "[" + text + "]";
}

}  // namespace

Refusal assign(const Slot& slot, const Node& value) {
  return assign_from(slot, value);
}

Refusal assign(const Slot& slot, std::string_view variable) {
  return assign_from(slot, variable);
}

Value value_of(const Slot& slot) {
  return std::visit(
      Overload{
          [](const std::string* text) -> Value { return *text; },
          [](const bool* flag) -> Value { return *flag; },
          [](const std::uint16_t* at) -> Value { return std::uint64_t{*at}; },
          [](const std::uint32_t* at) -> Value { return std::uint64_t{*at}; },
          [](const std::optional<std::uint32_t>* at) -> Value {
            return *at ? Value(std::uint64_t{**at}) : Value();
          },
          [](Milliseconds ms) -> Value {
            return static_cast<std::uint64_t>(
                std::chrono::floor<std::chrono::milliseconds>(*ms.at).count());
          },
          [](Nanoseconds ns) -> Value { return static_cast<std::uint64_t>(ns.at->count()); },
          [](OctalMode mode) -> Value { return core::driver::octal(*mode.at); },
          [](OptionalMode mode) -> Value {
            return *mode.at ? Value(core::driver::octal(**mode.at)) : Value();
          },
          [](Fixed fixed) -> Value { return std::uint64_t{fixed.only}; },
          [](const std::vector<IdRange>* ranges) -> Value { return *ranges; },
          [](const std::vector<std::string>* list) -> Value { return *list; },
          [](OptionalList list) -> Value { return list.at->empty() ? Value() : *list.at; },
      },
      slot);
}

std::string toml_text(const Value& value) {
  return std::visit(Overload{
                        [](std::monostate) { return std::string(); },
                        [](bool flag) { return std::string(flag ? "true" : "false"); },
                        [](std::uint64_t number) { return std::to_string(number); },
                        [](const std::string& text) { return core::driver::quoted(text); },
                        [](const std::vector<IdRange>& ranges) {
                          return ranges.empty() ? std::string("\"\"")
                                 : ranges.size() == 1
                                     ? core::driver::quoted(core::driver::text_of(ranges[0]))
                                     : array_text(ranges, core::driver::text_of);
                        },
                        [](const std::vector<std::string>& list) {
                          return array_text(list, [](const std::string& item) { return item; });
                        },
                    },
                    value);
}

}  // namespace tensorpool::inline v0::config
