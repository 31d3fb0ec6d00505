#include "tensorpool/types/error.hpp"

#include <gtest/gtest.h>

#include <cerrno>
#include <set>
#include <string>

#include "support/requirement.hpp"

namespace tensorpool {
namespace {

TEST(Error, every_code_has_a_name_a_sentence_and_a_fix) {
  std::set<std::string_view> names;
  for (auto code = static_cast<int>(Errc::kUriUnsupportedScheme);
       code <= static_cast<int>(Errc::kShapeChanged); ++code) {
    const auto errc = static_cast<Errc>(code);
    EXPECT_NE(to_string(errc), "unknown_error") << code;
    EXPECT_TRUE(names.insert(to_string(errc)).second) << to_string(errc) << " stands twice";
    EXPECT_GE(how_to_fix(errc).size(), 10U) << to_string(errc);
    EXPECT_NE(describe(make_error(errc, "x")).find("Fix: "), std::string::npos);
  }
}

TEST(Error, description_names_value_limit_place_and_system_error) {
  Error error = make_os_error(Errc::kRegionTooSmall, "/dev/shm/x", ENOSPC);
  error.value = 63;
  error.limit = 64;
  error.in_stream(10000).in_epoch(7).in_region(error_region_pool(1)).of_field(Field::kStrideBytes);
  const std::string text = describe(error);
  for (const char* part : {"region_too_small", "/dev/shm/x", "63", "64", "10000", "epoch 7",
                           "pool 1", "strideBytes", "No space left"}) {
    EXPECT_NE(text.find(part), std::string::npos) << part << " is missing in: " << text;
  }
}

TEST(Error, long_subjects_end_in_an_ellipsis) {
  const Error error = make_error(Errc::kPathRejected, std::string(500, 'a'));
  EXPECT_EQ(error.subject_view().size(), sizeof(error.subject) - 1);
  EXPECT_EQ(error.subject_view().substr(error.subject_view().size() - 3), "...");
}

TEST(Error, a_zero_byte_does_not_hide_the_rest_of_a_subject) {
  const std::string_view text("\0x", 2);
  EXPECT_EQ(make_error(Errc::kInvalidArgument, text).subject_view(), "?x");
}

TEST(Error, unprintable_bytes_of_a_subject_are_escaped) {
  TP_REQ("W94");
  EXPECT_NE(describe(make_error(Errc::kUriInvalid, "a\x1b[31m")).find("a\\x1b[31m"),
            std::string::npos);
}

}  // namespace
}  // namespace tensorpool
