#include "apps/keys.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tensorpool::apps {
namespace {

using Kind = Key::Kind;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(Keys, are_read_out_of_what_terminals_send) {
  EXPECT_THAT(parse_keys("q"), ElementsAre(Key{.character = 'q'}));
  EXPECT_THAT(parse_keys("\x1b[A\x1b[B\x1bOA\x1b[C\x1bOD"),
              ElementsAre(Key{.kind = Kind::kUp}, Key{.kind = Kind::kDown}, Key{.kind = Kind::kUp},
                          Key{.kind = Kind::kRight}, Key{.kind = Kind::kLeft}));
  EXPECT_THAT(parse_keys("\x1b[5~\x1b[6~\x1b[H\x1b[4~"),
              ElementsAre(Key{.kind = Kind::kPageUp}, Key{.kind = Kind::kPageDown},
                          Key{.kind = Kind::kHome}, Key{.kind = Kind::kEnd}));
  EXPECT_THAT(parse_keys("\x1b"), ElementsAre(Key{.kind = Kind::kEscape}));
  EXPECT_THAT(parse_keys("\r\x7f\x0c"),
              ElementsAre(Key{.kind = Kind::kEnter}, Key{.kind = Kind::kBackspace},
                          Key{.kind = Kind::kRedraw}));
}

TEST(Keys, may_follow_each_other_in_one_read) {
  EXPECT_THAT(parse_keys("q\x1b[A\x1b[1;5B\x1bOC\x1b[3~l\r\x1b"),
              ElementsAre(Key{.character = 'q'}, Key{.kind = Kind::kUp}, Key{.kind = Kind::kDown},
                          Key{.kind = Kind::kRight}, Key{.character = 'l'},
                          Key{.kind = Kind::kEnter}, Key{.kind = Kind::kEscape}));
}

TEST(Keys, of_which_nothing_is_known_are_passed_over) {
  EXPECT_THAT(parse_keys("\x01\xC3\xA4\x1b[1"), IsEmpty());
  EXPECT_THAT(parse_keys("\x1b[1;5P\x1b[\x01\xff"), IsEmpty());
  EXPECT_THAT(parse_keys("\x1b[1;"), IsEmpty());
}

}  // namespace
}  // namespace tensorpool::apps
