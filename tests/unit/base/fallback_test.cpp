#include "tensorpool/types/fallback.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/requirement.hpp"

namespace tensorpool {
namespace {

using ::testing::HasSubstr;

TEST(Fallback, takes_a_channel_and_its_stream_apart) {
  const auto of = [](const char* uri) { return Fallback::of(FallbackCause::kTold, uri); };
  const Fallback udp = of("aeron:udp?endpoint=10.0.0.5:4000|stream-id=3000|mtu=8k");
  EXPECT_EQ(udp.kind, FallbackKind::kAeron);
  EXPECT_EQ(udp.channel, "aeron:udp?endpoint=10.0.0.5:4000|mtu=8k");
  EXPECT_EQ(udp.aeron_stream_id, 3000);
  EXPECT_EQ(udp.uri, "aeron:udp?endpoint=10.0.0.5:4000|stream-id=3000|mtu=8k");
  EXPECT_EQ(of("aeron:ipc").channel, "aeron:ipc");
  EXPECT_EQ(of("aeron:ipc").aeron_stream_id, 0);
  EXPECT_EQ(of("aeron:ipc?stream-id=7").channel, "aeron:ipc");
  EXPECT_EQ(of("aeron:ipc?stream-id=7").aeron_stream_id, 7);
  EXPECT_EQ(of("aeron:ipc?stream-id=7|term-length=64k").channel, "aeron:ipc?term-length=64k");
  for (const char* const wrong : {"aeron:ipc?stream-id=", "aeron:ipc?stream-id=-7",
                                  "aeron:ipc?stream-id=7x", "aeron:ipc?stream-id=99999999999"}) {
    EXPECT_EQ(of(wrong).aeron_stream_id, 0) << wrong;
  }
}

TEST(Fallback, takes_other_schemes_than_aeron_and_bridge_for_none) {
  TP_REQ("W250");
  const Fallback bridge = Fallback::of(FallbackCause::kTold, "bridge://10.0.0.5:9000/cam1");
  EXPECT_EQ(bridge.kind, FallbackKind::kBridge);
  EXPECT_EQ(bridge.bridge, "10.0.0.5:9000/cam1");
  for (const char* const other : {"", "http://far", "bridge:/far", "AERON:ipc"}) {
    const Fallback none = Fallback::of(FallbackCause::kTold, other);
    EXPECT_EQ(none.kind, FallbackKind::kNone) << other;
    EXPECT_EQ(none.uri, "") << other;
  }
}

TEST(Fallback, says_why_and_what_can_be_done) {
  TP_REQ("W248");
  const auto text = [](FallbackCause cause, const char* uri) {
    Fallback fallback = Fallback::of(cause, uri);
    fallback.error = make_error(Errc::kSuperblockMismatch, "/dev/shm/x");
    return describe(fallback);
  };
  EXPECT_THAT(text(FallbackCause::kTold, "aeron:ipc?stream-id=7"),
              HasSubstr("on aeron:ipc, stream 7: subscribe there with Aeron"));
  EXPECT_THAT(text(FallbackCause::kTold, "bridge://far"), HasSubstr("the bridge far"));
  EXPECT_THAT(text(FallbackCause::kTold, ""), HasSubstr("supervisor.payload_fallback_uri"));
  EXPECT_THAT(text(FallbackCause::kAsked, ""), HasSubstr("as it was created to"));
  EXPECT_THAT(text(FallbackCause::kRefused, "bridge://far"), HasSubstr("superblock_mismatch"));
  EXPECT_THAT(text(FallbackCause::kRefused, ""), HasSubstr("/dev/shm/x"));
}

TEST(Fallback, has_names_for_causes_and_kinds) {
  EXPECT_EQ(to_string(FallbackCause::kAsked), "asked");
  EXPECT_EQ(to_string(FallbackCause::kTold), "told");
  EXPECT_EQ(to_string(FallbackCause::kRefused), "refused");
  EXPECT_EQ(to_string(FallbackKind::kNone), "none");
  EXPECT_EQ(to_string(FallbackKind::kAeron), "aeron");
  EXPECT_EQ(to_string(FallbackKind::kBridge), "bridge");
}

}  // namespace
}  // namespace tensorpool
