// The framing rules one by one, on messages made by hand.
#include <gtest/gtest.h>
#include <sys/mman.h>

#include <cstring>
#include <string>
#include <vector>

#include "codec/codec.hpp"
#include "support/requirement.hpp"

namespace tensorpool::codec {
namespace {

/// Bytes of a message, in the order they are written.
class Wire {
 public:
  template <class T>
  Wire& put(T value) {
    const auto* bytes = reinterpret_cast<const std::byte*>(&value);
    bytes_.insert(bytes_.end(), bytes, bytes + sizeof value);
    return *this;
  }
  Wire& header(std::uint16_t block_length, const layout::MessageType& type) {
    return put(block_length).put(type.template_id).put(type.schema_id).put(std::uint16_t{1});
  }
  Wire& group(std::uint16_t block_length, std::uint16_t count) {
    return put(block_length).put(count);
  }
  Wire& text(std::string_view value) {
    put(static_cast<std::uint32_t>(value.size()));
    for (const char c : value) {
      put(c);
    }
    return *this;
  }
  Wire& fill(std::size_t count, unsigned char value = 0) {
    bytes_.insert(bytes_.end(), count, static_cast<std::byte>(value));
    return *this;
  }
  Wire& pool(std::uint16_t id, std::string_view uri, std::size_t extra = 0) {
    return put(id).put(std::uint32_t{64}).put(std::uint32_t{4096}).fill(extra, 0xEE).text(uri);
  }
  [[nodiscard]] std::span<const std::byte> bytes() const { return bytes_; }

