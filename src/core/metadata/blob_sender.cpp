#include "core/metadata/blob_sender.hpp"

#include <algorithm>
#include <utility>

#include "core/crc32c.hpp"

namespace tensorpool::inline v0::core::metadata {

Status BlobSender::push(std::uint32_t version, std::uint32_t type, std::vector<std::byte> bytes) {
  if (bytes.size() > options_.blob_bytes_max) {
    return fail(Errc::kMetadataTooLarge, "blob", bytes.size(), options_.blob_bytes_max);
  }
  if (queue_.size() >= options_.blobs_max) {
    return fail(Errc::kLimitReached, "queued blobs", queue_.size(), options_.blobs_max);
  }
  Crc32c crc;
  crc.update(bytes);
  queue_.push_back(
      {.version = version, .type = type, .checksum = crc.digest(), .bytes = std::move(bytes)});
  return {};
}

void BlobSender::begin_epoch(std::uint32_t version) noexcept {
  announced_ = false;
  next_ = 0;
  for (Entry& entry : queue_) {
    entry.version = version;
  }
}

std::optional<BlobMessage> BlobSender::message(std::uint32_t stream_id,
                                               std::size_t message_bytes_max) const noexcept {
  if (queue_.empty()) {
    return std::nullopt;
  }
  const Entry& blob = queue_.front();
  if (!announced_) {
    return layout::MetaBlobAnnounce{.stream_id = stream_id,
                                    .meta_version = blob.version,
                                    .blob_type = blob.type,
                                    .total_len = blob.bytes.size(),
                                    .checksum = blob.checksum};
  }
  if (next_ == blob.bytes.size()) {
    return layout::MetaBlobComplete{
        .stream_id = stream_id, .meta_version = blob.version, .checksum = blob.checksum};
  }
  constexpr std::size_t kAround = layout::kMessageHeaderBytes +
                                  layout::MetaBlobChunk::kType.block_length +
                                  layout::kVarLengthBytes;
  const std::size_t room = message_bytes_max > kAround ? message_bytes_max - kAround : 1;
  const std::size_t length =
      std::min({room, kBlobChunkBytesMax, blob.bytes.size() - static_cast<std::size_t>(next_)});
  layout::MetaBlobChunk chunk;
  chunk.stream_id = stream_id;
  chunk.meta_version = blob.version;
  chunk.chunk_offset = next_;
  chunk.bytes = layout::Bytes(blob.bytes.data() + next_, length);
  return chunk;
}

void BlobSender::sent(const BlobMessage& message) noexcept {
  if (std::holds_alternative<layout::MetaBlobAnnounce>(message)) {
    announced_ = true;
  } else if (const auto* const chunk = std::get_if<layout::MetaBlobChunk>(&message)) {
    next_ += chunk->bytes.size();
  } else {
    queue_.pop_front();
    announced_ = false;
    next_ = 0;
  }
}

}  // namespace tensorpool::inline v0::core::metadata
