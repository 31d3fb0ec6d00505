// Channel strings: what is taken, what is refused, and that text and value are the same thing.
#include "bus/channel.hpp"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <string>

#include "support/requirement.hpp"

namespace tensorpool::bus {
namespace {

TEST(Channel, takes_what_aeron_takes) {
  TP_REQ("W304");
  for (const std::string text :
       {"aeron:ipc", "aeron:ipc?term-length=64k", "aeron:ipc?term-length=4m|alias=x=y",
        "aeron:ipc?tether=false|sparse=true|mtu=8k", "aeron:udp?endpoint=localhost:40123",
        "aeron:udp?control=10.0.0.1:40456|control-mode=dynamic",
        "aeron-spy:aeron:udp?endpoint=[::1]:40123|session-id=-7"}) {
    const Result<Channel> parsed = Channel::parse(text);
    ASSERT_TRUE(parsed.has_value()) << text;
    EXPECT_EQ(parsed->text(), text);
    EXPECT_EQ(parsed->is_ipc(), text.find("ipc") != std::string::npos);
    EXPECT_EQ(parsed->is_spy(), text.starts_with("aeron-spy:"));
  }
}

TEST(Channel, refuses_what_is_none) {
  TP_REQ("W91", "W92", "W304");
  const std::string too_long = "aeron:ipc?alias=" + std::string(kChannelBytesMax, 'x');
  for (const std::string& text : std::initializer_list<std::string>{
           "",
           "aeron",
           "aeron:",
           "ipc",
           "shm:file?path=/x",
           "Aeron:ipc",
           "aeron:tcp?endpoint=x:1",
           "aeron:ipcx",
           "aeron:ipc ",
           " aeron:ipc",
           "aeron:ipc?",
           "aeron:ipc?x",
           "aeron:ipc?=x",
           "aeron:ipc?x=",
           "aeron:ipc?x=1|",
           "aeron:ipc?|x=1",
           "aeron:ipc?x=1||y=2",
           "aeron:ipc?x=1|x=2",
           "aeron:ipc?alias=a b",
           "aeron:ipc?alias=\x7f",
           "aeron:ipc?alias=\xc3\xa9",
           std::string("aeron:ipc?alias=a\0b", 18),
           "aeron:ipc?term-length=0",
           "aeron:ipc?term-length=32k",
           "aeron:ipc?term-length=65537",
           "aeron:ipc?term-length=96k",
           "aeron:ipc?term-length=2g",
           "aeron:ipc?term-length=-64k",
           "aeron:ipc?term-length=64kk",
           "aeron:ipc?term-length=17179869185g",
           "aeron:ipc?mtu=33",
           "aeron:ipc?mtu=1m",
           "aeron:ipc?tether=no",
           "aeron:udp",
           "aeron:udp?interface=lo",
           too_long,
       }) {
    const Result<Channel> parsed = Channel::parse(text);
    ASSERT_FALSE(parsed.has_value()) << text;
    EXPECT_EQ(parsed.error().code, Errc::kInvalidArgument) << text;
  }
}

TEST(Channel, takes_exactly_4096_bytes) {
  TP_REQ("W92");
  std::string text = "aeron:ipc?alias=";
  text.append(kChannelBytesMax - text.size(), 'x');
  EXPECT_TRUE(Channel::parse(text).has_value());
  EXPECT_FALSE(Channel::parse(text + 'x').has_value());
}

TEST(Channel, reads_lengths_as_aeron_writes_them) {
  struct Case {
    std::string_view text;
    std::uint64_t value;
  };
  for (const Case& example :
       {Case{"0", 0}, Case{"65536", 65536}, Case{"64k", 65536}, Case{"64K", 65536},
        Case{"1m", 1U << 20U}, Case{"1G", 1U << 30U}, Case{"", 0}, Case{"k", 0}, Case{"1x", 0},
        Case{"1kb", 0}, Case{"99999999999999999999", 0}, Case{"17179869184g", 0},
        Case{"17179869183g", 17179869183ULL << 30U}}) {
    EXPECT_EQ(parse_length(example.text), example.value) << example.text;
  }
  EXPECT_EQ(Channel::parse("aeron:ipc?term-length=4m")->term_bytes(), 4U << 20U);
  EXPECT_EQ(Channel().term_bytes(), 0U);
}

TEST(Channel, is_put_together_from_parts) {
  Channel channel;
  EXPECT_EQ(channel.text(), "aeron:ipc");
  channel.set("term-length", "64k").set("alias", "cam1").set("term-length", "128k");
  EXPECT_EQ(channel.text(), "aeron:ipc?term-length=128k|alias=cam1");
  EXPECT_EQ(channel.untethered().text(), "aeron:ipc?term-length=128k|alias=cam1|tether=false");
  EXPECT_EQ(channel.untethered().untethered().text(), channel.untethered().text());
  EXPECT_EQ(channel.get("tether"), std::nullopt);
  EXPECT_EQ(channel.get("alias"), "cam1");
}

TEST(Channel, parameters_of_ipc_do_not_tell_streams_apart_and_addresses_of_udp_do) {
  const auto key = [](std::string_view text) { return Channel::parse(text)->transport_key(); };
  EXPECT_EQ(key("aeron:ipc?alias=a"), key("aeron:ipc?term-length=64k"));
  EXPECT_NE(key("aeron:ipc"), key("aeron:udp?endpoint=a:1"));
  EXPECT_NE(key("aeron:udp?endpoint=a:1"), key("aeron:udp?endpoint=a:2"));
  EXPECT_EQ(key("aeron:udp?endpoint=a:1|mtu=8k"), key("aeron:udp?alias=x|endpoint=a:1"));
}

TEST(Channel, any_text_is_refused_or_comes_back_the_same) {
  ASSERT_TRUE(rc::check([] {
    const std::string alphabet = "aeron:ipcud?=|ktruefalsm-lgh0123456789 \x7f";
    const auto tail = *rc::gen::container<std::string>(rc::gen::elementOf(alphabet));
    const auto head =
        *rc::gen::element<std::string>("", "aeron:ipc", "aeron:ipc?", "aeron:udp?endpoint=a:1|");
    const std::string text = head + tail;
    const Result<Channel> parsed = Channel::parse(text);
    if (parsed) {
      RC_ASSERT(parsed->text() == text);
      const Result<Channel> again = Channel::parse(parsed->untethered().text());
      RC_ASSERT(again.has_value());
      RC_ASSERT(again->get("tether") == "false");
    }
  }));
}

TEST(StreamId, is_one_to_the_largest_positive_number) {
  TP_REQ("W432");
  EXPECT_FALSE(is_valid_stream_id(-1));
  EXPECT_FALSE(is_valid_stream_id(0));
  EXPECT_TRUE(is_valid_stream_id(1));
  EXPECT_TRUE(is_valid_stream_id(0x7FFF'FFFF));
  EXPECT_FALSE(is_valid_stream_id(0x8000'0000));
}

}  // namespace
}  // namespace tensorpool::bus
