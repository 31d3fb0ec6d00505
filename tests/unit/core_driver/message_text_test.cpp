#include "core/driver/message_text.hpp"

#include <gtest/gtest.h>

#include <string>

#include "support/requirement.hpp"

namespace tensorpool::core::driver {
namespace {

TEST(MessageText, unprintable_bytes_become_question_marks) {
  TP_REQ("D17");
  EXPECT_EQ(message_text(" plain ~text"), " plain ~text");
  EXPECT_EQ(message_text("a\nb\x7F"
                         "c\xC3\xA4"),
            "a?b?c??");
  EXPECT_EQ(message_text(std::string_view("\0", 1)), "?");
}

TEST(MessageText, is_cut_to_1024_bytes) {
  TP_REQ("D17", "D262");
  EXPECT_EQ(message_text(std::string(1024, 'x')).size(), 1024U);
  EXPECT_EQ(message_text(std::string(5000, 'x')).size(), 1024U);
}

}  // namespace
}  // namespace tensorpool::core::driver
