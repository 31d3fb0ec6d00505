#include "apps/table.hpp"

#include <gtest/gtest.h>

#include "support/requirement.hpp"

namespace tensorpool::apps {
namespace {

TEST(Table, has_columns_as_wide_as_their_longest_cell) {
  Table sut({{"NAME"}, {"COUNT", Table::Align::kRight}, {"NOTE"}});
  EXPECT_EQ(sut.text(), "NAME  COUNT  NOTE");
  sut.add({"a", "1", ""});
  sut.add({"longer", "1,000,000", "x"});
  EXPECT_EQ(sut.text(),
            "NAME        COUNT  NOTE\n"
            "a               1\n"
            "longer  1,000,000  x");
}

TEST(Table, shows_what_others_have_written_so_that_it_harms_no_terminal) {
  TP_REQ("W94");
  Table sut({{"NAME"}, {"COUNT"}});
  sut.add({"a\x1b[31m\nb", "1"});
  EXPECT_EQ(sut.text(),
            "NAME            COUNT\n"
            "a\\x1b[31m\\x0ab  1");
}

}  // namespace
}  // namespace tensorpool::apps
