// Puts the blob of one stream together again, or gives it up. Spec: §1.18.1 (W385..W392).
//
// | state | event                                        | action           | next           |
// | ----- | -------------------------------------------- | ---------------- | -------------- |
// | NONE  | announce with acceptable totalLen            | begin            | OPEN(next = 0) |
// | OPEN  | chunk, offset = next, fits                   | append           | OPEN           |
// | OPEN  | chunk with gap, overlap, overrun, bad length | discard          | NONE           |
// | OPEN  | complete, next = totalLen, checksums right   | deliver          | NONE           |
// | OPEN  | complete otherwise                           | discard          | NONE           |
// | OPEN  | chunk or complete of another metaVersion     | discard          | NONE           |
// | OPEN  | new announce with acceptable totalLen        | discard, begin   | OPEN(next = 0) |
// | OPEN  | no chunk for the blob timeout                | discard          | NONE           |
// | NONE  | chunk or complete                            | ignore           | NONE           |
// | any   | announce above the limit (W390)              | ignore           | same           |
//
// An announce promises a length and takes no memory (W391): what is held is at most twice what has
// arrived.
//
// Pure. Thread contract: one thread at a time. Allocates: for chunks.
#pragma once

#include <cstdint>
#include <optional>

#include "core/crc32c.hpp"
#include "layout/messages_900.hpp"
#include "tensorpool/types/metadata.hpp"

namespace tensorpool::inline v0::core::metadata {

class BlobReceiver {
 public:
  struct Options {
    std::uint32_t stream_id = 0;
    std::uint64_t blob_bytes_max = MetadataLimits{}.max_blob_bytes;
    Nanos timeout = MetadataLimits{}.blob_timeout;
  };
  enum class Verdict : std::uint8_t { kIgnored, kOpened, kAppended, kDiscarded, kDelivered };

  explicit BlobReceiver(const Options& options) noexcept : options_(options) {}

  /// kOpened also where an older blob was discarded for it.
  Verdict on_announce(const layout::MetaBlobAnnounce& announce, Nanos now) noexcept;
  Verdict on_chunk(const layout::MetaBlobChunk& chunk, Nanos now);
  /// With kDelivered the blob is moved into `out`; otherwise that stays as it is.
  Verdict on_complete(const layout::MetaBlobComplete& complete, MetadataBlob& out) noexcept;
  /// kDiscarded when the present blob has waited too long.
  Verdict poll(Nanos now) noexcept;

  [[nodiscard]] bool is_open() const noexcept { return open_.has_value(); }
  [[nodiscard]] Nanos next_deadline() const noexcept {
    return open_ ? open_->heard_at + options_.timeout : Nanos::max();
  }
  /// Blobs that were begun and not delivered.
  [[nodiscard]] std::uint64_t discarded() const noexcept { return discarded_; }
  /// Bytes that are held now.
  [[nodiscard]] std::size_t capacity() const noexcept {
    return open_ ? open_->blob.bytes.capacity() : 0;
  }
  [[nodiscard]] bool check_invariants() const noexcept;

 private:
  struct Open {
    MetadataBlob blob;
    std::uint64_t total_len;
    std::uint64_t checksum;
    Nanos heard_at;
    Crc32c crc = {};  // of what has arrived
  };
  [[nodiscard]] Verdict discard() noexcept;

  Options options_;
  std::optional<Open> open_;
  std::uint64_t discarded_ = 0;
};

}  // namespace tensorpool::inline v0::core::metadata
