#include "core/region/uri.hpp"

#include <algorithm>

#include "base/reason.hpp"
#include "layout/limits.hpp"

namespace tensorpool::inline v0::core::region {
namespace {

constexpr std::string_view kScheme = "shm:file?";
constexpr std::string_view kPath = "path";
constexpr std::string_view kRequireHugepages = "require_hugepages";

[[nodiscard, gnu::cold]] Error refuse(std::string_view reason, std::string_view piece) noexcept {
  return base::make_reason(Errc::kUriInvalid, reason, piece).of_field(Field::kRegionUri);
}

[[nodiscard]] bool path_byte(char byte) noexcept {
  return byte > 0x20 && byte < 0x7F && byte != '?';
}

struct Seen {
  bool path = false;
  bool require_hugepages = false;
};

[[nodiscard]] Status take_path(std::string_view path, RegionUri& parsed) noexcept {
  if (path.front() != '/') {
    return fail(refuse("path is not absolute", path));
  }
  if (const auto* bad = std::find_if_not(path.begin(), path.end(), path_byte); bad != path.end()) {
    Error error = refuse("byte not allowed in a path", path);
    error.value = static_cast<unsigned char>(*bad);
    error.limit = 0x7E;
    return fail(error);
  }
  parsed.path = path;
  return {};
}

[[nodiscard]] Status take_parameter(std::string_view parameter, RegionUri& parsed,
                                    Seen& seen) noexcept {
  const std::size_t equals = parameter.find('=');
  const std::string_view name = parameter.substr(0, equals);
  const std::string_view value =
      equals == std::string_view::npos ? std::string_view() : parameter.substr(equals + 1);
  bool* taken = name == kPath               ? &seen.path
                : name == kRequireHugepages ? &seen.require_hugepages
                                            : nullptr;
  if (parameter.empty()) {
    return fail(refuse("empty parameter", kScheme));
  }
  if (taken == nullptr) {
    return fail(refuse("unknown parameter", parameter));
  }
  if (*taken) {
    return fail(refuse("repeated parameter", parameter));
  }
  if (value.empty()) {
    return fail(refuse("parameter without value", parameter));
  }
  *taken = true;
  if (name == kPath) {
    return take_path(value, parsed);
  }
  if (value != "true" && value != "false") {
    return fail(refuse("neither true nor false", parameter));
  }
  parsed.require_hugepages = value == "true";
  return {};
}

}  // namespace

Result<RegionUri> parse_region_uri(std::string_view uri) noexcept {
  if (uri.size() > layout::kUriBytesMax) {
    Error error = refuse("too long", uri);
    error.value = uri.size();
    error.limit = layout::kUriBytesMax;
    return fail(error);
  }
  if (!uri.starts_with(kScheme)) {
    return fail(make_error(Errc::kUriUnsupportedScheme, uri).of_field(Field::kRegionUri));
  }
  RegionUri parsed;
  Seen seen;
  std::string_view rest = uri.substr(kScheme.size());
  for (bool more = true; more;) {
    const std::size_t bar = rest.find('|');
    if (Status taken = take_parameter(rest.substr(0, bar), parsed, seen); !taken) {
      return fail(taken.error());
    }
    more = bar != std::string_view::npos;
    rest.remove_prefix(more ? bar + 1 : rest.size());
  }
  if (!seen.path) {
    return fail(refuse("path is missing", uri));
  }
  return parsed;
}

std::string format_region_uri(const RegionUri& uri) {
  std::string text(kScheme);
  text.append(kPath).append("=").append(uri.path);
  if (uri.require_hugepages) {
    text.append("|").append(kRequireHugepages).append("=true");
  }
  return text;
}

}  // namespace tensorpool::inline v0::core::region
