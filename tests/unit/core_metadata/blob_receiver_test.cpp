// One test per row of the table in the banner of the machine.
#include "core/metadata/blob_receiver.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <vector>

#include "support/requirement.hpp"

namespace tensorpool::core::metadata {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using Verdict = BlobReceiver::Verdict;

constexpr std::uint32_t kStream = 10000;
constexpr std::uint32_t kVersion = 3;
constexpr Nanos kStart = seconds(1000);

class BlobReceiverTest : public ::testing::Test {
 protected:
  Verdict announce(std::uint64_t total_len, std::uint64_t checksum = 0, Nanos now = kStart) {
    return sut_.on_announce({.stream_id = kStream,
                             .meta_version = kVersion,
                             .blob_type = 9,
                             .total_len = total_len,
                             .checksum = checksum},
                            now);
  }
  Verdict chunk(std::uint64_t offset, std::size_t length, Nanos now = kStart,
                std::uint32_t version = kVersion) {
    bytes_.assign(length, std::byte{0x5A});
    layout::MetaBlobChunk message;
    message.stream_id = kStream;
    message.meta_version = version;
    message.chunk_offset = offset;
    message.bytes = layout::Bytes(bytes_.data(), bytes_.size());
    return sut_.on_chunk(message, now);
  }
  Verdict complete(std::uint64_t checksum = 0, std::uint32_t version = kVersion) {
    return sut_.on_complete({.stream_id = kStream, .meta_version = version, .checksum = checksum},
                            got_);
  }
  [[nodiscard]] static std::uint32_t crc_of(std::size_t length) {
    Crc32c crc;
    for (std::size_t k = 0; k < length; ++k) {
      crc.update(std::byte{0x5A});
    }
    return crc.digest();
  }

