#include "tensorpool/types/metadata.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <system_error>
#include <utility>

namespace tensorpool::inline v0 {
namespace {

constexpr std::string_view kText = "text/plain";
constexpr std::string_view kJson = "application/json";
constexpr std::string_view kBlanks = " \t\r\n";

[[nodiscard]] std::vector<std::byte> bytes_of(std::string_view text) {
  std::vector<std::byte> bytes(text.size());
  std::transform(text.begin(), text.end(), bytes.begin(),
                 [](char c) { return static_cast<std::byte>(c); });
  return bytes;
}

[[nodiscard]] std::string_view text_of(const std::vector<std::byte>& bytes) noexcept {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

[[nodiscard]] std::string_view trimmed(std::string_view text) noexcept {
  const std::size_t first = text.find_first_not_of(kBlanks);
  if (first == std::string_view::npos) {
    return {};
  }
  return text.substr(first, text.find_last_not_of(kBlanks) - first + 1);
}

[[nodiscard]] constexpr char small(char c) noexcept {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

[[nodiscard]] bool same_word(std::string_view a, std::string_view b) noexcept {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](char x, char y) { return small(x) == small(y); });
}

[[nodiscard]] std::string_view type_of(std::string_view format) noexcept {
  return trimmed(format.substr(0, format.find(';')));
}

/// Takes one parameter off the front of `rest`, which begins with ';'. A quoted value may contain
/// one.
[[nodiscard]] std::pair<std::string_view, std::string_view> next_parameter(
    std::string_view& rest) noexcept {
  rest.remove_prefix(1);
  bool quoted = false;
  const auto end = std::find_if(rest.begin(), rest.end(), [&quoted](char c) {
    quoted = quoted != (c == '"');
    return c == ';' && !quoted;
  });
  const std::string_view one = rest.substr(0, static_cast<std::size_t>(end - rest.begin()));
  rest.remove_prefix(one.size());
  const std::size_t equals = one.find('=');
  if (equals == std::string_view::npos) {
    return {trimmed(one), {}};
  }
  std::string_view value = trimmed(one.substr(equals + 1));
  if (value.size() >= 2 && value.front() == '"' && value.back() == '"') {
    value = value.substr(1, value.size() - 2);
  }
  return {trimmed(one.substr(0, equals)), value};
}

/// RFC 2045: what is no token has to be quoted.
[[nodiscard]] bool is_token(std::string_view text) noexcept {
  constexpr std::string_view kSpecials = "()<>@,;:\\\"/[]?=";
  return std::all_of(text.begin(), text.end(), [kSpecials](char c) {
    return c > 0x20 && c < 0x7F && kSpecials.find(c) == std::string_view::npos;
  });
}

[[nodiscard]] std::string format_with(std::string_view unit) {
  std::string text(kText);
  if (!unit.empty()) {
    const std::string_view quote = is_token(unit) ? "" : "\"";
    text.append(";unit=").append(quote).append(unit).append(quote);
  }
  return text;
}

template <class T>
[[nodiscard]] Attribute decimal(std::string key, T number, std::string_view unit) {
  std::array<char, 32> digits;  // the shortest form that reads back as the same number
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr;
  return {.key = std::move(key),
          .format = format_with(unit),
          .value = bytes_of({digits.data(), static_cast<std::size_t>(end - digits.data())})};
}

template <class T>
[[nodiscard]] std::optional<T> parsed(const Attribute& attribute) noexcept {
  const std::string_view type = type_of(attribute.format);
  if (!attribute.as_text() && !same_word(type, kJson)) {
    return std::nullopt;
  }
  const std::string_view text = trimmed(text_of(attribute.value));
  T number{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size()) {
    return std::nullopt;
  }
  return number;
}

struct ExtendedRow {
  ExtendedDtype dtype;
  std::string_view name;
  std::size_t bytes;
  Dtype carrier;
};

constexpr std::array kExtended = {
    ExtendedRow{ExtendedDtype::kFloat16, "float16", 2, Dtype::kUint16},
    ExtendedRow{ExtendedDtype::kBfloat16, "bfloat16", 2, Dtype::kUint16},
    ExtendedRow{ExtendedDtype::kComplex64, "complex64", 8, Dtype::kBytes},
    ExtendedRow{ExtendedDtype::kComplex128, "complex128", 16, Dtype::kBytes}};

[[nodiscard]] const ExtendedRow& row_of(ExtendedDtype dtype) noexcept {
  return kExtended[static_cast<std::size_t>(dtype)];
}

}  // namespace

Attribute Attribute::text(std::string name, std::string_view content) {
  return {.key = std::move(name), .format = std::string(kText), .value = bytes_of(content)};
}

Attribute Attribute::json(std::string name, std::string_view content) {
  return {.key = std::move(name), .format = std::string(kJson), .value = bytes_of(content)};
}

Attribute Attribute::number(std::string name, double content, std::string_view unit) {
  return decimal(std::move(name), content, unit);
}

Attribute Attribute::integer(std::string name, std::int64_t content, std::string_view unit) {
  return decimal(std::move(name), content, unit);
}

Attribute Attribute::bytes(std::string name, std::string type, std::vector<std::byte> content) {
  return {.key = std::move(name), .format = std::move(type), .value = std::move(content)};
}

std::string Attribute::media_type() const {
  std::string type(type_of(format));
  std::transform(type.begin(), type.end(), type.begin(), small);
  return type;
}

std::optional<std::string_view> Attribute::as_text() const noexcept {
  const std::string_view type = type_of(format);
  if (!type.empty() && !same_word(type.substr(0, 5), "text/")) {
    return std::nullopt;
  }
  return text_of(value);
}

std::optional<double> Attribute::as_number() const noexcept {
  return parsed<double>(*this);
}

std::optional<std::int64_t> Attribute::as_integer() const noexcept {
  return parsed<std::int64_t>(*this);
}

std::string_view Attribute::unit() const noexcept {
  const std::size_t begin = format.find(';');
  std::string_view rest =
      begin == std::string::npos ? std::string_view() : std::string_view(format).substr(begin);
  while (!rest.empty()) {
    const auto [name, content] = next_parameter(rest);
    if (same_word(name, "unit")) {
      return content;
    }
  }
  return {};
}

const Attribute* MetadataSet::find(std::string_view key) const noexcept {
  const auto found = std::find_if(attributes.begin(), attributes.end(),
                                  [key](const Attribute& one) { return one.key == key; });
  return found == attributes.end() ? nullptr : &*found;
}

std::optional<std::string_view> MetadataSet::text(std::string_view key) const noexcept {
  const Attribute* const found = find(key);
  return found == nullptr ? std::nullopt : found->as_text();
}

std::optional<double> MetadataSet::number(std::string_view key) const noexcept {
  const Attribute* const found = find(key);
  return found == nullptr ? std::nullopt : found->as_number();
}

std::optional<std::int64_t> MetadataSet::integer(std::string_view key) const noexcept {
  const Attribute* const found = find(key);
  return found == nullptr ? std::nullopt : found->as_integer();
}

std::string_view to_string(ExtendedDtype dtype) noexcept {
  return row_of(dtype).name;
}

std::optional<ExtendedDtype> extended_dtype_from_string(std::string_view name) noexcept {
  for (const ExtendedRow& row : kExtended) {
    if (row.name == name) {
      return row.dtype;
    }
  }
  return std::nullopt;
}

std::size_t element_bytes(ExtendedDtype dtype) noexcept {
  return row_of(dtype).bytes;
}

Dtype carrier_of(ExtendedDtype dtype) noexcept {
  return row_of(dtype).carrier;
}

std::optional<ExtendedDtype> extended_dtype(const MetadataSet& set) noexcept {
  const std::optional<std::string_view> name = set.text(kDtypeAttribute);
  return name ? extended_dtype_from_string(*name) : std::nullopt;
}

}  // namespace tensorpool::inline v0
