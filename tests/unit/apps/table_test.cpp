#include "apps/table.hpp"

#include <gtest/gtest.h>

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

}  // namespace
}  // namespace tensorpool::apps
