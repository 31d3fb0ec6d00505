#include "config/document.hpp"

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "support/requirement.hpp"

namespace tensorpool::config {
namespace {

TEST(Document, keeps_the_order_of_the_file_and_knows_where_everything_stands) {
  const auto root = parse_document(R"(zulu = 1
[mike]
  yankee = [ "a", true ]
[alpha]
)");
  ASSERT_TRUE(root);
  ASSERT_EQ(root->children.size(), 3U);
  EXPECT_EQ(root->children[0].name, "zulu");
  EXPECT_EQ(root->children[0].place, (Place{.line = 1, .column = 8}));
  EXPECT_EQ(root->children[1].name, "mike");
  EXPECT_EQ(root->children[1].place, (Place{.line = 2, .column = 2}));
  EXPECT_EQ(root->children[2].name, "alpha");

  const Node& list = root->children[1].children.at(0);
  EXPECT_EQ(list.kind, Node::Kind::kArray);
  EXPECT_EQ(list.place, (Place{.line = 3, .column = 12}));
  ASSERT_EQ(list.children.size(), 2U);
  EXPECT_EQ(list.children[0].text, "a");
  EXPECT_TRUE(list.children[1].boolean);
  EXPECT_EQ(list.children[1].place, (Place{.line = 3, .column = 19}));
}

TEST(Document, keeps_the_order_of_tables_that_only_dotted_keys_make) {
  const auto root = parse_document("zulu.a = 1\nalpha.b = 2\nzulu.c = 3\n");
  ASSERT_TRUE(root);
  ASSERT_EQ(root->children.size(), 2U);
  EXPECT_EQ(root->children[0].name, "zulu");
  EXPECT_EQ(root->children[1].name, "alpha");
}

TEST(Document, says_where_a_text_stops_being_toml) {
  TP_REQ("D319");
  for (const char* text : {"[driver]\ncontrol_stream_id = = 3\n", "[driver]\na = 1\na = 2\n",
                           "[driver]\nname = \"\xFF\"\n", "[driver]\n[driver]\n"}) {
    const auto root = parse_document(text);
    ASSERT_FALSE(root) << text;
    EXPECT_GE(root.error().place.line, 2U) << text;
    EXPECT_GE(root.error().place.column, 1U) << text;
    EXPECT_FALSE(root.error().message.empty());
  }
}

[[nodiscard]] std::string with_parts(std::string_view before, std::size_t parts,
                                     std::string_view behind) {
  std::string text(before);
  text += 'a';
  for (; parts > 1; --parts) {
    text += ".a";
  }
  return text.append(behind);
}

TEST(Document, refuses_keys_whose_depth_could_exhaust_the_stack) {
  for (const char* before : {"", "x = {y = {", "x = ['''a''''', {", R"(x = ["""\"""", {)",
                             "x = [ 'a.b', { 'a.b'.", "x = 1 # '\n", "["}) {
    const auto root = parse_document(with_parts(before, 300'000, " = 1"));
    ASSERT_FALSE(root) << before;
    EXPECT_EQ(root.error().message, "a key of more than 16 parts") << before;
  }
  const auto late = parse_document(with_parts("b = 1\n", 17, " = 1"));
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().place, (Place{.line = 2, .column = 32}));
  EXPECT_TRUE(parse_document(with_parts("b = 1\n", 16, " = 1")));
}

TEST(Document, takes_any_number_of_dots_in_what_is_no_key) {
  const std::string dots(100, '.');
  for (const auto& [before, behind] : std::vector<std::pair<std::string_view, std::string_view>>{
           {"# ", "\na = 1"},
           {"a = \"", "\" # b"},
           {"a = \"\\\"", "\""},
           {"a = '", "'\nb.c = 1"},
           {"a = '''\n'", "''''\nb.c = 1"},
           {"a = \"\"\"\n\"\\\"", "\"\"\""}}) {
    EXPECT_TRUE(parse_document(std::string(before).append(dots).append(behind))) << before;
  }
  EXPECT_TRUE(
      parse_document("a = [1.5,1.5,1.5,1.5,1.5,1.5,1.5,1.5,1.5,1.5,1.5,1.5,1.5,1.5,1.5,1.5]"));
}

}  // namespace
}  // namespace tensorpool::config
