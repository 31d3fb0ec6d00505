// The decoder of the one message that arrives once per frame, against the general one.
#include "core/consumer/descriptor_message.hpp"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <cstring>
#include <vector>

#include "codec/codec.hpp"
#include "support/requirement.hpp"

namespace tensorpool::core::consumer {
namespace {

using Bytes = std::vector<std::byte>;
using Verdict = DescriptorVerdict;

[[nodiscard]] Bytes encoded(const layout::FrameDescriptor& message) {
  Bytes bytes(codec::encoded_size(message));
  EXPECT_TRUE(codec::encode(message, bytes));
  return bytes;
}

/// What the general decoder makes of it.
[[nodiscard]] Verdict general(const Bytes& bytes, layout::FrameDescriptor& out) {
  codec::Scratch scratch;
  const auto decoded = codec::decode<layout::FrameDescriptor>(bytes, scratch);
  if (decoded) {
    out = *decoded;
    return Verdict::kOk;
  }
  switch (decoded.error().code) {
    case Errc::kWrongSchema:
    case Errc::kUnknownTemplate:
      return Verdict::kOther;
    case Errc::kUnsupportedVersion:
      return Verdict::kUnsupportedVersion;
    default:
      return Verdict::kMalformed;
  }
}

void expect_equal(const Bytes& bytes) {
  layout::FrameDescriptor expected;
  Descriptor got;
  const Verdict verdict = parse_descriptor(bytes, got);
  RC_ASSERT(verdict == general(bytes, expected));
  if (verdict == Verdict::kOk) {
    RC_ASSERT(got.stream_id == expected.stream_id);
    RC_ASSERT(got.epoch == expected.epoch);
    RC_ASSERT(got.seq == expected.seq);
    RC_ASSERT(got.timestamp_ns == expected.timestamp_ns.value_or(layout::kTimestampNone));
    RC_ASSERT(got.trace_id == expected.trace_id.value_or(0));
  }
}

TEST(DescriptorMessage, is_read_as_the_general_decoder_reads_it) {
  TP_REQ("W74", "W75", "W76", "W78", "W79", "W80");
  rc::check("whole, cut, longer, with any header", [] {
    layout::FrameDescriptor message;
    message.stream_id = *rc::gen::arbitrary<std::uint32_t>();
    message.epoch = *rc::gen::arbitrary<std::uint64_t>();
    message.seq = *rc::gen::arbitrary<std::uint64_t>();
    if (*rc::gen::arbitrary<bool>()) {
      message.timestamp_ns = *rc::gen::arbitrary<std::uint64_t>();
      message.trace_id = *rc::gen::arbitrary<std::uint64_t>();
    }
    Bytes bytes = encoded(message);
    if (*rc::gen::inRange(0, 5) < 2) {
      bytes.resize(*rc::gen::inRange<std::size_t>(0, bytes.size() + 40));
    }
    // Block length, template, schema and version, each of which decides.
    for (const std::size_t field : {0U, 2U, 4U, 6U}) {
      if (bytes.size() >= field + 2 && *rc::gen::inRange(0, 5) == 0) {
        const auto value = *rc::gen::oneOf(rc::gen::inRange<std::uint16_t>(0, 80),
                                           rc::gen::inRange<std::uint16_t>(895, 905));
        std::memcpy(bytes.data() + field, &value, sizeof(value));
      }
    }
    expect_equal(bytes);
  });
}

}  // namespace
}  // namespace tensorpool::core::consumer