 private:
  std::vector<std::byte> bytes_;
};

template <class M>
Errc error_of(std::span<const std::byte> bytes) {
  Scratch scratch;
  const auto decoded = decode<M>(bytes, scratch);
  return decoded ? Errc{} : decoded.error().code;
}
template <class M>
Errc error_of(const Wire& wire) {
  return error_of<M>(wire.bytes());
}

/// The block of a ShmPoolAnnounce; groups and texts are to follow.
Wire announce(std::uint8_t clock_domain = 1) {
  return Wire()
      .header(35, layout::ShmPoolAnnounce::kType)
      .fill(24, 1)
      .put(clock_domain)
      .fill(10, 1);
}

TEST(Header, fewer_than_8_bytes_are_malformed) {
  TP_REQ("W78", "S11");
  const std::vector<std::byte> bytes(7);
  EXPECT_EQ(peek_header(bytes).error().code, Errc::kMalformedMessage);
  EXPECT_EQ(error_of<Message900>(std::span(bytes)), Errc::kMalformedMessage);
}

TEST(Header, any_message_of_a_schema_is_decoded_to_its_own_struct) {
  std::vector<std::byte> bytes(64);
  const auto size = encode(layout::QosProducer{.stream_id = 5, .current_seq = 9}, std::span(bytes));
  ASSERT_TRUE(size);
  Scratch scratch;
  const auto decoded = decode<Message900>(std::span(bytes).first(*size), scratch);
  ASSERT_TRUE(decoded);
  ASSERT_TRUE(std::holds_alternative<layout::QosProducer>(*decoded));
  EXPECT_EQ(std::get<layout::QosProducer>(*decoded).current_seq, 9U);
}

TEST(Header, templates_of_shared_memory_are_ignored_as_messages) {
  TP_REQ("W89");
  std::vector<std::byte> bytes(300);
  ASSERT_TRUE(encode(layout::ShmRegionSuperblock{}, std::span(bytes)));
  EXPECT_EQ(error_of<Message900>(std::span(bytes)), Errc::kUnknownTemplate);
  EXPECT_EQ(error_of<ShmMessage>(std::span(bytes)), Errc{});
  ASSERT_TRUE(encode(layout::SlotHeader{}, std::span(bytes)));
  EXPECT_EQ(error_of<Message900>(std::span(bytes)), Errc::kUnknownTemplate);
  ASSERT_TRUE(encode(layout::TensorHeader{}, std::span(bytes)));
  EXPECT_EQ(error_of<Message900>(std::span(bytes)), Errc::kUnknownTemplate);
}

TEST(Header, correlation_id_is_readable_where_the_rest_is_not) {
  TP_REQ("D4", "D12", "D16");
  Wire wire;
  wire.put(std::uint16_t{9}).put(std::uint16_t{1}).put(std::uint16_t{901}).put(std::uint16_t{2});
  EXPECT_EQ(peek_correlation_id(wire.put(std::int32_t{-1}).bytes()), std::nullopt);
  EXPECT_EQ(peek_correlation_id(wire.put(std::int32_t{-1}).bytes()), -1);
  EXPECT_EQ(error_of<layout::ShmAttachRequest>(wire), Errc::kUnsupportedVersion);
  Wire short_block;
  short_block.header(7, layout::ShmAttachRequest::kType).fill(16);
  EXPECT_EQ(peek_correlation_id(short_block.bytes()), std::nullopt);
}

TEST(Header, the_code_of_a_response_is_readable_where_the_rest_is_not) {
  TP_REQ("D109");
  Wire wire;
  wire.header(54, layout::ShmAttachResponse::kType).put(std::int64_t{7});
  EXPECT_EQ(peek_response_code(wire.bytes()), std::nullopt);
  EXPECT_EQ(peek_response_code(wire.put(std::int32_t{3}).bytes()), 3);
  EXPECT_EQ(error_of<layout::ShmAttachResponse>(wire), Errc::kMalformedMessage);
  Wire short_block;
  short_block.header(11, layout::ShmAttachResponse::kType).fill(16);
  EXPECT_EQ(peek_response_code(short_block.bytes()), std::nullopt);
}

TEST(Group, entries_of_a_later_version_are_skipped_to_their_texts) {
  TP_REQ("W80", "D2", "S26");
  const auto wire =
      announce().group(13, 2).pool(1, "shm:a", 3).pool(2, "shm:bc", 3).text("shm:ring");
  Scratch scratch;
  const auto decoded = decode<layout::ShmPoolAnnounce>(wire.bytes(), scratch);
  ASSERT_TRUE(decoded);
  ASSERT_EQ(decoded->payload_pools.size(), 2U);
  EXPECT_EQ(decoded->payload_pools[0].region_uri, "shm:a");
  EXPECT_EQ(decoded->payload_pools[1].pool_id, 2U);
  EXPECT_EQ(decoded->payload_pools[1].region_uri, "shm:bc");
  EXPECT_EQ(decoded->header_region_uri, "shm:ring");
}

TEST(Group, entries_that_are_too_short_are_malformed_unless_there_are_none) {
  TP_REQ("W82", "D2", "S25", "S27");
  EXPECT_EQ(error_of<layout::ShmPoolAnnounce>(announce().group(9, 1).pool(1, "u").text("h")),
            Errc::kMalformedMessage);
  EXPECT_EQ(error_of<layout::ShmPoolAnnounce>(announce().group(9, 0).text("h")), Errc{});
}

TEST(Group, null_count_is_malformed) {
  TP_REQ("W449", "S28");
  EXPECT_EQ(error_of<layout::ShmPoolAnnounce>(announce().group(10, 0xFFFF).fill(2'000'000)),
            Errc::kMalformedMessage);
  EXPECT_EQ(error_of<layout::ShmPoolAnnounce>(announce().group(10, 0xFFFE).fill(2'000'000)),
            Errc{});
}

TEST(Group, count_beyond_the_message_is_malformed) {
  TP_REQ("W81", "D5", "S13", "J8");
  const auto wire = announce().group(10, 2).pool(1, "u").text("h");
  EXPECT_EQ(error_of<layout::ShmPoolAnnounce>(wire), Errc::kMalformedMessage);
  Wire rules;
  rules.header(20, layout::SequenceMergeMapAnnounce::kType).fill(20).group(13, 3).fill(38);
  EXPECT_EQ(error_of<layout::SequenceMergeMapAnnounce>(rules), Errc::kMalformedMessage);
  EXPECT_EQ(error_of<layout::SequenceMergeMapAnnounce>(rules.fill(1)), Errc{});
  Wire short_rules;
  short_rules.header(20, layout::SequenceMergeMapAnnounce::kType).fill(20).group(12, 1).fill(99);
  EXPECT_EQ(error_of<layout::SequenceMergeMapAnnounce>(short_rules), Errc::kMalformedMessage);
}

TEST(Group, tags_may_announce_a_block_of_0_or_4_and_never_have_one) {
  TP_REQ("S23", "S24", "S27");
  const auto request = [](std::uint16_t block_length, std::uint16_t count) {
    Wire wire;
    wire.header(32, layout::DiscoveryRequest::kType).fill(32, 1).group(block_length, count);
    return count == 0 ? wire : wire.text("cam").text("");
  };
  for (const std::uint16_t block_length : std::initializer_list<std::uint16_t>{0, 4}) {
    const auto wire = request(block_length, 2).text("aeron:ipc").text("name");
    Scratch scratch;
    const auto decoded = decode<layout::DiscoveryRequest>(wire.bytes(), scratch);
    ASSERT_TRUE(decoded) << block_length;
    ASSERT_EQ(decoded->tags.size(), 2U);
    EXPECT_EQ(decoded->tags[0].tag, "cam");
    EXPECT_EQ(decoded->tags[1].tag, "");
    EXPECT_EQ(decoded->response_channel, "aeron:ipc");
    EXPECT_EQ(decoded->data_source_name, "name");
  }
  for (const std::uint16_t block_length : std::initializer_list<std::uint16_t>{1, 3, 5, 8}) {
    EXPECT_EQ(error_of<layout::DiscoveryRequest>(request(block_length, 2).text("a").text("b")),
              Errc::kMalformedMessage);
    EXPECT_EQ(error_of<layout::DiscoveryRequest>(request(block_length, 0).text("a").text("b")),
              Errc{});
  }
}

TEST(Group, nested_groups_of_a_later_version_are_skipped_too) {
  TP_REQ("S23", "S26");
  Wire wire;
  wire.header(9, layout::DiscoveryResponse::kType).fill(8, 1).put(std::uint8_t{1}).group(41, 1);
  wire.fill(39, 2).fill(2, 0xEE);
  wire.group(11, 1).pool(7, "shm:p", 1).group(4, 1).text("cam");
  wire.text("shm:h").text("n").text("i").text("aeron:ipc");
  Scratch scratch;
  const auto decoded = decode<layout::DiscoveryResponse>(wire.bytes(), scratch);
  ASSERT_TRUE(decoded);
  ASSERT_EQ(decoded->results.size(), 1U);
  const layout::DiscoveryResult& result = decoded->results[0];
  ASSERT_EQ(result.payload_pools.size(), 1U);
  EXPECT_EQ(result.payload_pools[0].region_uri, "shm:p");
  ASSERT_EQ(result.tags.size(), 1U);
  EXPECT_EQ(result.tags[0].tag, "cam");
  EXPECT_EQ(result.driver_control_channel, "aeron:ipc");
  EXPECT_EQ(decoded->error_message, "") << "the message ends after the group (S30)";
}

TEST(Group, link_set_without_parents_is_malformed) {
  TP_REQ("T85", "T88");
  Wire wire;
  wire.header(28, layout::TraceLinkSet::kType).fill(28, 1);
  EXPECT_EQ(error_of<layout::TraceLinkSet>(Wire(wire).group(8, 0)), Errc::kMalformedMessage);
  EXPECT_EQ(error_of<layout::TraceLinkSet>(Wire(wire).group(7, 1).fill(64)),
            Errc::kMalformedMessage);
  EXPECT_EQ(error_of<layout::TraceLinkSet>(Wire(wire).group(8, 1).fill(8, 1)), Errc{});
}

TEST(VarData, lengths_that_would_wrap_are_malformed) {
  TP_REQ("W83", "W85", "D6", "S12");
  for (const std::uint32_t length : {0xFFFF'FFFFU, 0xFFFF'FFFCU, 0x8000'0000U, 2U}) {
    const auto wire = announce().group(10, 0).put(length).fill(1);
    EXPECT_EQ(error_of<layout::ShmPoolAnnounce>(wire), Errc::kMalformedMessage) << length;
  }
}

TEST(VarData, longest_length_is_1_GiB) {
  TP_REQ("W84", "D6");
  constexpr std::size_t kBytes = (std::size_t{1} << 30U) + 4096;
  void* memory = ::mmap(nullptr, kBytes, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);  // pages stay unused
  ASSERT_NE(memory, MAP_FAILED);
  auto* bytes = static_cast<std::byte*>(memory);
  const auto chunk = [&](std::uint32_t length) {
    const auto wire = Wire().header(16, layout::MetaBlobChunk::kType).fill(16).put(length);
    std::memcpy(bytes, wire.bytes().data(), wire.bytes().size());
    return error_of<layout::MetaBlobChunk>(std::span<const std::byte>(bytes, kBytes));
  };
  EXPECT_EQ(chunk(1'073'741'824), Errc{});
  EXPECT_EQ(chunk(1'073'741'825), Errc::kMalformedMessage);
  ::munmap(memory, kBytes);
}

TEST(Enum, unknown_and_null_values_are_malformed) {
  TP_REQ("W88");
  for (const int value : {0, 3, 254, 255}) {
    const auto wire = announce(static_cast<std::uint8_t>(value)).group(10, 0).text("h");
    EXPECT_EQ(error_of<layout::ShmPoolAnnounce>(wire), Errc::kMalformedMessage) << value;
  }
}

TEST(Enum, codes_of_control_responses_are_kept) {
  TP_REQ("W446");
  for (const std::int32_t code : {-1, 5, std::numeric_limits<std::int32_t>::min()}) {
    Scratch scratch;
    const auto wire = Wire().header(12, layout::ControlResponse::kType).fill(8).put(code).text("");
    const auto decoded = decode<layout::ControlResponse>(wire.bytes(), scratch);
    ASSERT_TRUE(decoded) << code;
    EXPECT_EQ(decoded->code, static_cast<layout::ResponseCode>(code));
  }
}

/// A ShmAttachRequest with these three enumerations.
Wire attach_request(std::uint8_t role, std::uint8_t publish_mode, std::uint8_t hugepages) {
  Wire wire;
  wire.header(27, layout::ShmAttachRequest::kType).fill(16, 1).put(role).fill(4);
  return wire.put(publish_mode).put(hugepages).fill(4, 0xFF);
}

TEST(Enum, optional_enum_may_be_null) {
  TP_REQ("W88", "D19");
  Scratch scratch;
  const auto wire = attach_request(1, 255, 0);
  const auto decoded = decode<layout::ShmAttachRequest>(wire.bytes(), scratch);
  ASSERT_TRUE(decoded);
  EXPECT_EQ(decoded->publish_mode, std::nullopt);
}

TEST(Enum, values_of_driver_messages_are_kept_for_the_receiver_to_answer) {
  TP_REQ("D44", "D48", "D49");
  for (const int value : {0, 3, 254}) {
    const auto byte = static_cast<std::uint8_t>(value);
    Scratch scratch;
    const auto wire = attach_request(byte, byte, byte);
    const auto decoded = decode<layout::ShmAttachRequest>(wire.bytes(), scratch);
    ASSERT_TRUE(decoded) << value;
    EXPECT_EQ(decoded->role, layout::Role{byte});
    EXPECT_EQ(decoded->publish_mode, layout::PublishMode{byte});
    EXPECT_EQ(decoded->require_hugepages, layout::HugepagesPolicy{byte});
  }
}

TEST(Enum, codes_and_reasons_of_driver_messages_are_kept) {
  TP_REQ("D108", "D161", "D167", "D259");
  Scratch scratch;
  const auto response =
      Wire().header(12, layout::ShmDetachResponse::kType).fill(8).put(std::int32_t{-7}).text("");
  const auto code = decode<layout::ShmDetachResponse>(response.bytes(), scratch);
  ASSERT_TRUE(code);
  EXPECT_EQ(code->code, layout::ResponseCode{-7});
  const auto notice = Wire().header(26, layout::ShmLeaseRevoked::kType).fill(26, 9).text("");
  const auto revoked = decode<layout::ShmLeaseRevoked>(notice.bytes(), scratch);
  ASSERT_TRUE(revoked);
  EXPECT_EQ(revoked->role, layout::Role{9});
  EXPECT_EQ(revoked->reason, layout::LeaseRevokeReason{9});
}

TEST(Enum, qos_of_a_consumer_counts_whatever_its_mode) {
  TP_REQ("W401");
  for (const int mode : {0, 3, 255}) {
    Wire wire;
    wire.header(41, layout::QosConsumer::kType).fill(40, 1).put(static_cast<std::uint8_t>(mode));
    Scratch scratch;
    const auto decoded = decode<layout::QosConsumer>(wire.bytes(), scratch);
    ASSERT_TRUE(decoded) << mode;
    EXPECT_EQ(decoded->mode, std::nullopt);
    EXPECT_EQ(decoded->consumer_id, 0x0101'0101U);
  }
}

TEST(Encode, refuses_what_a_receiver_would_refuse) {
  std::vector<std::byte> out(4096);
  const auto error = [&](const auto& message) { return encode(message, std::span(out)).error(); };
  EXPECT_EQ(error(layout::ConsumerHello{.mode = layout::Mode{7}}).code, Errc::kInvalidArgument);
  EXPECT_EQ(error(layout::TraceLinkSet{}).code, Errc::kInvalidArgument);
  const std::vector<layout::Tag> tags(65535);
  EXPECT_EQ(error(layout::DiscoveryRequest{.tags = {tags.data(), tags.size()}}).code,
            Errc::kMessageTooLong);
  // Refused for its length alone: nothing of it is read.
  const layout::Text endless("", layout::kVarBytesMax + 1);
  const Error too_long = error(layout::ConsumerConfig{.payload_fallback_uri = endless});
  EXPECT_EQ(too_long.code, Errc::kMessageTooLong);
  EXPECT_EQ(too_long.limit, layout::kVarBytesMax);
}

TEST(ChannelText, is_printable_ascii_without_spaces_of_at_most_4096_bytes) {
  TP_REQ("W91", "W92");
  EXPECT_TRUE(layout::valid_channel_text("aeron:ipc?term-length=64k|alias=~!"));
  EXPECT_TRUE(layout::valid_channel_text(std::string(4096, 'a')));
  EXPECT_FALSE(layout::valid_channel_text(std::string(4097, 'a')));
  for (const char bad : {' ', '\t', '\0', '\x7F', '\x80', '\xFF'}) {
    EXPECT_FALSE(layout::valid_channel_text(std::string("aeron:") + bad)) << int{bad};
  }
}

TEST(AssignedStreamId, takes_0_and_the_highest_as_absent) {
  TP_REQ("W98", "W99");
  EXPECT_EQ(layout::assigned_stream_id(0), std::nullopt);
  EXPECT_EQ(layout::assigned_stream_id(0xFFFF'FFFF), std::nullopt);
  EXPECT_EQ(layout::assigned_stream_id(1), 1U);
  EXPECT_EQ(layout::assigned_stream_id(0xFFFF'FFFE), 0xFFFF'FFFEU);
}

}  // namespace
}  // namespace tensorpool::codec
