// Any text as a region URI: refused by one of two names, or accepted with a path that keeps every
// rule of §1.6 and whose canonical form means the same.
#include <algorithm>
#include <string>
#include <string_view>

#include "core/region/uri.hpp"
#include "harness/fuzz.hpp"

namespace {

using namespace tensorpool;

/// A line of the golden file stands for the URI in it.
[[nodiscard]] std::string_view uri_of(std::string_view text) {
  constexpr std::string_view kKey = R"({"uri": ")";
  if (text.starts_with(kKey)) {
    text.remove_prefix(kKey.size());
    text = text.substr(0, text.find('"'));
  }
  return text;
}

}  // namespace

int fuzz_region_uri(std::span<const std::byte> input) {
  const std::string_view uri = uri_of({reinterpret_cast<const char*>(input.data()), input.size()});
  const auto parsed = core::region::parse_region_uri(uri);
  if (!parsed) {
    TP_FUZZ_CHECK(parsed.error().code == Errc::kUriInvalid ||
                  parsed.error().code == Errc::kUriUnsupportedScheme);
    TP_FUZZ_CHECK(!describe(parsed.error()).empty());
    return 0;
  }
  TP_FUZZ_CHECK(uri.size() <= 4096);
  TP_FUZZ_CHECK(parsed->path.front() == '/');
  TP_FUZZ_CHECK(std::all_of(parsed->path.begin(), parsed->path.end(), [](char byte) {
    return byte >= 0x21 && byte <= 0x7E && byte != '?' && byte != '|';
  }));
  const std::string canonical = core::region::format_region_uri(*parsed);
  const auto again = core::region::parse_region_uri(canonical);
  TP_FUZZ_CHECK(again.has_value());
  TP_FUZZ_CHECK(again->path == parsed->path);
  TP_FUZZ_CHECK(again->require_hugepages == parsed->require_hugepages);
  return 0;
}
