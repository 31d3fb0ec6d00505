#include "apps/stream_lookup.hpp"

#include <gtest/gtest.h>

namespace tensorpool::apps {
namespace {

TEST(StreamRef, is_a_number_when_it_is_digits_and_else_a_name) {
  EXPECT_EQ(parse_stream_ref("10042")->number, 10'042U);
  EXPECT_EQ(parse_stream_ref("10042")->name, "");
  EXPECT_EQ(parse_stream_ref("cam1")->name, "cam1");
  EXPECT_EQ(parse_stream_ref("1cam")->name, "1cam");
  for (const char* wrong : {"", "0", "4294967295", "99999999999999999999"}) {
    const auto sut = parse_stream_ref(wrong);
    ASSERT_FALSE(sut) << wrong;
    EXPECT_EQ(sut.error().code, Errc::kInvalidArgument);
  }
}

TEST(StreamRef, names_a_stream_by_all_that_it_says) {
  const StreamInfo stream = {.stream_id = 10'042, .name = "cam1"};
  EXPECT_TRUE(is_named(stream, {.name = "cam1"}));
  EXPECT_TRUE(is_named(stream, {.name = {}, .number = 10'042}));
  EXPECT_FALSE(is_named(stream, {.name = "cam1", .number = 10'043}));
  EXPECT_FALSE(is_named(stream, {.name = "cam2"}));
}

}  // namespace
}  // namespace tensorpool::apps
