#include "core/metadata/set_store.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <initializer_list>

#include "support/requirement.hpp"

namespace tensorpool::core::metadata {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using Verdict = SetStore::Verdict;

constexpr std::uint32_t kStream = 10000;
constexpr Nanos kStart = seconds(1000);

[[nodiscard]] layout::MetaAttribute entry(std::string_view key, std::string_view value) {
  const auto* const bytes = reinterpret_cast<const std::byte*>(value.data());
  return {.key = key, .format = "text/plain", .value = layout::Bytes(bytes, value.size())};
}

class SetStoreTest : public ::testing::Test {
 protected:
  Verdict announce(std::uint64_t epoch, Nanos now = kStart, std::uint32_t stream = kStream) {
    return sut_.on_announce({.stream_id = stream, .epoch = epoch}, now);
  }
  Verdict announce_version(std::uint64_t epoch, std::uint32_t version) {
    return sut_.on_announce({.stream_id = kStream, .epoch = epoch, .meta_version = version},
                            kStart);
  }
  Verdict set(std::uint32_t version, const std::vector<layout::MetaAttribute>& entries,
              std::uint32_t stream = kStream) {
    layout::DataSourceMeta message;
    message.stream_id = stream;
    message.meta_version = version;
    message.timestamp_ns = 5;
    message.attributes = layout::ListView<layout::MetaAttribute>(entries.data(), entries.size());
    return sut_.on_set(message);
  }
  [[nodiscard]] std::string_view value(std::string_view key = "k") const {
    return sut_.current() == nullptr ? "(no set)" : sut_.current()->text(key).value_or("(none)");
  }

