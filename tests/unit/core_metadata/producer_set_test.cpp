#include "core/metadata/producer_set.hpp"

#include <gtest/gtest.h>

#include "codec/codec.hpp"
#include "support/requirement.hpp"

namespace tensorpool::core::metadata {
namespace {

constexpr std::uint64_t kRoom = 1U << 20U;

[[nodiscard]] std::vector<Attribute> some(std::string_view value) {
  return {Attribute::text("name", value), Attribute::number("exposure", 250, "us")};
}

[[nodiscard]] Errc refusal(std::vector<Attribute> attributes, std::uint64_t room = kRoom) {
  ProducerSet sut;
  const Status status = sut.set(std::move(attributes), 1, room);
  EXPECT_EQ(sut.version(), status ? 1U : 0U);
  return status ? Errc{} : status.error().code;
}

TEST(ProducerSet, each_change_raises_the_version_and_the_first_set_has_version_1) {
  TP_REQ("W372");
  ProducerSet sut;
  EXPECT_EQ(sut.version(), 0U);
  ASSERT_TRUE(sut.set(some("a"), 10, kRoom));
  EXPECT_EQ(sut.version(), 1U);
  ASSERT_TRUE(sut.set(some("b"), 20, kRoom));
  EXPECT_EQ(sut.version(), 2U);
  ASSERT_TRUE(sut.set({}, 30, kRoom));  // nothing is a set as well
  EXPECT_EQ(sut.version(), 3U);
}

TEST(ProducerSet, the_same_set_again_is_no_change) {
  TP_REQ("W372");
  ProducerSet sut;
  ASSERT_TRUE(sut.set(some("a"), 10, kRoom));
  ASSERT_TRUE(sut.set(some("a"), 20, kRoom));
  EXPECT_EQ(sut.version(), 1U);
  EXPECT_EQ(sut.message(1).timestamp_ns, 10U);
}

TEST(ProducerSet, versions_are_counted_per_epoch) {
  TP_REQ("W372");
  ProducerSet sut;
  sut.begin_epoch();
  EXPECT_EQ(sut.version(), 0U);
  ASSERT_TRUE(sut.set(some("a"), 10, kRoom));
  ASSERT_TRUE(sut.set(some("b"), 10, kRoom));
  sut.begin_epoch();
  EXPECT_EQ(sut.version(), 1U);
  EXPECT_EQ(sut.attributes(), some("b"));
}

TEST(ProducerSet, the_message_carries_the_complete_set) {
  TP_REQ("W373");
  ProducerSet sut;
  ASSERT_TRUE(sut.set(some("a"), 10, kRoom));
  ASSERT_TRUE(sut.set({Attribute::text("other", "x")}, 20, kRoom));
  const layout::DataSourceMeta message = sut.message(10000);
  EXPECT_EQ(message.stream_id, 10000U);
  EXPECT_EQ(message.meta_version, 2U);
  EXPECT_EQ(message.timestamp_ns, 20U);
  ASSERT_EQ(message.attributes.size(), 1U);
  EXPECT_EQ(message.attributes[0].key, "other");
  EXPECT_EQ(message.attributes[0].format, "text/plain");
  EXPECT_EQ(message.attributes[0].value.size(), 1U);
}

TEST(ProducerSet, of_a_key_that_is_there_twice_the_last_entry_counts) {
  TP_REQ("W380");
  ProducerSet sut;
  ASSERT_TRUE(sut.set(
      {Attribute::text("k", "1"), Attribute::text("l", "2"), Attribute::text("k", "3")}, 1, kRoom));
  const std::vector<Attribute> expected = {Attribute::text("l", "2"), Attribute::text("k", "3")};
  EXPECT_EQ(sut.attributes(), expected);
}

TEST(ProducerSet, a_set_too_large_for_one_message_is_refused) {
  TP_REQ("W374");
  const std::vector<Attribute> attributes = some("abc");
  const std::uint64_t bytes = message_bytes(attributes);
  EXPECT_EQ(refusal(attributes, bytes), Errc{});
  EXPECT_EQ(refusal(attributes, bytes - 1), Errc::kMetadataTooLarge);
  const std::vector<Attribute> many(1025, Attribute::text("k", ""));
  EXPECT_EQ(refusal(many), Errc::kMetadataTooLarge);
}

TEST(ProducerSet, a_refused_set_changes_nothing) {
  TP_REQ("W374");
  ProducerSet sut;
  ASSERT_TRUE(sut.set(some("a"), 10, kRoom));
  EXPECT_FALSE(sut.set(some("b"), 20, 10));
  EXPECT_EQ(sut.version(), 1U);
  EXPECT_EQ(sut.attributes(), some("a"));
}

TEST(ProducerSet, sizes_are_those_of_the_codec) {
  TP_REQ("W374");
  ProducerSet sut;
  for (const auto& attributes : {std::vector<Attribute>{}, some(""), some("something longer")}) {
    ASSERT_TRUE(sut.set(attributes, 10, kRoom));
    EXPECT_EQ(message_bytes(attributes), codec::encoded_size(sut.message(1)));
  }
}

TEST(ProducerSet, what_receivers_would_refuse_is_refused) {
  TP_REQ("W381", "W93");
  EXPECT_EQ(refusal({Attribute::text("", "x")}), Errc::kInvalidArgument);
  EXPECT_EQ(refusal({Attribute::text("gr\xC3\xBC\xC3\x9F", "x")}), Errc::kInvalidArgument);
  EXPECT_EQ(refusal({Attribute::bytes("k", "text/\n", {})}), Errc::kInvalidArgument);
}

TEST(ProducerSet, reserved_names_are_refused_except_for_what_they_are_for) {
  EXPECT_EQ(refusal({Attribute::text("tensorpool.dtype", "bfloat16")}), Errc{});
  EXPECT_EQ(refusal({Attribute::text("tensorpool.dtype", "float8")}), Errc::kInvalidArgument);
  EXPECT_EQ(refusal({Attribute::text("tensorpool.other", "x")}), Errc::kInvalidArgument);
  EXPECT_EQ(refusal({Attribute::text("tensorpool", "x")}), Errc{});
}

}  // namespace
}  // namespace tensorpool::core::metadata