  BlobReceiver sut_{{.stream_id = kStream, .blob_bytes_max = 1'000'000}};
  std::vector<std::byte> bytes_;
  MetadataBlob got_;
};

TEST_F(BlobReceiverTest, delivers_a_whole_blob) {
  TP_REQ("W386", "W388", "W389");
  const std::uint32_t crc = crc_of(100);
  EXPECT_EQ(announce(100, crc), Verdict::kOpened);
  EXPECT_EQ(chunk(0, 60), Verdict::kAppended);
  EXPECT_EQ(chunk(60, 40), Verdict::kAppended);
  EXPECT_EQ(complete(crc), Verdict::kDelivered);
  EXPECT_EQ(got_.stream_id, kStream);
  EXPECT_EQ(got_.version, kVersion);
  EXPECT_EQ(got_.type, 9U);
  EXPECT_EQ(got_.bytes, std::vector<std::byte>(100, std::byte{0x5A}));
  EXPECT_FALSE(sut_.is_open());
  EXPECT_EQ(sut_.discarded(), 0U);
}

TEST_F(BlobReceiverTest, a_checksum_of_0_means_none) {
  TP_REQ("W389");
  announce(10);
  chunk(0, 10);
  EXPECT_EQ(complete(), Verdict::kDelivered);
}

TEST_F(BlobReceiverTest, an_empty_blob_is_complete_without_chunks) {
  TP_REQ("W392");
  announce(0);
  EXPECT_EQ(complete(), Verdict::kDelivered);
  EXPECT_TRUE(got_.bytes.empty());
}

TEST_F(BlobReceiverTest, a_gap_an_overlap_or_an_overrun_discards) {
  TP_REQ("W386", "W387");
  announce(100);
  EXPECT_EQ(chunk(1, 10), Verdict::kDiscarded);
  EXPECT_EQ(chunk(0, 10), Verdict::kIgnored);  // what follows is nobody's
  announce(100);
  chunk(0, 10);
  EXPECT_EQ(chunk(9, 10), Verdict::kDiscarded);
  announce(100);
  chunk(0, 90);
  EXPECT_EQ(chunk(90, 11), Verdict::kDiscarded);
  EXPECT_EQ(complete(), Verdict::kIgnored);
  EXPECT_EQ(sut_.discarded(), 3U);
  EXPECT_TRUE(got_.bytes.empty());
}

TEST_F(BlobReceiverTest, a_chunk_of_bad_length_discards) {
  TP_REQ("W385");
  announce(200'000);
  EXPECT_EQ(chunk(0, 65'536), Verdict::kAppended);
  EXPECT_EQ(chunk(65'536, 65'537), Verdict::kDiscarded);
  announce(200'000);
  EXPECT_EQ(chunk(0, 0), Verdict::kDiscarded);
}

TEST_F(BlobReceiverTest, an_offset_that_wraps_is_a_gap) {
  TP_REQ("W386");
  announce(100);
  EXPECT_EQ(chunk(~0ULL, 10), Verdict::kDiscarded);
}

TEST_F(BlobReceiverTest, completed_too_early_it_is_discarded) {
  TP_REQ("W386", "W387");
  announce(100);
  chunk(0, 99);
  EXPECT_EQ(complete(), Verdict::kDiscarded);
  EXPECT_EQ(complete(), Verdict::kIgnored);
}

TEST_F(BlobReceiverTest, wrong_checksums_discard) {
  TP_REQ("W388", "W389");
  const std::uint32_t crc = crc_of(10);
  announce(10, crc);
  chunk(0, 10);
  EXPECT_EQ(complete(crc ^ 1U), Verdict::kDiscarded);  // not the announced one
  announce(10, crc ^ 1U);
  chunk(0, 10);
  EXPECT_EQ(complete(crc ^ 1U), Verdict::kDiscarded);  // not that of the bytes
  announce(10, crc | 1ULL << 40U);
  chunk(0, 10);
  EXPECT_EQ(complete(crc | 1ULL << 40U), Verdict::kDiscarded);  // not zero-extended
  announce(10, 0);
  chunk(0, 10);
  EXPECT_EQ(complete(crc), Verdict::kDiscarded);
}

TEST_F(BlobReceiverTest, what_is_of_another_version_discards) {
  TP_REQ("W386");
  announce(100);
  EXPECT_EQ(chunk(0, 10, kStart, kVersion + 1), Verdict::kDiscarded);
  announce(0);
  EXPECT_EQ(complete(0, kVersion + 1), Verdict::kDiscarded);
}

TEST_F(BlobReceiverTest, a_new_announce_discards_what_is_open) {
  TP_REQ("W386", "W387");
  announce(100);
  chunk(0, 50);
  EXPECT_EQ(announce(10), Verdict::kOpened);
  EXPECT_EQ(sut_.discarded(), 1U);
  EXPECT_EQ(chunk(0, 10), Verdict::kAppended);
  EXPECT_EQ(complete(), Verdict::kDelivered);
  EXPECT_EQ(got_.bytes.size(), 10U);
}

TEST_F(BlobReceiverTest, without_a_chunk_for_the_timeout_it_is_discarded) {
  TP_REQ("W386", "W438");
  announce(100);
  EXPECT_EQ(sut_.next_deadline(), kStart + seconds(5));
  EXPECT_EQ(chunk(0, 10, kStart + seconds(4)), Verdict::kAppended);
  EXPECT_EQ(sut_.poll(kStart + milliseconds(8999)), Verdict::kIgnored);
  EXPECT_EQ(sut_.poll(kStart + milliseconds(9000)), Verdict::kDiscarded);
  EXPECT_EQ(sut_.poll(kStart + milliseconds(9000)), Verdict::kIgnored);
  EXPECT_EQ(sut_.next_deadline(), Nanos::max());
}

TEST_F(BlobReceiverTest, an_announce_above_the_limit_is_ignored) {
  TP_REQ("W390");
  EXPECT_EQ(announce(1'000'001), Verdict::kIgnored);
  EXPECT_EQ(announce(~0ULL), Verdict::kIgnored);
  announce(100);
  EXPECT_EQ(announce(1'000'001), Verdict::kIgnored);
  EXPECT_EQ(chunk(0, 100), Verdict::kAppended);  // the open one is still there
  BlobReceiver usual({.stream_id = kStream});
  EXPECT_EQ(usual.on_announce({.stream_id = kStream, .total_len = 64ULL << 20U}, kStart),
            Verdict::kOpened);
  EXPECT_EQ(usual.on_announce({.stream_id = kStream, .total_len = (64ULL << 20U) + 1}, kStart),
            Verdict::kIgnored);
}

TEST_F(BlobReceiverTest, memory_grows_with_what_has_arrived) {
  TP_REQ("W391");
  announce(1'000'000);
  EXPECT_EQ(sut_.capacity(), 0U);
  std::size_t arrived = 0;
  for (; arrived < 1'000'000; arrived += 1000) {
    ASSERT_EQ(chunk(arrived, 1000), Verdict::kAppended);
    ASSERT_LE(sut_.capacity(), 2 * (arrived + 1000));
  }
}

TEST_F(BlobReceiverTest, blobs_of_different_streams_may_interleave) {
  TP_REQ("W386");
  BlobReceiver other({.stream_id = kStream + 1});
  EXPECT_EQ(other.on_announce({.stream_id = kStream + 1, .meta_version = 1, .total_len = 0}, {}),
            Verdict::kOpened);
  announce(10);
  const layout::MetaBlobComplete foreign{.stream_id = kStream + 1, .meta_version = 1};
  EXPECT_EQ(sut_.on_complete(foreign, got_), Verdict::kIgnored);
  EXPECT_EQ(sut_.on_announce({.stream_id = kStream + 1}, kStart), Verdict::kIgnored);
  EXPECT_EQ(other.on_complete(foreign, got_), Verdict::kDelivered);
  EXPECT_EQ(chunk(0, 10), Verdict::kAppended);
  EXPECT_EQ(complete(), Verdict::kDelivered);
}

}  // namespace
}  // namespace tensorpool::core::metadata
