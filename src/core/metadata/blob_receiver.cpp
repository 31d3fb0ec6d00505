#include "core/metadata/blob_receiver.hpp"

#include <utility>

#include "core/metadata/blob_sender.hpp"

namespace tensorpool::inline v0::core::metadata {

using Verdict = BlobReceiver::Verdict;

Verdict BlobReceiver::discard() noexcept {
  open_.reset();
  ++discarded_;
  return Verdict::kDiscarded;
}

Verdict BlobReceiver::on_announce(const layout::MetaBlobAnnounce& announce, Nanos now) noexcept {
  if (announce.stream_id != options_.stream_id || announce.total_len > options_.blob_bytes_max) {
    return Verdict::kIgnored;  // W390
  }
  if (open_) {
    static_cast<void>(discard());
  }
  open_.emplace(Open{.blob = {.stream_id = announce.stream_id,
                              .version = announce.meta_version,
                              .type = announce.blob_type},
                     .total_len = announce.total_len,
                     .checksum = announce.checksum,
                     .heard_at = now});
  return Verdict::kOpened;
}

Verdict BlobReceiver::on_chunk(const layout::MetaBlobChunk& chunk, Nanos now) {
  if (chunk.stream_id != options_.stream_id || !open_) {
    return Verdict::kIgnored;
  }
  std::vector<std::byte>& bytes = open_->blob.bytes;
  const std::size_t length = chunk.bytes.size();
  if (chunk.meta_version != open_->blob.version || chunk.chunk_offset != bytes.size() ||
      length == 0 || length > kBlobChunkBytesMax || length > open_->total_len - bytes.size()) {
    return discard();
  }
  bytes.insert(bytes.end(), chunk.bytes.begin(), chunk.bytes.end());
  open_->crc.update(chunk.bytes);
  open_->heard_at = now;
  return Verdict::kAppended;
}

Verdict BlobReceiver::on_complete(const layout::MetaBlobComplete& complete,
                                  MetadataBlob& out) noexcept {
  if (complete.stream_id != options_.stream_id || !open_) {
    return Verdict::kIgnored;
  }
  const bool whole = open_->blob.bytes.size() == open_->total_len;
  const bool right = complete.checksum == open_->checksum &&                            // W388
                     (open_->checksum == 0 || open_->checksum == open_->crc.digest());  // W389
  if (complete.meta_version != open_->blob.version || !whole || !right) {
    return discard();
  }
  out = std::move(open_->blob);
  open_.reset();
  return Verdict::kDelivered;
}

Verdict BlobReceiver::poll(Nanos now) noexcept {
  return now >= next_deadline() ? discard() : Verdict::kIgnored;
}

bool BlobReceiver::check_invariants() const noexcept {
  return !open_ || (open_->blob.bytes.size() <= open_->total_len &&
                    open_->total_len <= options_.blob_bytes_max);
}

}  // namespace tensorpool::inline v0::core::metadata
