// A host of the other byte order gets a compiler's error, never swapped data.
#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

#include "support/requirement.hpp"

namespace tensorpool {
namespace {

/// Compiles a use of little-endian fields as if the host's byte order were `order`.
bool compiles_for(const std::string& order) {
  const std::string command = std::string("echo '#include \"base/endian.hpp\"' | '") + TP_COMPILER +
                              "' -std=c++20 -fsyntax-only -I '" + TP_SOURCE_DIR +
                              "/src' -U__BYTE_ORDER__ -D__BYTE_ORDER__=" + order +
                              " -x c++ - 2>/dev/null";
  return std::system(command.c_str()) == 0;
}

TEST(BigEndianHost, is_refused_by_the_compiler) {
  TP_REQ("W2");
  EXPECT_TRUE(compiles_for("__ORDER_LITTLE_ENDIAN__"));
  EXPECT_FALSE(compiles_for("__ORDER_BIG_ENDIAN__"));
}

}  // namespace
}  // namespace tensorpool