  SetStore sut_{{.stream_id = kStream, .attributes_max = 4}};
};

TEST_F(SetStoreTest, keeps_the_set_of_its_stream) {
  TP_REQ("W376");
  EXPECT_EQ(sut_.current(), nullptr);
  EXPECT_EQ(announce(7), Verdict::kCleared);
  EXPECT_EQ(set(1, {entry("k", "v")}), Verdict::kStored);
  EXPECT_EQ(value(), "v");
  EXPECT_EQ(sut_.current()->epoch, 7U);
  EXPECT_EQ(sut_.current()->version, 1U);
  EXPECT_EQ(sut_.current()->timestamp_ns, 5U);
  EXPECT_EQ(set(2, {entry("k", "other")}, kStream + 1), Verdict::kIgnored);
  EXPECT_EQ(announce(8, kStart, kStream + 1), Verdict::kIgnored);
  EXPECT_EQ(value(), "v");
}

TEST_F(SetStoreTest, ignores_a_lower_version) {
  TP_REQ("W376");
  announce(7);
  set(3, {entry("k", "new")});
  EXPECT_EQ(set(2, {entry("k", "old")}), Verdict::kIgnored);
  EXPECT_EQ(value(), "new");
}

// A set names no epoch, so that the last one of a producer that has ended may come after the first
// announce of the next.
TEST_F(SetStoreTest, gives_up_a_set_that_the_announces_of_its_epoch_do_not_know) {
  TP_REQ("W376", "W377");
  announce_version(7, 1);
  set(5, {entry("k", "of epoch 6")});
  EXPECT_EQ(announce_version(7, 1), Verdict::kHeard);
  EXPECT_EQ(set(1, {entry("k", "of epoch 7")}), Verdict::kIgnored);
  EXPECT_EQ(announce_version(7, 1), Verdict::kCleared);
  EXPECT_EQ(set(1, {entry("k", "of epoch 7")}), Verdict::kStored);
  EXPECT_EQ(value(), "of epoch 7");
}

TEST_F(SetStoreTest, is_not_confused_by_one_late_announce_or_by_those_that_name_no_version) {
  announce_version(7, 1);
  set(2, {entry("k", "v")});
  EXPECT_EQ(announce_version(7, 1), Verdict::kHeard);
  EXPECT_EQ(announce_version(7, 2), Verdict::kHeard);
  EXPECT_EQ(announce_version(7, 1), Verdict::kHeard);
  for (int again = 0; again < 3; ++again) {
    EXPECT_EQ(announce_version(7, 0), Verdict::kHeard);
  }
  EXPECT_EQ(value(), "v");
}

TEST_F(SetStoreTest, a_set_that_is_repeated_is_no_news) {
  TP_REQ("W376");
  announce(7);
  set(3, {entry("k", "v")});
  const auto before = sut_.current();
  EXPECT_EQ(set(3, {entry("k", "v")}), Verdict::kHeard);
  EXPECT_EQ(sut_.current(), before);
  EXPECT_EQ(set(3, {entry("k", "w")}), Verdict::kStored);
}

TEST_F(SetStoreTest, attributes_missing_from_a_set_no_longer_exist) {
  TP_REQ("W373");
  announce(7);
  set(1, {entry("k", "v"), entry("l", "w")});
  set(2, {entry("l", "w")});
  EXPECT_EQ(value("k"), "(none)");
  EXPECT_EQ(value("l"), "w");
}

TEST_F(SetStoreTest, a_higher_epoch_clears_what_is_stored) {
  TP_REQ("W377");
  announce(7);
  set(5, {entry("k", "v")});
  const auto held = sut_.current();
  EXPECT_EQ(announce(8), Verdict::kCleared);
  EXPECT_EQ(sut_.current(), nullptr);
  EXPECT_EQ(held->text("k"), "v");
  EXPECT_EQ(set(1, {entry("k", "w")}), Verdict::kStored);  // a lower version, of a new count
  EXPECT_EQ(sut_.current()->epoch, 8U);
}

TEST_F(SetStoreTest, a_lower_epoch_is_ignored_while_the_stored_one_lives) {
  TP_REQ("W378");
  announce(7, kStart);
  set(1, {entry("k", "v")});
  EXPECT_EQ(announce(6, kStart + milliseconds(4999)), Verdict::kIgnored);
  EXPECT_EQ(announce(7, kStart + milliseconds(4999)), Verdict::kHeard);
  EXPECT_EQ(announce(6, kStart + milliseconds(9998)), Verdict::kIgnored);
  EXPECT_EQ(value(), "v");
  EXPECT_EQ(announce(6, kStart + milliseconds(9999)), Verdict::kCleared);
  EXPECT_EQ(sut_.epoch(), 6U);
  EXPECT_EQ(sut_.current(), nullptr);
}

TEST_F(SetStoreTest, a_set_before_any_announce_is_kept_until_there_is_one) {
  TP_REQ("W376", "W377");
  EXPECT_EQ(set(4, {entry("k", "v")}), Verdict::kStored);
  EXPECT_EQ(sut_.current()->epoch, 0U);
  EXPECT_EQ(announce(7), Verdict::kCleared);
  EXPECT_EQ(sut_.current(), nullptr);
}

TEST_F(SetStoreTest, unknown_keys_and_formats_are_kept_like_others) {
  TP_REQ("W379");
  announce(7);
  std::vector<layout::MetaAttribute> entries = {entry("tensorpool.later", "v"), entry("k", "v")};
  entries[1].format = "sbe:9999.9";
  EXPECT_EQ(set(1, entries), Verdict::kStored);
  ASSERT_EQ(sut_.current()->attributes.size(), 2U);
  EXPECT_EQ(sut_.current()->attributes[1].format, "sbe:9999.9");
}

TEST_F(SetStoreTest, the_last_entry_of_a_key_wins) {
  TP_REQ("W380");
  announce(7);
  set(1, {entry("k", "1"), entry("l", "2"), entry("k", "3")});
  EXPECT_EQ(sut_.current()->attributes.size(), 2U);
  EXPECT_EQ(value(), "3");
}

TEST_F(SetStoreTest, an_empty_key_and_too_many_attributes_are_malformed) {
  TP_REQ("W381");
  announce(7);
  set(1, {entry("k", "v")});
  EXPECT_EQ(set(2, {entry("k", "w"), entry("", "x")}), Verdict::kMalformed);
  const std::vector<layout::MetaAttribute> four(4, entry("k", "w"));
  const std::vector<layout::MetaAttribute> five(5, entry("k", "w"));
  EXPECT_EQ(set(2, five), Verdict::kMalformed);
  EXPECT_EQ(value(), "v");
  EXPECT_EQ(set(2, four), Verdict::kStored);
}

TEST_F(SetStoreTest, versions_that_mean_none_and_epochs_that_cannot_be_are_ignored) {
  TP_REQ("W376");
  EXPECT_EQ(set(0, {entry("k", "v")}), Verdict::kIgnored);
  EXPECT_EQ(set(0xFFFF'FFFFU, {entry("k", "v")}), Verdict::kIgnored);
  EXPECT_EQ(announce(0), Verdict::kIgnored);
  EXPECT_EQ(announce(~0ULL), Verdict::kIgnored);
  EXPECT_EQ(announce(1), Verdict::kCleared);
}

}  // namespace
}  // namespace tensorpool::core::metadata
