// What a person is told of Aeron's chains of messages.
#include "bus/aeron_error.hpp"

#include <gtest/gtest.h>

namespace tensorpool::bus {
namespace {

TEST(AeronError, names_the_innermost_cause) {
  struct Case {
    std::string_view message;
    std::string_view cause;
  };
  for (const Case& example : {
           Case{"", ""},
           Case{"no error", "no error"},
           Case{"(22) Invalid argument", "(22) Invalid argument"},
           Case{"(22) Invalid argument\n[f, file.c:1] length=9 > max=8\n", "length=9 > max=8"},
           Case{"(2) No such file\n[f, a.c:1] could not open x\n[g, b.c:2] \n[h, c.c:3] outer",
                "could not open x"},
           Case{"(-3) unknown\n[poll, a.c:1] registration error\n(22) Invalid "
                "argument\n[driver, d.c:9] term length clashes\n[outer, e.c:1] adding",
                "term length clashes"},
           Case{"\n\n", ""},
           Case{"[unclosed", "[unclosed"},
       }) {
    EXPECT_EQ(root_cause(example.message), example.cause) << example.message;
  }
}

TEST(AeronError, carries_errno_but_none_of_aerons_own_codes) {
  EXPECT_EQ(make_aeron_error(Errc::kBusFailure, 13, "x").os_errno, 13);
  EXPECT_EQ(make_aeron_error(Errc::kBusFailure, -1000, "x").os_errno, 0);
  EXPECT_EQ(make_aeron_error(Errc::kBusFailure, -1000, "x").code, Errc::kBusFailure);
}

}  // namespace
}  // namespace tensorpool::bus
