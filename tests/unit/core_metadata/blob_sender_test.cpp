#include "core/metadata/blob_sender.hpp"

#include <gtest/gtest.h>

#include <string>

#include "codec/codec.hpp"
#include "core/crc32c.hpp"
#include "support/requirement.hpp"

namespace tensorpool::core::metadata {
namespace {

using layout::MetaBlobAnnounce;
using layout::MetaBlobChunk;
using layout::MetaBlobComplete;

constexpr std::uint32_t kStream = 10000;
constexpr std::size_t kRoom = 1U << 20U;

[[nodiscard]] std::vector<std::byte> blob(std::size_t size) {
  std::vector<std::byte> bytes(size);
  for (std::size_t k = 0; k < size; ++k) {
    bytes[k] = static_cast<std::byte>(k * 7);
  }
  return bytes;
}

/// What the next message is, in short; it is then sent.
[[nodiscard]] std::string send_next(BlobSender& sut, std::size_t room = kRoom) {
  const std::optional<BlobMessage> message = sut.message(kStream, room);
  if (!message) {
    return "none";
  }
  sut.sent(*message);
  if (const auto* const announce = std::get_if<MetaBlobAnnounce>(&*message)) {
    return "announce v" + std::to_string(announce->meta_version) + " " +
           std::to_string(announce->total_len);
  }
  if (const auto* const chunk = std::get_if<MetaBlobChunk>(&*message)) {
    return "chunk v" + std::to_string(chunk->meta_version) + " " +
           std::to_string(chunk->chunk_offset) + "+" + std::to_string(chunk->bytes.size());
  }
  return "complete v" + std::to_string(std::get<MetaBlobComplete>(*message).meta_version);
}

TEST(BlobSender, sends_announce_then_contiguous_chunks_then_complete) {
  TP_REQ("W383", "W385");
  BlobSender sut{{}};
  ASSERT_TRUE(sut.push(3, 9, blob(150'000)));
  EXPECT_EQ(send_next(sut), "announce v3 150000");
  EXPECT_EQ(send_next(sut), "chunk v3 0+65536");
  EXPECT_EQ(send_next(sut), "chunk v3 65536+65536");
  EXPECT_EQ(send_next(sut), "chunk v3 131072+18928");
  EXPECT_EQ(send_next(sut), "complete v3");
  EXPECT_EQ(send_next(sut), "none");
}

TEST(BlobSender, names_stream_type_and_checksum) {
  TP_REQ("W388", "W389");
  BlobSender sut{{}};
  const std::vector<std::byte> bytes = blob(1000);
  Crc32c crc;
  crc.update(bytes);
  ASSERT_TRUE(sut.push(3, 9, bytes));
  const auto announce = std::get<MetaBlobAnnounce>(sut.message(kStream, kRoom).value());
  EXPECT_EQ(announce.stream_id, kStream);
  EXPECT_EQ(announce.blob_type, 9U);
  EXPECT_EQ(announce.checksum, crc.digest());
  static_cast<void>(send_next(sut));
  const auto chunk = std::get<MetaBlobChunk>(sut.message(kStream, kRoom).value());
  EXPECT_EQ(chunk.stream_id, kStream);
  EXPECT_TRUE(std::equal(bytes.begin(), bytes.end(), chunk.bytes.begin(), chunk.bytes.end()));
  static_cast<void>(send_next(sut));
  const auto complete = std::get<MetaBlobComplete>(sut.message(kStream, kRoom).value());
  EXPECT_EQ(complete.stream_id, kStream);
  EXPECT_EQ(complete.checksum, crc.digest());
}

TEST(BlobSender, two_blobs_are_never_interleaved) {
  TP_REQ("W384");
  BlobSender sut{{}};
  ASSERT_TRUE(sut.push(1, 0, blob(10)));
  EXPECT_EQ(send_next(sut), "announce v1 10");
  ASSERT_TRUE(sut.push(2, 0, blob(20)));
  EXPECT_EQ(sut.pending(), 2U);
  EXPECT_EQ(send_next(sut), "chunk v1 0+10");
  EXPECT_EQ(send_next(sut), "complete v1");
  EXPECT_EQ(sut.pending(), 1U);
  EXPECT_EQ(send_next(sut), "announce v2 20");
}

TEST(BlobSender, what_was_not_sent_stays_the_next_message) {
  TP_REQ("W383");
  BlobSender sut{{}};
  ASSERT_TRUE(sut.push(1, 0, blob(10)));
  EXPECT_EQ(sut.message(kStream, kRoom), sut.message(kStream, kRoom));
  EXPECT_EQ(send_next(sut), "announce v1 10");
}

TEST(BlobSender, an_empty_blob_has_no_chunks) {
  TP_REQ("W392");
  BlobSender sut{{}};
  ASSERT_TRUE(sut.push(1, 0, {}));
  EXPECT_EQ(send_next(sut), "announce v1 0");
  EXPECT_EQ(send_next(sut), "complete v1");
  EXPECT_EQ(send_next(sut), "none");
}

TEST(BlobSender, chunks_fit_into_the_longest_message) {
  TP_REQ("W383");
  BlobSender sut{{}};
  ASSERT_TRUE(sut.push(1, 0, blob(100)));
  static_cast<void>(send_next(sut));
  const auto chunk = std::get<MetaBlobChunk>(sut.message(kStream, 60).value());
  EXPECT_EQ(codec::encoded_size(chunk), 60U);
  EXPECT_EQ(send_next(sut, 60), "chunk v1 0+32");
  EXPECT_EQ(send_next(sut, 90), "chunk v1 32+62");
  EXPECT_EQ(send_next(sut, 90), "chunk v1 94+6");
}

TEST(BlobSender, a_new_epoch_begins_the_blob_anew) {
  TP_REQ("W383");
  BlobSender sut{{}};
  ASSERT_TRUE(sut.push(4, 0, blob(10)));
  static_cast<void>(send_next(sut));
  static_cast<void>(send_next(sut));
  sut.begin_epoch(1);
  EXPECT_EQ(send_next(sut), "announce v1 10");
  EXPECT_EQ(send_next(sut), "chunk v1 0+10");
}

TEST(BlobSender, what_no_receiver_takes_is_refused) {
  TP_REQ("W390");
  BlobSender sut{{.blob_bytes_max = 100, .blobs_max = 2}};
  const Status large = sut.push(1, 0, blob(101));
  ASSERT_FALSE(large);
  EXPECT_EQ(large.error().code, Errc::kMetadataTooLarge);
  ASSERT_TRUE(sut.push(1, 0, blob(100)));
  ASSERT_TRUE(sut.push(1, 0, {}));
  const Status many = sut.push(1, 0, {});
  ASSERT_FALSE(many);
  EXPECT_EQ(many.error().code, Errc::kLimitReached);
}

}  // namespace
}  // namespace tensorpool::core::metadata
