#include "core/region/uri.hpp"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <algorithm>
#include <string>
#include <vector>

#include "support/golden.hpp"
#include "support/requirement.hpp"

namespace tensorpool::core::region {
namespace {

TEST(RegionUri, agrees_with_every_golden_line) {
  TP_REQ("W100", "W101", "W102", "W103", "W104", "W105", "W106", "W107", "W108", "W110", "W111");
  for (const auto& line : test::golden_lines("uri.jsonl")) {
    const auto uri = line.at("uri").get<std::string>();
    const auto parsed = parse_region_uri(uri);
    ASSERT_EQ(parsed.has_value(), line.at("valid").get<bool>()) << uri;
    if (parsed) {
      EXPECT_EQ(parsed->path, line.at("path").get<std::string>());
      EXPECT_EQ(parsed->require_hugepages, line.at("require_hugepages").get<bool>());
      EXPECT_EQ(format_region_uri(*parsed), line.at("canonical").get<std::string>());
      continue;
    }
    const auto& names = line.at("error");
    const std::string name(to_string(parsed.error().code));
    EXPECT_TRUE(names.is_array() ? std::count(names.begin(), names.end(), name) == 1
                                 : names.get<std::string>() == name)
        << uri << " gave " << describe(parsed.error());
  }
}

struct Refused {
  const char* requirement;
  std::string uri;
  Errc code = Errc::kUriInvalid;
};

TEST(RegionUri, refuses_what_the_grammar_does_not_name) {
  TP_REQ("W100", "W101", "W102", "W103", "W104", "W105", "W106", "W107", "W108");
  using namespace std::string_literals;
  const Refused table[] = {
      {"W100", "shm:file?require=true|path=/a"},
      {"W100", "shm:file?Path=/a"},
      {"W100", "shm:file?pathx=/a"},
      {"W101", "", Errc::kUriUnsupportedScheme},
      {"W101", "shm:file", Errc::kUriUnsupportedScheme},
      {"W101", " shm:file?path=/a", Errc::kUriUnsupportedScheme},
      {"W103", "shm:file?path=/a|require_hugepages=true|require_hugepages=true"},
      {"W104", "shm:file?|path=/a"},
      {"W104", "shm:file?|"},
      {"W105", "shm:file?path=/a|require_hugepages"},
      {"W105", "shm:file?path=/a|require_hugepages="},
      {"W105", "shm:file?=/a"},
      {"W107", "shm:file?path=C:/a"},
      {"W107", "shm:file?path=./a"},
      {"W108", "shm:file?path=/a\0b"s},
      {"W108", "shm:file?path=/a?b"},
      {"W108", "shm:file?path=/a\tb"},
      {"W108", "shm:file?path=/a\x7f"},
      {"W108", "shm:file?path=/\xc3\xa4"},
  };
  for (const Refused& row : table) {
    const auto parsed = parse_region_uri(row.uri);
    ASSERT_FALSE(parsed.has_value()) << row.requirement << " " << row.uri;
    EXPECT_EQ(parsed.error().code, row.code) << row.requirement << " " << row.uri;
    EXPECT_EQ(parsed.error().field, Field::kRegionUri);
  }
}

TEST(RegionUri, is_at_most_4096_bytes_long) {
  TP_REQ("W109", "W92");
  const std::string longest = "shm:file?path=/" + std::string(4096 - 15, 'a');
  ASSERT_EQ(longest.size(), 4096U);
  EXPECT_TRUE(parse_region_uri(longest).has_value());
  const auto longer = parse_region_uri(longest + "a");
  ASSERT_FALSE(longer.has_value());
  EXPECT_EQ(longer.error().code, Errc::kUriInvalid);
  EXPECT_EQ(longer.error().value, 4097U);
  EXPECT_EQ(longer.error().limit, 4096U);
}

TEST(RegionUri, survives_any_bytes_and_what_it_accepts_is_stable) {
  TP_REQ("W443");
  const std::vector<std::string> pieces = {"shm:file?",  "path=", "require_hugepages=",
                                           "true",       "false", "|",
                                           "/dev/shm/a", "?",     "=",
                                           "\0",         "\xff",  ".."};
  EXPECT_TRUE(rc::check([&] {
    std::string uri = *rc::gen::element<std::string>("shm:file?", "shm:file?path=/a|", "");
    for (const auto& piece : *rc::gen::container<std::vector<std::string>>(
             rc::gen::oneOf(rc::gen::elementOf(pieces), rc::gen::string<std::string>()))) {
      uri += piece;
    }
    const auto parsed = parse_region_uri(uri);
    if (!parsed) {
      return;
    }
    const std::string canonical = format_region_uri(*parsed);
    const auto again = parse_region_uri(canonical);
    RC_ASSERT(again.has_value());
    RC_ASSERT(again->path == parsed->path);
    RC_ASSERT(again->require_hugepages == parsed->require_hugepages);
    RC_ASSERT(format_region_uri(*again) == canonical);
  }));
}

}  // namespace
}  // namespace tensorpool::core::region
