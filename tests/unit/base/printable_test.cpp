// Text of others on a terminal or in a log.
#include "base/printable.hpp"

#include <gtest/gtest.h>

#include "support/requirement.hpp"

namespace tensorpool::inline v0::base {
namespace {

TEST(Printable, ascii_is_escaped_but_for_what_shows) {
  TP_REQ("W94");
  EXPECT_EQ(printable_ascii("left eye ~"), "left eye ~");
  EXPECT_EQ(printable_ascii("a\x1b[31m\n\x7f"), "a\\x1b[31m\\x0a\\x7f");
  EXPECT_EQ(printable_ascii("\xc3\xa9"), "\\xc3\\xa9");
  EXPECT_EQ(printable_ascii(std::string_view("a\0b", 3)), "a\\x00b");
}

TEST(Printable, well_formed_utf_8_stays) {
  EXPECT_EQ(printable("cam\xc3\xa9ra \xe2\x80\xa6 \xf0\x9f\x93\xb7"),
            "cam\xc3\xa9ra \xe2\x80\xa6 \xf0\x9f\x93\xb7");
  EXPECT_EQ(printable("a\x1b]0;P\x07"), "a\\x1b]0;P\\x07");
}

TEST(Printable, what_only_looks_like_utf_8_is_escaped_byte_by_byte) {
  TP_REQ("W94");
  const struct {
    std::string_view text;
    std::string_view shown;
    const char* what;
  } table[] = {
      {"\xc2\x9b"
       "31m",
       "\\xc2\\x9b31m", "a control character of 8 bits"},
      {"\x9b"
       "31m",
       "\\x9b31m", "the same, as one byte"},
      {"\xc0\xaf", "\\xc0\\xaf", "longer than needed"},
      {"\xe0\x80\xaf", "\\xe0\\x80\\xaf", "longer than needed"},
      {"\xed\xa0\x80", "\\xed\\xa0\\x80", "half of a pair"},
      {"\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80", "beyond the last"},
      {"\xe2\x80\xae"
       "abc",
       "\\xe2\\x80\\xae"
       "abc",
       "turns the direction"},
      {"\xe2\x80\xa8", "\\xe2\\x80\\xa8", "ends a line"},
      {"\xe2\x80", "\\xe2\\x80", "cut"},
      {"\xc3(", "\\xc3(", "not gone on with"},
  };
  for (const auto& one : table) {
    EXPECT_EQ(printable(one.text), one.shown) << one.what;
  }
}

}  // namespace
}  // namespace tensorpool::inline v0::base
