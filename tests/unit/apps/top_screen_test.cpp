// The screen of tp top: what fits on terminals of any size, with few and many streams; what keys
// do.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "apps/top/columns.hpp"
#include "apps/top/screen.hpp"
#include "top_fixture.hpp"

namespace tensorpool::test {
namespace {

using namespace apps::top;
using apps::Key;
using apps::parse_keys;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;
using ::testing::StartsWith;

[[nodiscard]] std::vector<std::string> plain(const std::vector<Line>& lines) {
  std::vector<std::string> text;
  for (const Line& line : lines) {
    text.push_back(plain_text(line));
  }
  return text;
}

[[nodiscard]] std::string joined(const std::vector<std::string>& lines) {
  std::string text;
  for (const std::string& line : lines) {
    text += line + "\n";
  }
  return text;
}

[[nodiscard]] std::vector<std::string> screen(const View& view, Choice& choice, Size size) {
  return plain(full_screen(view, choice, size));
}

struct Case {
  std::uint32_t streams;
  Size size;
};

class TopScreen : public ::testing::TestWithParam<Case> {};
INSTANTIATE_TEST_SUITE_P(Sizes, TopScreen,
                         ::testing::Values(Case{1, {80, 24}}, Case{20, {80, 24}},
                                           Case{200, {80, 24}}, Case{1, {200, 60}},
                                           Case{20, {200, 60}}, Case{200, {200, 60}},
                                           Case{20, {132, 43}}, Case{1, {300, 10}},
                                           Case{20, {40, 8}}, Case{20, {20, 5}}, Case{20, {1, 1}},
                                           Case{0, {80, 24}}));

TEST_P(TopScreen, has_exactly_the_lines_of_the_terminal_and_none_too_long) {
  TopWorld world(GetParam().streams, 2);
  const View view = seen(world).view({});
  Choice choice;
  for (const std::size_t selected : {std::size_t{0}, std::size_t{7}, std::size_t{100'000}}) {
    choice.selected = selected;
    const std::vector<std::string> sut = screen(view, choice, GetParam().size);
    EXPECT_THAT(sut, SizeIs(GetParam().size.rows));
    for (const std::string& line : sut) {
      EXPECT_LE(line.size(), GetParam().size.columns) << line;
      EXPECT_TRUE(std::all_of(line.begin(), line.end(), [](char c) {
        return c >= ' ' && c <= '~';
      })) << line;
    }
  }
  choice.shows_help = true;
  EXPECT_THAT(screen(view, choice, GetParam().size), SizeIs(GetParam().size.rows));
}

TEST(TopScreenAt80, shows_a_stream_and_who_reads_it) {
  TopWorld world(1, 2);
  Choice choice;
  const std::vector<std::string> sut = screen(seen(world).view({}), choice, {80, 12});
  EXPECT_EQ(sut[0], "tp top  1 stream, 2 consumers  1,000.0 Hz  1.0 MB/s  by name");
  EXPECT_EQ(sut[1], "slow    none");
  EXPECT_EQ(sut[2],
            "STREAM                     HZ    MB/S    P99    AGE MARGIN    LOST    WAKE   CPU");
  EXPECT_EQ(sut[3],
            "cam0                   1000.0    1.00 1.00ms    0ns   100%       0           25%");
  EXPECT_EQ(sut[4],
            "  viewer 1000          1000.0    1.00      -  500us   100%       0    park   25%");
  EXPECT_THAT(sut[9], StartsWith("cam0 is stream 10000  epoch 7  producer 1, camera (100)"));
  EXPECT_THAT(sut[10], StartsWith("intervals p50 1.00ms p99 1.00ms max 1.00ms  100 slots, 100 ms"));
}

TEST(TopScreenAt80, says_everything_of_the_selected_consumer) {
  TopWorld world;
  Model model = seen(world);
  Sample sample = world.next();
  core::telemetry::ConsumerReading& reading = sample.consumers.front().reading;
  reading.drops_gap = 10;
  reading.drops_late = 2;
  reading.drops_seq_mismatch = 2;
  reading.behind = 3;
  reading.own_descriptor_stream = 31'077;
  sample.leases = {
      {.lease_id = 13, .stream_id = 10'000, .client_id = 700, .expires_at = sample.at + 9s}};
  model.add(sample);
  Choice choice{.selected = 1};
  const std::vector<std::string> sut = screen(model.view({}), choice, {200, 12});
  EXPECT_EQ(
      sut[9],
      "consumer 700 of cam0  viewer (1000)  all, park  polled 0 ns ago  lease 13, 9.00 s left");
  EXPECT_EQ(sut[10],
            "lost 12 (gap 10, late 2)  behind 3 of 100  epoch 7  own descriptors on 31077");
}

TEST(TopScreenAt200, has_losses_by_cause_lease_epoch_and_wake_mode_in_columns) {
  TopWorld world;
  Choice choice;
  const std::string titles = screen(seen(world).view({}), choice, {200, 24})[2];
  for (const char* const title :
       {"P50",  "P99", "MAX",  "AGE",  "DEPTH", "MARGIN", "LOST", "LOST/S", "GAP",   "LATE",
        "TORN", "BAD", "WAKE", "SEEN", "CPU",   "PID",    "MODE", "EPOCH",  "LEASE", "ID"}) {
    EXPECT_THAT(titles, HasSubstr(title));
  }
}

TEST(TopScreenColumns, take_no_more_than_there_is) {
  for (std::size_t width = 1; width < 300; ++width) {
    const Columns sut = choose_columns(width);
    std::size_t used = sut.name_columns;
    for (const Column* column : sut.shown) {
      used += column->width + 1;
    }
    EXPECT_LE(used, width);
    EXPECT_GE(sut.name_columns, std::min<std::size_t>(width, 16));
  }
}

TEST(TopScreenRows, follow_the_selected_one) {
  TopWorld world(200, 0);
  const View view = seen(world).view({});
  Choice choice{.selected = 150};
  const Size size{80, 24};
  const auto is_selected = [](const Line& line) {
    return !line.empty() && line.front().look == Span::Look::kSelected;
  };
  std::vector<Line> sut = full_screen(view, choice, size);
  EXPECT_EQ(std::count_if(sut.begin() + 3, sut.end(), is_selected), 1);
  EXPECT_LE(choice.first, 150U);
  EXPECT_GT(choice.first + table_rows(size), 150U);
  choice.selected = 1'000'000;
  sut = full_screen(view, choice, size);
  EXPECT_EQ(choice.selected, 199U);
  EXPECT_EQ(choice.first, 200 - table_rows(size));
  choice.selected = 0;
  sut = full_screen(view, choice, size);
  EXPECT_EQ(choice.first, 0U);
}

TEST(TopScreenShapes, are_a_tree_streams_or_consumers) {
  TopWorld world(2, 2);
  const View view = seen(world).view({});
  Choice choice;
  EXPECT_THAT(plain(once(view, choice, 80)), SizeIs(3 + 6));
  choice.shape = Shape::kStreams;
  EXPECT_THAT(plain(once(view, choice, 80)), SizeIs(3 + 2));
  choice.shape = Shape::kConsumers;
  const std::vector<std::string> sut = plain(once(view, choice, 80));
  EXPECT_THAT(sut, SizeIs(3 + 4));
  EXPECT_THAT(sut[3], StartsWith("cam0 > viewer 1000"));
}

TEST(TopScreenWarnings, stand_on_the_second_line_and_mark_the_row) {
  TopWorld world(2, 1);
  Model model = seen(world);
  Sample sample = world.next();
  sample.consumers[0].reading.behind = 80;
  sample.consumers[1].reading.behind = 90;
  model.add(sample);
  Choice choice;
  const std::vector<Line> sut = full_screen(model.view({}), choice, {80, 24});
  EXPECT_EQ(plain_text(sut[1]), "slow    cam1 > viewer (1010): 10% of the ring left; and 1 more");
  EXPECT_EQ(sut[4].front().look, Span::Look::kWarning);
}

TEST(TopScreenWarnings, say_why_there_is_nothing) {
  Choice choice;
  EXPECT_THAT(joined(screen({}, choice, {80, 24})), HasSubstr("no streams"));
  EXPECT_THAT(joined(screen({.notes = {"no media driver"}}, choice, {80, 24})),
              HasSubstr("\n  no media driver"));
  choice.query.filter = "x";
  EXPECT_THAT(joined(screen({}, choice, {80, 24})), HasSubstr("nothing is called x"));
}

TEST(TopScreenStyles, are_escape_sequences_that_end_in_their_line) {
  const Line line = {{"a", Span::Look::kBad}, {"b", Span::Look::kPlain}};
  EXPECT_EQ(styled_text(line, true), "\x1b[31ma\x1b[0mb");
  EXPECT_EQ(styled_text(line, false), "\x1b[1ma\x1b[0mb");
  EXPECT_EQ(plain_text(line), "ab");
}

TEST(TopNumbers, take_few_characters) {
  EXPECT_EQ(short_number({}), "-");
  EXPECT_EQ(short_number(0.0), "0");
  EXPECT_EQ(short_number(9.987), "9.99");
  EXPECT_EQ(short_number(1234.5), "1234.5");
  EXPECT_EQ(short_number(12345.0), "12.3k");
  EXPECT_EQ(short_number(1.5e6), "1.5M");
  EXPECT_EQ(short_number(2.5e9), "2.5G");
  EXPECT_EQ(short_count(99'999), "99,999");
  EXPECT_EQ(short_count(100'000), "100.0k");
  EXPECT_EQ(short_time({}), "-");
  EXPECT_EQ(short_time(850ns), "850ns");
  EXPECT_EQ(short_time(1'230us), "1.23ms");
  EXPECT_EQ(short_time(1000s), "16m");
  EXPECT_EQ(short_time(3h), "3h");
  EXPECT_EQ(short_time(72h), "3d");
  EXPECT_EQ(short_percent(0.257), "26%");
  EXPECT_EQ(fitted("abc", 5, true), "  abc");
  EXPECT_EQ(fitted("abcdef", 3, false), "ab+") << "a cut shows";
  EXPECT_EQ(fitted("abc", 3, true), "abc");
}

// -- Keys ----------------------------------------------------------------------------------------

void type(Choice& choice, std::string_view bytes) {
  for (const Key& key : parse_keys(bytes)) {
    choice.on_key(key, 10);
  }
}

TEST(TopKeys, change_what_is_shown) {
  Choice sut;
  type(sut, "s");
  EXPECT_EQ(sut.query.sort, SortKey::kHz);
  type(sut, "SS");
  EXPECT_EQ(sut.query.sort, SortKey::kCpu);
  type(sut, "r");
  EXPECT_TRUE(sut.query.reverse);
  type(sut, "t");
  EXPECT_EQ(sut.shape, Shape::kStreams);
  type(sut, "tt");
  EXPECT_EQ(sut.shape, Shape::kTree);
  type(sut, "p");
  EXPECT_TRUE(sut.is_paused);
  type(sut, " ");
  EXPECT_FALSE(sut.is_paused);
  type(sut, "+");
  EXPECT_EQ(sut.delay, 2s);
  type(sut, "----------");
  EXPECT_EQ(sut.delay, 100ms);
  type(sut, "h");
  EXPECT_TRUE(sut.shows_help);
  type(sut, "\x1b");
  EXPECT_FALSE(sut.shows_help);
  type(sut, "q");
  EXPECT_TRUE(sut.wants_end);
}

TEST(TopKeys, select_rows) {
  Choice sut;
  type(sut, "jj\x1b[B");
  EXPECT_EQ(sut.selected, 3U);
  type(sut, "k\x1b[6~");
  EXPECT_EQ(sut.selected, 12U);
  type(sut, "\x1b[5~\x1b[5~");
  EXPECT_EQ(sut.selected, 0U);
  type(sut, "G");
  EXPECT_GT(sut.selected, 10'000U);
  type(sut, "g");
  EXPECT_EQ(sut.selected, 0U);
}

TEST(TopKeys, make_a_filter_and_nothing_else_while_it_is_made) {
  Choice sut;
  type(sut, "/qcamx\x7f\x1b[A");
  EXPECT_EQ(sut.query.filter, "qcam");
  EXPECT_TRUE(sut.is_filtering);
  EXPECT_FALSE(sut.wants_end);
  type(sut, "\r");
  EXPECT_FALSE(sut.is_filtering);
  EXPECT_EQ(sut.query.filter, "qcam");
  type(sut, "/\x1b");
  EXPECT_EQ(sut.query.filter, "");
}

}  // namespace
}  // namespace tensorpool::test
